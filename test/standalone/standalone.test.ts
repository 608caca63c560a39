import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../harness/host-process.ts";
import { inFolder } from "../harness/log-place.ts";
import { descendantsOf, isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";
import { FilePairs, fileStream } from "./file-pairs.ts";
import { testLives } from "./lives.ts";

testLives(inFolder);

test("connectors made over REST, their states and their offsets survive a restart of the host", async (context) => {
  const directory = await temporaryDirectory(context);
  const start = async () => {
    const started = await FilePairs.start(directory);
    context.after(() => started.host.kill());
    return started;
  };
  let pairs = await start();
  await pairs.createPair("a");
  await pairs.create("idle", pairs.sinkConfig("idle"));
  await pairs.send("a", "one");
  assert.equal((await pairs.host.request("PUT", "/connectors/idle/pause")).status, 202);
  await pairs.host.waitForState("idle", "PAUSED");
  const { body: before } = await pairs.host.request("GET", "/");
  assert.equal(await pairs.host.stop(), 0);

  pairs = await start();
  const { body: after } = await pairs.host.request("GET", "/");
  assert.equal(after.kafka_cluster_id, before.kafka_cluster_id);
  assert.equal(after.version, "4.1.1");
  await pairs.host.waitForState("a-source", "RUNNING");
  await pairs.host.waitForState("idle", "PAUSED");
  await pairs.send("a", "two");
  assert.deepEqual(await pairs.linesOf("a"), ["one", "two"], "nothing is read again");
  assert.equal((await pairs.host.request("DELETE", "/connectors/idle")).status, 204);
  assert.equal(await pairs.host.stop(), 0);

  const { host } = await start();
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
    const pairs = await FilePairs.start(directory, { worker: { "plugin.process.per": per } });
    const { host } = pairs;
    context.after(() => host.kill());
    for (const name of ["a", "b"]) {
      await pairs.create(name, { ...pairs.sinkConfig(name), "tasks.max": "2" });
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

test("what a plugin prints is in the host's log with its connector's name", async (context) => {
  const pairs = await FilePairs.start(await temporaryDirectory(context));
  const { host } = pairs;
  context.after(() => host.kill());
  await pairs.createSource("a");
  await pairs.create("printer", {
    "connector.class": `${fileStream}SinkConnector`,
    topics: "a-lines",
  });
  await host.waitForState("printer", "RUNNING");
  await pairs.append("a", "hello from a record\n");
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
  const pairs = await FilePairs.start(directory, { worker });
  const { host } = pairs;
  context.after(() => host.kill());
  const warning = "known, but without effect in this version: offset.storage.file.filename";
  assert.ok(
    host.log.some((line) => line.includes(warning)),
    host.log.join("\n"),
  );
  await pairs.createPair("a");
  await pairs.send("a", "short");
  await pairs.append("a", `${"long ".repeat(200)}\n`);
  const taskOf = async () =>
    (await host.request("GET", "/connectors/a-source/status")).body.tasks[0];
  await waitFor(async () => (await taskOf()).state === "FAILED", {
    withinMs: 20_000,
    what: "the record over the limit to fail the task",
  });
  assert.match((await taskOf()).trace, /500/);
  assert.equal(await host.stop(), 0);
});
