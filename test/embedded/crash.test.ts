/** The embedded log under kill -9, and under two processes that want the same folder. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import test, { type TestContext } from "node:test";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import { compiledProgram } from "../harness/compiled-program.ts";
import { readAll, temporaryFolder } from "../harness/embedded-log.ts";
import { waitFor } from "../harness/wait-for.ts";

const program = compiledProgram("test/fixtures/embedded-writer.ts");

/** The writer, with the last line it has said. */
function write(t: TestContext, directory: string, first: number, fsync = "interval") {
  const child = spawn(process.execPath, [program, directory, String(first), fsync], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const state = { child, line: "" };
  createInterface({ input: child.stdout! }).on("line", (line) => {
    state.line = line;
  });
  return state;
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

for (const fsync of ["always", "interval"]) {
  test(`after kill -9 every stored record is there, whole and in order, with fsync=${fsync}`, async (t) => {
    const directory = await temporaryFolder(t);
    let next = 0;
    for (let round = 1; round <= 3; round++) {
      const writer = write(t, directory, next, fsync);
      const enough = next + 1_000 * round;
      await waitFor(() => Number(writer.line) >= enough, {
        withinMs: 30_000,
        what: "records",
        everyMs: 1,
      });
      await kill(writer.child);
      const told = Number(writer.line);
      const kafka = await openEmbedded({ directory });
      const values = (await readAll(kafka, "numbers")).map(({ value }) => value);
      await kafka.close();
      assert.ok(values.length >= told, `${values.length} of ${told} stored records are there`);
      for (const [n, value] of values.entries()) assert.equal(value, `${n} ${"x".repeat(n % 200)}`);
      next = values.length;
    }
  });
}

test("a folder that another process uses is refused with its pid, and free when that is dead", async (t) => {
  const directory = await temporaryFolder(t);
  const holder = write(t, directory, 0);
  await waitFor(() => holder.line !== "", { withinMs: 30_000, what: "the holder" });
  const refused = {
    name: "ConfigError",
    code: "embedded.folder_locked",
    message: `cannot use ${directory} for the embedded log: process ${holder.child.pid} is using it`,
  };
  await assert.rejects(openEmbedded({ directory }), refused);
  const second = write(t, directory, 0);
  const [code] = await once(second.child, "close");
  assert.equal(code, 3);
  assert.equal(second.line, `locked ${refused.message}`);
  await kill(holder.child);
  await (await openEmbedded({ directory })).close();
});
