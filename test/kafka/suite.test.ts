/** The runner's suite `kafka` on machines that lack what it needs: skipped by name, never silently passed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "bulkhead-kafka-suite-"));
after(() => rmSync(folder, { recursive: true }));

const java = { java: `echo 'openjdk version "17.0.1"' >&2`, javac: "exit 0" };
const machines: { lacks: string; programs: Record<string, string>; reason: RegExp }[] = [
  { lacks: "Java", programs: {}, reason: /kafka: needs Java 17 or newer/ },
  {
    lacks: "a Java that is new enough",
    programs: { ...java, java: `echo 'openjdk version "11.0.1"' >&2` },
    reason: /kafka: needs Java 17 or newer/,
  },
  { lacks: "Maven", programs: java, reason: /kafka: needs Maven \(mvn\)/ },
  {
    lacks: "the network",
    programs: { ...java, mvn: "echo '[ERROR] nobody is there'; exit 1" },
    reason: /kafka: Maven could not fetch Kafka's jars: \[ERROR\] nobody is there/,
  },
];

describe("the suite kafka", { concurrency: 2 }, () => {
  for (const { lacks, programs, reason } of machines) {
    test(`is skipped by name where the machine lacks ${lacks}`, async () => {
      const bin = join(folder, lacks.replaceAll(" ", "-"));
      mkdirSync(bin);
      for (const [name, body] of Object.entries(programs)) {
        writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
        chmodSync(join(bin, name), 0o755);
      }
      for (const name of ["sh", "ps"]) symlinkSync(join("/bin", name), join(bin, name));
      const env = { ...process.env, PATH: bin, KAFKA_BOOTSTRAP: "", XDG_CACHE_HOME: bin };
      const { status, stdout } = await run(["--import", "tsx", "test/run.ts", "kafka"], env);
      assert.match(stdout, /^skipped +kafka .* 1 skipped$/m);
      assert.match(stdout, reason);
      assert.match(stdout, /^tests: 0 passed, 0 failed, 1 skipped$/m);
      assert.equal(status, 1);
    });
  }
});

function run(
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ status: number | null; stdout: string }> {
  // It must not believe that it is a test file of the runner above it.
  const { NODE_TEST_CONTEXT: _, ...own } = env;
  const child = spawn(process.execPath, args, { cwd: root, env: own });
  let stdout = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, stdout })));
}
