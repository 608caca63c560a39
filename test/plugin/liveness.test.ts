/** What the host does about plugin processes that are silent, too large, or leave something behind. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { within } from "../../src/base/deadline.ts";
import { compiledProgram } from "../harness/compiled-program.ts";
import { type HostProcess, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { isAlive } from "../harness/processes.ts";
import { noSignal, rawHost, taskStart } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

const unrulyCommand = ["node", compiledProgram("test/fixtures/unruly-plugin.ts")];
const timeoutMs = 2_000;
const memoryMiB = 220;

/** One host, and on it a connector that nothing of all this may concern. */
let host: HostProcess;
let end: () => Promise<void> = async () => {};

before(async () => {
  const cleanups: (() => Promise<void>)[] = [];
  const directory = await temporaryDirectory({ after: (work) => cleanups.push(work) });
  host = await startHost({
    directory,
    worker: {
      "plugin.path": await pluginPath(directory),
      "plugin.heartbeat.timeout.ms": `${timeoutMs}`,
      "plugin.memory.bytes.max": `${memoryMiB * 1_024 * 1_024}`,
      "task.shutdown.graceful.timeout.ms": "1000",
    },
  });
  end = async () => {
    host.kill();
    await host.exited();
    for (const cleanup of cleanups) await cleanup();
  };
  await create("bystander", "counts");
});

after(() => end());

async function pluginPath(directory: string): Promise<string> {
  const folder = join(directory, "plugins", "unruly");
  await mkdir(folder, { recursive: true });
  const manifest = {
    name: "unruly",
    version: "1",
    command: unrulyCommand,
    classes: [{ class: "fixture.Unruly", kind: "source", taskClass: "fixture.Unruly", config: [] }],
  };
  await writeFile(join(folder, "plugin.json"), JSON.stringify(manifest));
  return join(directory, "plugins");
}

async function create(name: string, behaviour: string): Promise<number> {
  const config = { "connector.class": "fixture.Unruly", topic: name, behaviour };
  const { status, body } = await host.request("POST", "/connectors", { name, config });
  assert.equal(status, 201, JSON.stringify(body));
  return host.pidOf(name);
}

async function remove(name: string): Promise<void> {
  const { status } = await host.request("DELETE", `/connectors/${name}`);
  assert.equal(status, 204);
}

/** What the status says of a task whose process the host has killed. */
async function traceOf(name: string, pid: number): Promise<string> {
  await host.waitForState(name, "FAILED");
  const { body } = await host.request("GET", `/connectors/${name}/status`);
  const { trace } = body.tasks[0];
  assert.match(trace, new RegExp(`plugin process ${pid} \\(unruly\\) was killed by the host: it`));
  assert.equal(isAlive(pid), false);
  return trace;
}

async function bystanderCount(): Promise<number> {
  const tasks = await host.tasks();
  const task = tasks.find(({ connector }) => connector === "bystander");
  return task?.metrics["source-record-write-total"] ?? 0;
}

/** Does it, and checks that the bystander's records went on all the while and its process stayed. */
async function beside<T>(work: () => Promise<T>): Promise<T> {
  const pid = await host.pidOf("bystander");
  const first = await bystanderCount();
  const done = await work();
  assert.ok((await bystanderCount()) > first, "the bystander's records stood still");
  assert.equal(await host.pidOf("bystander"), pid);
  return done;
}

test(
  "a process that is silent or too large is killed, and the status says why",
  {
    concurrency: true,
  },
  (t) =>
    beside(async () => {
      await Promise.all([
        t.test("a stopped process, with the time of its last heartbeat", async () => {
          const pid = await create("stopped", "counts");
          process.kill(pid, "SIGSTOP");
          const trace = await traceOf("stopped", pid);
          assert.match(trace, /has sent no heartbeat since \d{4}-\d\d-\d\dT[\d:.]+Z, \d{4} ms ago/);
          assert.match(trace, /longer than plugin\.heartbeat\.timeout\.ms=2000/);
          const told = (line: string) => line.includes("is stalled") && line.includes(`${pid}`);
          await waitFor(() => host.log.some(told), { withinMs: 20_000, what: "a line about it" });
        }),
        t.test("one whose only thread is in an endless loop of user code", async () => {
          const pid = await create("loops", "loops");
          assert.match(await traceOf("loops", pid), /it has sent no heartbeat since/);
        }),
        t.test("one whose memory grows, with the figures", async () => {
          const pid = await create("grows", "grows");
          const figures =
            /it used \d+ MiB of memory, more than plugin\.memory\.bytes\.max=230686720 \(220 MiB\)/;
          assert.match(await traceOf("grows", pid), figures);
        }),
      ]);
      await Promise.all(["stopped", "loops", "grows"].map(remove));
    }),
);

