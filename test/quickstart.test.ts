/** The first thing that anybody tries. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repository, temporaryDirectory } from "./harness/host-process.ts";
import { descendantsOf, isAlive } from "./harness/processes.ts";
import { waitFor } from "./harness/wait-for.ts";

interface Run {
  child: ChildProcess;
  output: () => string;
  exited: Promise<unknown>;
}

/** Its folder is made in `directory`, so that what it leaves behind can be seen. */
function start(directory: string, args: string[]): Run {
  const program = join(repository, "dist", "main.js");
  const child = spawn(process.execPath, [program, "quickstart", ...args], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return { child, output: () => output, exited: once(child, "close") };
}

function summaryOf(output: string): Record<string, number> {
  return JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as Record<string, number>;
}

function numberIn(output: string, pattern: RegExp): number {
  return Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

test("quickstart ends by itself with every line at the other end", async (context) => {
  const directory = await temporaryDirectory(context);
  const { child, output, exited } = start(directory, ["--for", "3"]);
  context.after(() => {
    child.kill("SIGKILL");
  });
  await exited;
  assert.equal(child.exitCode, 0, output());
  const { records_in, records_out, connectors } = summaryOf(output());
  assert.ok((records_in ?? 0) > 0, output());
  assert.equal(records_out, records_in, output());
  assert.equal(connectors, 2);
  assert.deepEqual(await readdir(directory), [], "nothing is left behind");
});

test("quickstart survives the death of a plugin and drains on Ctrl-C", async (context) => {
  const directory = await temporaryDirectory(context);
  const { child, output, exited } = start(directory, []);
  const seen = new Set<number>();
  context.after(() => {
    child.kill("SIGKILL");
    for (const pid of seen) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  const note = () => {
    for (const pid of descendantsOf(child.pid ?? 0)) seen.add(pid);
  };
  const until = (condition: () => boolean, what: string) =>
    waitFor(() => condition() || child.exitCode !== null, { withinMs: 30_000, what }).then(() =>
      assert.ok(condition(), `${what}\n${output()}`),
    );

  await until(() => numberIn(output(), /in sink (\d+)/g) > 0, "lines in the sink file");
  note();
  const pid = numberIn(output(), /source RUNNING \(pid (\d+)\)/g);
  process.kill(pid, "SIGKILL");
  const before = numberIn(output(), /in sink (\d+)/g);
  const another = () => numberIn(output(), /source RUNNING \(pid (\d+)\)/g) !== pid;
  await until(another, "the source in a new process");
  await until(() => numberIn(output(), /in sink (\d+)/g) > before + 100, "lines after the kill");
  note();
  child.kill("SIGINT");
  await exited;
  assert.equal(child.exitCode, 0, output());
  const { records_in = 0, records_out = 0 } = summaryOf(output());
  assert.ok(records_out >= records_in && records_in > 0, output());
  assert.deepEqual(await readdir(directory), [], "nothing is left behind");
  await waitFor(() => [...seen].every((one) => !isAlive(one)), {
    withinMs: 10_000,
    what: "every plugin process to be gone",
  });
});
