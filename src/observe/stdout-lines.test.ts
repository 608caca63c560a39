import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stdoutLines } from "./stdout-lines.ts";

/** Both ends of a pipe; neither blocks. */
function pipe(t: TestContext): { reader: number; writer: number } {
  const directory = mkdtempSync(join(tmpdir(), "bulkhead-test-"));
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  t.after(() => {
    closeSync(writer);
    rmSync(directory, { recursive: true });
  });
  return { reader, writer };
}

test("I5: what nobody reads is dropped and counted, and the host goes on", async (t) => {
  const { reader, writer } = pipe(t);
  t.after(() => closeSync(reader));
  const out = stdoutLines({ fd: writer, unreadBytesMax: 256 * 1_024 });
  const line = `{"msg":"${"x".repeat(1_000)}"}\n`;
  for (let n = 0; n < 2_000; n += 1) out.write(line);
  let read = "";
  const buffer = Buffer.alloc(64 * 1_024);
  const deadline = performance.now() + 20_000;
  while (!/"dropped":.*\n$/.test(read)) {
    assert.ok(performance.now() < deadline, "nothing was said of what was dropped");
    try {
      read += buffer.toString("utf8", 0, readSync(reader, buffer));
    } catch {
      // There is nothing to read now.
      await sleep(5);
    }
  }
  const lines = read.trimEnd().split("\n");
  const { level, dropped } = JSON.parse(lines.at(-1) ?? "");
  assert.equal(level, "warn");
  assert.equal(lines.length - 1 + dropped, 2_000);
  assert.ok(dropped > 1_000);
});

test("a reader that has gone costs lines only", async (t) => {
  const { reader, writer } = pipe(t);
  const out = stdoutLines({ fd: writer });
  closeSync(reader);
  for (let n = 0; n < 10; n += 1) {
    out.write("a line\n");
    await sleep(1);
  }
});