test("I6: a daemon that a plugin left behind ends with the plugin", { concurrency: true }, (t) =>
  beside(async () => {
    await Promise.all([
      t.test("when it is stopped", () => daemonEnds("daemon-a", () => remove("daemon-a"))),
      t.test("when it is killed", () =>
        daemonEnds("daemon-b", async (pid) => {
          process.kill(pid, "SIGKILL");
          await host.waitForState("daemon-b", "FAILED");
        }),
      ),
    ]);
    await remove("daemon-b");
  }),
);

async function daemonEnds(connector: string, endPlugin: (pid: number) => Promise<void>) {
  const pid = await create(connector, "daemon");
  const daemon = await daemonOf(connector);
  assert.equal(isAlive(daemon), true);
  await endPlugin(pid);
  await waitFor(() => !isAlive(daemon), { withinMs: 20_000, what: "the daemon's end" });
  const told = (line: string) =>
    line.includes("left behind") && line.includes(`${daemon}`) && line.includes("sleep");
  await waitFor(() => host.log.some(told), { withinMs: 20_000, what: "a line about it" });
}

async function daemonOf(connector: string): Promise<number> {
  let pid = 0;
  const said = (line: string) => /"daemon (\d+)"/.exec(line);
  await waitFor(
    () => {
      const line = host.log.find((one) => one.includes(`"${connector}"`) && said(one) !== null);
      pid = Number(said(line ?? "")?.[1] ?? 0);
      return pid > 0;
    },
    { withinMs: 20_000, what: "the daemon's pid" },
  );
  return pid;
}

test("time in which the host itself stood still counts for no plugin", async () => {
  const pid = await host.pidOf("bystander");
  const lines = host.log.length;
  process.kill(host.pid, "SIGSTOP");
  // The time that passes is the case itself.
  await wait(timeoutMs * 1.5);
  process.kill(host.pid, "SIGCONT");
  const first = await bystanderCount();
  await waitFor(async () => (await bystanderCount()) > first + 100, {
    withinMs: 20_000,
    what: "the bystander's records",
  });
  assert.equal(await host.pidOf("bystander"), pid);
  assert.ok(!host.log.slice(lines).some((line) => /heartbeat/.test(line)));
});

test("I6: a daemon ends with the host, which waits for none that it cannot find", async (t) => {
  await Promise.all([create("daemon-c", "daemon"), create("daemon-d", "hidden")]);
  const daemon = await daemonOf("daemon-c");
  const hidden = await daemonOf("daemon-d");
  t.after(() => process.kill(hidden, "SIGKILL"));
  assert.equal(await within(host.stop(), 20_000, "late"), 0);
  assert.equal(isAlive(daemon), false);
});

test("with a timeout of 0 a stopped process is shown as stalled, and goes on when it is continued", async (t) => {
  const { processes, log, manifest } = await rawHost(t, {
    // A busy machine holds up no process for six of these, after which it is stalled.
    heartbeatIntervalMs: 400,
    heartbeatTimeoutMs: 0,
    calls: {
      readOffsets: async (_connector, partitions) => partitions.map(() => null),
      requestTaskReconfiguration: () => {},
      raiseError: () => {},
    },
  });
  const lease = await processes.acquire(
    { plugin: { ...manifest("", unrulyCommand), name: "unruly" }, connector: "alpha" },
    noSignal,
  );
  const start = { ...taskStart("source"), className: "fixture.Unruly", taskConfig: {} };
  const connectorConfig = { name: "alpha", topic: "t", behaviour: "counts" };
  const stream = await lease.process.startSourceTask({ ...start, connectorConfig }, noSignal);
  const view = () => processes.processes().find(({ pid }) => pid === lease.process.pid);
  const idle = () => view()?.tasks[0]?.activity === "idle";
  await waitFor(idle, { withinMs: 20_000, what: "a heartbeat that tells of the task" });
  assert.equal(view()?.stalled, false);

  process.kill(lease.process.pid, "SIGSTOP");
  await waitFor(() => view()?.stalled === true, { withinMs: 20_000, what: "it to be stalled" });
  const { at, sinceHeartbeatMs, tasks } = view() ?? {};
  assert.equal(at, "ready");
  assert.ok(Number(sinceHeartbeatMs) >= 500, `${sinceHeartbeatMs} ms`);
  assert.ok(Number(tasks?.[0]?.activityMs) >= 500, "what it did last it is taken to do still");
  await waitFor(() => Number(view()?.sinceHeartbeatMs) > 1_500, { withinMs: 20_000 });

  process.kill(lease.process.pid, "SIGCONT");
  await waitFor(() => view()?.stalled === false, {
    withinMs: 20_000,
    what: "it to be fresh again",
  });
  stream.credit(1_000, 1_000_000);
  assert.equal((await stream.next())?.at, "records");
  const again = "sends heartbeats again";
  await waitFor(() => log.find(again) !== undefined, { withinMs: 20_000, what: "a line about it" });
  for (const text of [again, "is stalled"]) {
    const told = log.lines.filter(({ msg }) => String(msg).includes(text));
    assert.equal(told.length, 1, text);
    assert.deepEqual([told[0]?.["pid"], told[0]?.["plugin"]], [lease.process.pid, "unruly"]);
  }
});
