import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLogger } from "../observe/logger.ts";
import { LaunchSweep, launchIdOf, programOf } from "./launch-sweep.ts";

for (const { name, environment, expect } of [
  {
    name: "between other variables",
    environment: "A=1\0BULKHEAD_LAUNCH_ID=x-1\0B=2\0",
    expect: "x-1",
  },
  { name: "as the first", environment: "BULKHEAD_LAUNCH_ID=x-1\0", expect: "x-1" },
  { name: "without its closing zero", environment: "BULKHEAD_LAUNCH_ID=x-1", expect: "x-1" },
  {
    name: "not as the value of another",
    environment: "A=BULKHEAD_LAUNCH_ID=x-1\0",
    expect: undefined,
  },
  {
    name: "not at the end of another's name",
    environment: "MY_BULKHEAD_LAUNCH_ID=x\0",
    expect: undefined,
  },
  { name: "not in an environment that cannot be read", environment: "", expect: undefined },
]) {
  test(`a launch id is found ${name}`, () => assert.equal(launchIdOf(environment), expect));
}

test("a log line names the program and none of its arguments", () => {
  assert.equal(programOf("/usr/bin/dump\0--password=secret\0"), "dump");
  assert.equal(programOf(""), "");
});

const silent = createLogger({ level: "silent" });

test("a sweep ends also where nothing is left, nothing can be read, or there is no /proc", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "proc-"));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "17"));
  await mkdir(join(folder, "sys"));
  await mkdir(join(folder, "18"));
  await writeFile(join(folder, "18", "environ"), "BULKHEAD_LAUNCH_ID=another\0");
  const sweep = new LaunchSweep(folder);
  await sweep.end("x-1", silent);
  await Promise.all([sweep.end("x-2", silent), sweep.end("x-2", silent), sweep.end("x-3", silent)]);
  await sweep.idle();
  await new LaunchSweep(join(folder, "nothing")).end("x-1", silent);
});

test("it looks again until nobody is left, and tells of those who do not end", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "proc-"));
  t.after(() => rm(folder, { recursive: true }));
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  const ended = once(child, "exit");
  // This folder goes on to show it, as if there were always one more.
  await mkdir(join(folder, `${child.pid}`));
  await writeFile(join(folder, `${child.pid}`, "environ"), "BULKHEAD_LAUNCH_ID=x-1\0");
  const lines: string[] = [];
  const logger = createLogger({ destination: { write: (line: string) => void lines.push(line) } });
  await new LaunchSweep(folder).end("x-1", logger);
  const [, signal] = await ended;
  assert.equal(signal, "SIGKILL");
  const told = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    told.map(({ level }) => level),
    ["warn", "error"],
  );
  assert.deepEqual(told[1].pids, [child.pid]);
});
