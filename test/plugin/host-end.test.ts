/** I6: what a host leaves behind when it ends without closing anything. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { launchVariable, newLaunchId, sweepNow } from "../../src/plugin/launch-sweep.ts";
import { hasProc } from "../../src/plugin/process-usage.ts";
import { makeSocketFolder } from "../../src/plugin/socket-folder.ts";
import { isAlive } from "../harness/processes.ts";
import { rawProgram } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

const program = fileURLToPath(new URL("../fixtures/raw-host.ts", import.meta.url));

for (const { name, ending } of [
  { name: "a host that exits takes its plugins with it, also stubborn ones", ending: "exit" },
  { name: "a plugin of a killed host ends by itself, as its stdin does", ending: "be killed" },
]) {
  test(name, async (t) => {
    // A folder of its own, so that other hosts' sockets are not counted.
    const before = process.env["TMPDIR"];
    const directory = mkdtempSync(join(tmpdir(), "host-end-"));
    process.env["TMPDIR"] = directory;
    t.after(() => {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
      rmSync(directory, { recursive: true });
    });
    const args = ["--import", import.meta.resolve("tsx"), program, ending, rawProgram(), tmpdir()];
    const host = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    // Its exit may be told before its last words.
    const exited = once(host, "exit");
    const [line] = await once(host.stdout, "data");
    const pid = Number(String(line));
    assert.ok(pid > 0);
    t.after(() => isAlive(pid) && process.kill(pid, "SIGKILL"));
    if (ending === "be killed") {
      assert.equal(isAlive(pid), true);
      host.kill("SIGKILL");
    }
    await exited;
    await waitFor(() => !isAlive(pid), { withinMs: 20_000, what: "the plugin's end" });
    assert.equal(socketFolders().length, ending === "be killed" ? 1 : 0);
    // What the dead host could not remove itself, a later one does; at once it may be one that starts.
    const left = socketFolders();
    await (await makeSocketFolder()).remove();
    assert.deepEqual(socketFolders(), left);
    const past = new Date(Date.now() - 61_000);
    for (const name of left) utimesSync(join(directory, name), past, past);
    await (await makeSocketFolder()).remove();
    assert.deepEqual(socketFolders(), []);
  });
}

test("what a host that exits still finds of its launches is killed at once, and nothing else", {
  skip: !hasProc() && "needs /proc",
}, async (t) => {
  const launchIds = [newLaunchId(), newLaunchId()] as const;
  const sleepers = launchIds.map((launchId) => {
    const env = { PATH: process.env["PATH"], [launchVariable]: launchId };
    const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore", env });
    t.after(() => child.kill("SIGKILL"));
    return child;
  });
  await Promise.all(sleepers.map((child) => once(child, "spawn")));
  sweepNow(new Set([launchIds[0]]));
  const [code, signal] = await once(sleepers[0] as ChildProcess, "exit");
  assert.deepEqual([code, signal], [null, "SIGKILL"]);
  assert.equal(isAlive(sleepers[1]?.pid ?? 0), true);
});

function socketFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("bulkhead-plugins-"));
}
