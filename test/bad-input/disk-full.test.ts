/** A full disk under the embedded log: who writes fails with a sentence, everybody else goes on. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type HostProcess, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";
import { assertNothingLeft, ownEnvironment } from "./program.ts";

async function create(host: HostProcess, name: string, config: Record<string, string>) {
  const { status, body } = await host.request("POST", "/connectors", { name, config });
  assert.equal(status, 201, JSON.stringify(body));
}

/** A pair through which the lines of NAME.in become those of NAME.out. */
async function createPair(host: HostProcess, directory: string, name: string): Promise<void> {
  const [from, to] = [join(directory, `${name}.in`), join(directory, `${name}.out`)];
  await appendFile(from, "");
  const topic = `${name}-lines`;
  await create(host, `${name}-source`, {
    "connector.class": "FileStreamSource",
    file: from,
    topic,
  });
  await create(host, `${name}-sink`, {
    "connector.class": "FileStreamSink",
    file: to,
    topics: topic,
  });
}

async function waitForLine(directory: string, name: string, line: string): Promise<void> {
  await waitFor(
    async () => {
      const text = await readFile(join(directory, `${name}.out`), "utf8").catch(() => "");
      return text.split("\n").includes(line);
    },
    { withinMs: 20_000, what: `"${line}" in ${name}.out` },
  );
}

/** The trace of a connector's first task, once that has failed. */
async function failureOf(host: HostProcess, connector: string): Promise<string> {
  let task: { state: string; trace: string } | undefined;
  await waitFor(
    async () => {
      const { body } = await host.request("GET", `/connectors/${connector}/status`);
      task = body.tasks?.[0];
      return task?.state === "FAILED";
    },
    { withinMs: 20_000, what: `the task of ${connector} to fail` },
  );
  return task?.trace ?? "";
}

/** What the status says: what was done to which thing, why it failed, what to do. */
function assertTold(trace: string, what: string, directory: string): void {
  const [line = ""] = trace.split("\n");
  assert.ok(line.includes(`cannot ${what}: no room is left for the embedded log in`), trace);
  assert.ok(line.includes(join(directory, "log")), trace);
  assert.match(line, /; Free some space on the disk of .*restart what failed/);
  assert.doesNotMatch(trace, /\n +at /, "where in the host says nothing to a user");
}

async function start(
  context: TestContext,
  directory: string,
  through: readonly string[] = [],
): Promise<HostProcess> {
  const worker = { "embedded.segment.bytes": String(64 * 1024), "offset.flush.interval.ms": "100" };
  const env = await ownEnvironment(directory);
  const host = await startHost({ directory, worker, env, through });
  context.after(() => host.kill());
  return host;
}

test("a topic that cannot grow fails its writer alone, and what it has is still read", async (context) => {
  if (!existsSync("/dev/full")) return context.skip("this system has no /dev/full");
  const directory = await temporaryDirectory(context);
  const host = await start(context, directory);
  await createPair(host, directory, "free");
  await createPair(host, directory, "full");
  const large = "x".repeat(60_000);
  await appendFile(join(directory, "full.in"), `${large}\n`);
  await waitForLine(directory, "full", large);
  // What comes next has no room in the first segment. The second is on a disk that is always full.
  const partition = join(directory, "log", "topics", "full-lines", "0");
  const segment = join(partition, `${"1".padStart(20, "0")}.log`);
  await symlink("/dev/full", segment);
  await appendFile(join(directory, "full.in"), `${large.toUpperCase()}\n`);
  assertTold(await failureOf(host, "full-source"), "write to full-lines-0", directory);

  await appendFile(join(directory, "free.in"), "goes on\n");
  await waitForLine(directory, "free", "goes on");
  for (const name of ["free-source", "free-sink", "full-sink"]) {
    await host.waitForState(name, "RUNNING");
  }
  await create(host, "late-sink", {
    "connector.class": "FileStreamSink",
    file: join(directory, "late.out"),
    topics: "full-lines",
  });
  await waitForLine(directory, "late", large);

  await rm(segment);
  const restart = "/connectors/full-source/restart?includeTasks=true&onlyFailed=true";
  assert.equal((await host.request("POST", restart)).status, 202);
  await waitForLine(directory, "full", large.toUpperCase());
  assert.equal(await host.stop(), 0);
  await assertNothingLeft(directory);
});

test("a disk that is full fails who fills it, and the others go on", async (context) => {
  const directory = await temporaryDirectory(context);
  const disk = join(directory, "log");
  await mkdir(disk);
  // The disk is in the host's own mount namespace: it goes when the host does.
  const through = onSmallDisk(disk);
  const [first = "", ...rest] = through;
  if (spawnSync(first, [...rest, "true"]).status !== 0) {
    return context.skip("needs unshare and the right to mount a tmpfs");
  }
  const host = await start(context, directory, through);
  await createPair(host, directory, "free");
  await create(host, "greedy", { "connector.class": "bench.DatagenSource", topic: "all" });
  assertTold(await failureOf(host, "greedy"), "write to all-0", directory);
  // Whose file needs a page next is chance: somebody frees some space, as the message says.
  await rm(join("/proc", String(host.pid), "root", disk, "ballast"));

  await appendFile(join(directory, "free.in"), "goes on\n");
  await waitForLine(directory, "free", "goes on");
  await create(host, "late-sink", {
    "connector.class": "bench.NullSink",
    topics: "all",
    "count.file": join(directory, "count"),
  });
  await waitFor(
    async () =>
      (await host.tasks()).some(
        ({ connector, metrics }) =>
          connector === "late-sink" && (metrics["sink-record-read-total"] ?? 0) > 1_000,
      ),
    { withinMs: 20_000, what: "the records that were stored" },
  );
  assert.equal(await host.stop(), 0);
  await assertNothingLeft(directory);
});

/** Of its 4 MiB, a file `ballast` takes a quarter. */
function onSmallDisk(mountPoint: string): string[] {
  const fill = 'dd if=/dev/zero of="$0/ballast" bs=1024 count=1024 2>/dev/null';
  const script = `mount -t tmpfs -o size=4m tmpfs "$0" && ${fill} && exec "$@"`;
  return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, mountPoint];
}
