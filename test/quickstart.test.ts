/** The first thing that anybody tries. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, type FileHandle, open, readdir } from "node:fs/promises";
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

/** Its two files, opened while it runs: they can be read on when it has removed its folder. */
async function openFiles(
  run: Run,
): Promise<{ path: string; source: FileHandle; sink: FileHandle }> {
  const folder = () => /log in (.*)\/host\.log/.exec(run.output())?.[1];
  const isThere = async () => {
    const path = folder();
    return path !== undefined && (await readdir(path)).includes("copy.txt");
  };
  await waitFor(isThere, { withinMs: 30_000, what: "the sink file" });
  const path = join(folder() ?? "", "lines.txt");
  return { path, source: await open(path), sink: await open(join(folder() ?? "", "copy.txt")) };
}

async function linesOf(file: FileHandle): Promise<string[]> {
  const lines = (await file.readFile("utf8")).split("\n");
  await file.close();
  assert.equal(lines.pop(), "", "the last line is whole");
  return lines;
}

test("quickstart ends by itself with every line at the other end", async (context) => {
  const directory = await temporaryDirectory(context);
  const run = start(directory, ["--for", "3"]);
  const { child, output, exited } = run;
  context.after(() => {
    child.kill("SIGKILL");
  });
  const { path, source, sink } = await openFiles(run);
  await appendFile(path, "by hand\n");
  await exited;
  assert.equal(child.exitCode, 0, output());
  const { records_in, records_out, connectors } = summaryOf(output());
  assert.ok((records_in ?? 0) > 0, output());
  assert.equal(records_out, records_in, output());
  assert.equal(connectors, 2);
  const lines = await linesOf(source);
  assert.equal(lines.length, records_in);
  assert.ok(lines.includes("by hand"));
  assert.deepEqual(await linesOf(sink), lines);
  assert.deepEqual(await readdir(directory), [], "nothing is left behind");
});

test("quickstart survives the death of a plugin and drains on Ctrl-C", async (context) => {
  const directory = await temporaryDirectory(context);
  const run = start(directory, []);
  const { child, output, exited } = run;
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

  const { path, source, sink } = await openFiles(run);
  await until(() => numberIn(output(), /in sink (\d+)/g) > 0, "lines in the sink file");
  note();
  const pid = numberIn(output(), /source RUNNING \(pid (\d+)\)/g);
  process.kill(pid, "SIGKILL");
  const before = numberIn(output(), /in sink (\d+)/g);
  const another = () => numberIn(output(), /source RUNNING \(pid (\d+)\)/g) !== pid;
  await until(another, "the source in a new process");
  await until(() => numberIn(output(), /in sink (\d+)/g) > before + 100, "lines after the kill");
  // Now there are many more records than quickstart itself has appended, and the source has to start
  // again before it can read the last lines.
  const typed = Array.from({ length: 5_000 }, (_, n) => `by hand ${n}`);
  await appendFile(path, `${typed.join("\n")}\n`);
  await until(() => numberIn(output(), /in sink (\d+)/g) > 5_000, "the lines added by hand");
  note();
  process.kill(numberIn(output(), /source RUNNING \(pid (\d+)\)/g), "SIGKILL");
  await appendFile(path, "by hand, the last\n");
  child.kill("SIGINT");
  await exited;
  assert.equal(child.exitCode, 0, output());
  const { records_in = 0, records_out = 0 } = summaryOf(output());
  assert.ok(records_out >= records_in && records_in > 0, output());
  const lines = await linesOf(source);
  assert.ok(lines.includes("by hand, the last"));
  assert.deepEqual([...new Set(await linesOf(sink))], lines, "all lines, first ones in order");
  assert.deepEqual(await readdir(directory), [], "nothing is left behind");
  await waitFor(() => [...seen].every((one) => !isAlive(one)), {
    withinMs: 20_000,
    what: "every plugin process to be gone",
  });
});
