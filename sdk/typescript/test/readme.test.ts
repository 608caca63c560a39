import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { Encoding } from "../src/gen/bulkhead/plugin/v1/record_pb.ts";
import { HostEnd } from "./host-end.ts";
import { inTime } from "./inbox.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "bulkhead-readme-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The tests of the section about the harness, over the programs above, in a file of their own. */
function harnessTests(): string {
  const code = /```ts\n(import \{ harness \}.*?)```/s.exec(readme)?.[1];
  assert.ok(code, "the README has tests with the harness");
  const source = (name: string) => new URL(`../src/${name}`, import.meta.url).href;
  // The classes are in files of their own there, without the line that runs them.
  for (const [marker, name] of [
    ["hello-source", "counter"],
    ["hello-sink", "print"],
  ] as const) {
    const { path } = program(marker);
    const text = readFileSync(path, "utf8").replace(/^run\(.*$/m, "");
    writeFileSync(
      join(folder, `${name}.mts`),
      text.replace(`const ${name}`, `export const ${name}`),
    );
  }
  const path = join(folder, "harness.test.mts");
  const imports = [
    'import assert from "node:assert/strict";',
    'import { test } from "node:test";',
    'import { counter } from "./counter.mts";',
    'import { print } from "./print.mts";',
  ];
  const used = code.replace("@bulkhead/sdk/harness", source("harness/harness.ts"));
  writeFileSync(path, `${imports.join("\n")}\n${used}`);
  return path;
}

/** The program below a marker, with the SDK taken from its sources. */
function program(marker: string): { path: string; lines: number } {
  const code = new RegExp(`<!-- ${marker} -->\\n+\`\`\`ts\\n(.*?)\`\`\``, "s").exec(readme)?.[1];
  assert.ok(code, `the README has no ${marker}`);
  const path = join(folder, `${marker}.mts`);
  const index = new URL("../src/index.ts", import.meta.url).href;
  writeFileSync(path, code.replace("@bulkhead/sdk", index));
  return { path, lines: code.trim().split("\n").length };
}

const run = promisify(execFile);
const tsx = import.meta.resolve("tsx");

describe("the programs of the README", { concurrency: true }, () => {
  test("the README's hello source is at most 15 lines and its records arrive", async () => {
    const { path, lines } = program("hello-source");
    assert.ok(lines <= 15, `${lines} lines`);
    const host = await HostEnd.listen();
    try {
      host.offsets.set('{"counter":"main"}', '{"n":41}');
      host.spawn([process.execPath, "--import", tsx, path]);
      const hello = await host.accepted();
      assert.deepEqual(hello.plugin?.classes, ["example.Counter"]);
      const source = await host.startSource("c", {
        className: "example.Counter",
        taskConfig: { topic: "lines" },
      });
      await source.inbox.next("started");
      source.send({ case: "credit", value: { records: 10n, bytes: 1_000_000n } });
      const topic = await source.inbox.next("topic");
      assert.equal(topic.topic, "lines");
      const form = await source.inbox.next("form");
      assert.equal(form.encoding, Encoding.TEXT);
      const { columns } = await source.inbox.next("records");
      const first = Buffer.from(columns!.arena).toString().slice(0, 7);
      assert.equal(first, "line 41");
      source.send({ case: "stop", value: { timeoutMs: 1_000n } });
      const stopped = await source.inbox.next("stopped");
      assert.equal(stopped.failure, undefined);
      assert.equal(await source.inbox.ended(), "half-closed");
    } finally {
      await host.close();
    }
  });

  test("the README's hello sink is at most 10 lines and prints what was put", async () => {
    const { path, lines } = program("hello-sink");
    assert.ok(lines <= 10, `${lines} lines`);
    const host = await HostEnd.listen();
    try {
      const child = host.spawn([process.execPath, "--import", tsx, path]);
      const printed = new Promise<string>((resolve) => {
        child.stdout?.once("data", (data: Buffer) => resolve(data.toString()));
      });
      await host.accepted();
      const sink = await host.startSink("c", { className: "example.Print" });
      await sink.inbox.next("started");
      sink.send({ case: "topic", value: { id: 1, topic: "lines" } });
      sink.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
      sink.send({ case: "open", value: { partitions: [{ topic: "lines", partition: 0 }] } });
      await sink.inbox.next("opened");
      const columns = {
        count: 1,
        arena: Buffer.from("hello"),
        valueSizes: [6],
        valueForms: [1],
        topics: [1],
        partitions: [1],
        offsets: [7n],
      };
      sink.send({ case: "put", value: { putSeq: 1n, columns } });
      const result = await sink.inbox.next("putResult");
      assert.equal(result.kind.case, "ok");
      assert.equal(await inTime(printed, "line"), "lines 7 hello\n");
      sink.send({ case: "stop", value: { timeoutMs: 1_000n } });
      await sink.inbox.next("stopped");
    } finally {
      await host.close();
    }
  });

  test("the README's tests with the harness pass over the programs above", async () => {
    const args = ["--import", tsx, "--test-reporter=tap", harnessTests()];
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout } = await run(process.execPath, args, { env, timeout: 60_000 });
    assert.match(stdout, /^# pass 2$/m);
    assert.match(stdout, /^# fail 0$/m);
  });
});
