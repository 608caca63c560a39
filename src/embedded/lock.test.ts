import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { holderOf, lockFolder } from "./lock.ts";

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "lock-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const hasProc = (await holderOf(process.pid)).startedAt !== null;

test("a folder is locked once, and again after it was released", async (t) => {
  const directory = await folder(t);
  const lock = await lockFolder(directory);
  await assert.rejects(lockFolder(directory), {
    name: "ConfigError",
    code: "embedded.folder_locked",
    message: `cannot use ${directory} for the embedded log: this process is using it`,
  });
  await lock.release();
  assert.deepEqual(await readdir(directory), []);
  await (await lockFolder(directory)).release();
});

test("the lock of a living process is respected and its pid named", async (t) => {
  const directory = await folder(t);
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  const text = JSON.stringify(await holderOf(child.pid!));
  await writeFile(join(directory, "lock"), text);
  await assert.rejects(lockFolder(directory), {
    message: new RegExp(`cannot use ${directory} .*process ${child.pid} is using it`),
  });
  assert.equal(await readFile(join(directory, "lock"), "utf8"), text);
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await lockFolder(directory)).release();
});

for (const c of [
  { name: "whose pid another process has now", text: { pid: process.pid, startedAt: "boot/1" } },
  { name: "that says nothing", text: "" },
  { name: "that was cut short", text: '{"pi' },
]) {
  test(`a lock ${c.name} is taken over`, async (t) => {
    if (!hasProc && typeof c.text !== "string") return t.skip("needs /proc");
    const directory = await folder(t);
    const text = typeof c.text === "string" ? c.text : JSON.stringify(c.text);
    await writeFile(join(directory, "lock"), text);
    const lock = await lockFolder(directory);
    assert.deepEqual(await readdir(directory), ["lock"]);
    await lock.release();
  });
}

test("a take-over that was cut short is left to a person, who is told which file to delete", async (t) => {
  const directory = await folder(t);
  const dead = JSON.stringify({ pid: 2 ** 30, startedAt: null });
  await writeFile(join(directory, "lock"), dead);
  await writeFile(join(directory, "lock.takeover"), dead);
  await assert.rejects(lockFolder(directory), (error: Error & { hint?: string }) => {
    assert.match(error.message, /died while it took over/);
    assert.match(error.hint ?? "", /lock\.takeover/);
    return true;
  });
});

test("of many that want a dead process' folder one gets it", async (t) => {
  const directory = await folder(t);
  await writeFile(join(directory, "lock"), JSON.stringify({ pid: 2 ** 30, startedAt: null }));
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(directory)));
  assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
});
