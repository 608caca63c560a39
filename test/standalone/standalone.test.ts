import assert from "node:assert/strict";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type HostProcess, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { descendantsOf, isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

const file = "org.apache.kafka.connect.file.FileStream";

function sourceConfig(directory: string, name: string) {
  return {
    "connector.class": `${file}SourceConnector`,
    file: join(directory, `${name}.in`),
    topic: `${name}-lines`,
  };
}

function sinkConfig(directory: string, name: string) {
  return {
    "connector.class": `${file}SinkConnector`,
    file: join(directory, `${name}.out`),
    topics: `${name}-lines`,
  };
}

async function create(host: HostProcess, name: string, config: object): Promise<void> {
  const { status, body } = await host.request("POST", "/connectors", { name, config });
  assert.equal(status, 201, JSON.stringify(body));
}

/** A pair of connectors through which lines of NAME.in become lines of NAME.out. */
async function createPair(host: HostProcess, directory: string, name: string): Promise<void> {
  await appendFile(join(directory, `${name}.in`), "");
  await create(host, `${name}-source`, sourceConfig(directory, name));
  await create(host, `${name}-sink`, sinkConfig(directory, name));
  await host.waitForState(`${name}-source`, "RUNNING");
  await host.waitForState(`${name}-sink`, "RUNNING");
}

async function send(directory: string, name: string, line: string): Promise<void> {
  await appendFile(join(directory, `${name}.in`), `${line}\n`);
  await waitFor(async () => (await linesOf(directory, name)).includes(line), {
    withinMs: 20_000,
    what: `"${line}" to arrive`,
  });
}

async function linesOf(directory: string, name: string): Promise<string[]> {
  const text = await readFile(join(directory, `${name}.out`), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

test("a crash fails the task and its connector with the reason, and leaves the neighbours alone", async (context) => {
  const directory = await temporaryDirectory(context);
  const host = await startHost({ directory });
  context.after(async () => host.kill());
  await createPair(host, directory, "a");
  await createPair(host, directory, "b");
  await send(directory, "a", "first");
  const neighbour = await host.pidOf("b-source");

  process.kill(await host.pidOf("a-source"), "SIGKILL");
  await host.waitForState("a-source", "FAILED");
  const { body } = await host.request("GET", "/connectors/a-source/status");
  assert.match(body.tasks[0].trace, /plugin process \d+ \(file\) was killed by SIGKILL/);
  assert.match(body.connector.trace, /was killed by SIGKILL/);

  await send(directory, "b", "nobody else noticed");
  assert.equal(await host.pidOf("b-source"), neighbour);

  const restart = "/connectors/a-source/restart?includeTasks=true&onlyFailed=true";
  assert.equal((await host.request("POST", restart)).status, 202);
  await host.waitForState("a-source", "RUNNING");
  await send(directory, "a", "second");
  assert.deepEqual(await linesOf(directory, "a"), ["first", "second"], "nothing came twice");
  assert.equal(await host.stop(), 0);
});

test("connectors made over REST, their states and their offsets survive a restart of the host", async (context) => {
  const directory = await temporaryDirectory(context);
  let host = await startHost({ directory });
  context.after(async () => host.kill());
  await createPair(host, directory, "a");
  await create(host, "idle", sinkConfig(directory, "idle"));
  await send(directory, "a", "one");
  assert.equal((await host.request("PUT", "/connectors/idle/pause")).status, 202);
  await host.waitForState("idle", "PAUSED");
  const { body: before } = await host.request("GET", "/");
  assert.equal(await host.stop(), 0);

  host = await startHost({ directory });
  const { body: after } = await host.request("GET", "/");
  assert.equal(after.kafka_cluster_id, before.kafka_cluster_id);
  assert.equal(after.version, "4.1.1");
  await host.waitForState("a-source", "RUNNING");
  await host.waitForState("idle", "PAUSED");
  await send(directory, "a", "two");
  assert.deepEqual(await linesOf(directory, "a"), ["one", "two"], "nothing is read again");
  assert.equal((await host.request("DELETE", "/connectors/idle")).status, 204);
  assert.equal(await host.stop(), 0);

  host = await startHost({ directory });
  assert.deepEqual((await host.request("GET", "/connectors")).body.sort(), ["a-sink", "a-source"]);
  assert.equal(await host.stop(), 0);
});

for (const { per, processes } of [
  { per: "task", processes: 6 },
  { per: "connector", processes: 2 },
  { per: "plugin", processes: 1 },
]) {
  test(`plugin.process.per=${per} puts two sinks of two tasks into ${processes} processes`, async (context) => {
    const directory = await temporaryDirectory(context);
    const host = await startHost({ directory, worker: { "plugin.process.per": per } });
    context.after(async () => host.kill());
    for (const name of ["a", "b"]) {
      await create(host, name, { ...sinkConfig(directory, name), "tasks.max": "2" });
      await host.waitForState(name, "RUNNING");
    }
    // A task that has no status yet is in no answer that says RUNNING.
    const running = async () => (await host.tasks()).filter(({ state }) => state === "RUNNING");
    await waitFor(async () => (await running()).length === 4, { withinMs: 30_000 });
    let pids: readonly number[] = [];
    await waitFor(
      () => {
        pids = descendantsOf(host.pid);
        return pids.length === processes;
      },
      { withinMs: 20_000, what: `${processes} processes` },
    );
    assert.equal(await host.stop(), 0);
    await waitFor(() => !pids.some(isAlive), { withinMs: 20_000, what: "the plugins to end" });
  });
}

test("a paused sink takes nothing and goes on where it was; a stopped connector has no tasks", async (context) => {
  const directory = await temporaryDirectory(context);
  const host = await startHost({ directory });
  context.after(async () => host.kill());
  await createPair(host, directory, "a");
  await send(directory, "a", "one");
  await host.request("PUT", "/connectors/a-sink/pause");
  await host.waitForState("a-sink", "PAUSED");
  await appendFile(join(directory, "a.in"), "two\n");
  await waitFor(
    async () =>
      (await host.tasks()).some(
        (task) => task.connector === "a-source" && task.metrics["source-record-write-total"] === 2,
      ),
    { withinMs: 20_000, what: "the second line to be in the topic" },
  );
  assert.deepEqual(await linesOf(directory, "a"), ["one"]);
  await host.request("PUT", "/connectors/a-sink/resume");
  await waitFor(async () => (await linesOf(directory, "a")).length === 2, { withinMs: 20_000 });

  assert.equal((await host.request("PUT", "/connectors/a-sink/stop")).status, 204);
  const { body } = await host.request("GET", "/connectors/a-sink/status");
  assert.equal(body.connector.state, "STOPPED");
  assert.deepEqual(body.tasks, []);
  await host.request("PUT", "/connectors/a-sink/resume");
  await send(directory, "a", "three");
  assert.deepEqual(await linesOf(directory, "a"), ["one", "two", "three"]);
  assert.equal(await host.stop(), 0);
});

test("what a plugin prints is in the host's log with its connector's name", async (context) => {
  const directory = await temporaryDirectory(context);
  const host = await startHost({ directory });
  context.after(async () => host.kill());
  await appendFile(join(directory, "a.in"), "");
  await create(host, "a-source", sourceConfig(directory, "a"));
  await create(host, "printer", {
    "connector.class": `${file}SinkConnector`,
    topics: "a-lines",
  });
  await host.waitForState("printer", "RUNNING");
  await appendFile(join(directory, "a.in"), "hello from a record\n");
  await waitFor(() => host.log.some((line) => line.includes("hello from a record")), {
    withinMs: 20_000,
    what: "the line in the log",
  });
  const line = host.log.find((one) => one.includes("hello from a record")) ?? "";
  assert.match(line, /"connector":"printer"/);
  assert.equal(await host.stop(), 0);
});

test("the worker's producer settings reach its tasks, and what has no effect is named at the start", async (context) => {
  const directory = await temporaryDirectory(context);
  const worker = {
    "producer.max.request.size": "500",
    "consumer.max.poll.records": "7",
    "offset.storage.file.filename": join(directory, "offsets"),
  };
  const host = await startHost({ directory, worker });
  context.after(async () => host.kill());
  const warning = "known, but without effect in this version: offset.storage.file.filename";
  assert.ok(
    host.log.some((line) => line.includes(warning)),
    host.log.join("\n"),
  );
  await createPair(host, directory, "a");
  await send(directory, "a", "short");
  await appendFile(join(directory, "a.in"), `${"long ".repeat(200)}\n`);
  const taskOf = async () =>
    (await host.request("GET", "/connectors/a-source/status")).body.tasks[0];
  await waitFor(async () => (await taskOf()).state === "FAILED", {
    withinMs: 20_000,
    what: "the record over the limit to fail the task",
  });
  assert.match((await taskOf()).trace, /500/);
  assert.equal(await host.stop(), 0);
});
