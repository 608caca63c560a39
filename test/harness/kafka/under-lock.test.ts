import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { underLock } from "./under-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-lock-"));
const file = join(folder, "lock");
after(() => rmSync(folder, { recursive: true }));

test("one works while the others wait, and the next one works after a failure", async () => {
  let working = 0;
  let done = 0;
  const work = async () => {
    working += 1;
    assert.equal(working, 1);
    await new Promise((resolve) => setImmediate(resolve));
    working -= 1;
    done += 1;
    if (done === 1) throw new Error("the first fails");
  };
  const results = await Promise.allSettled([1, 2, 3].map(() => underLock(file, work)));
  assert.deepEqual(results.map(({ status }) => status).sort(), [
    "fulfilled",
    "fulfilled",
    "rejected",
  ]);
  assert.deepEqual(readdirSync(folder), []);
});

test("a lock of a process that is gone is taken over", async () => {
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(file, String(pid));
  await underLock(file, async () => {});
  assert.deepEqual(readdirSync(folder), []);
});
