import assert from "node:assert/strict";
import { test } from "node:test";
import { FencedError } from "../../src/base/error.ts";
import { connectorName } from "../../src/state/id.ts";
import { LogLines } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";
import { sourceConfig, startControlHost } from "./control-host.ts";

const id = { connector: connectorName("x"), task: 0 };
const start = {
  id,
  connectorConfig: sourceConfig,
  taskConfig: {},
  taskCount: 1,
  target: "STARTED",
} as const;

test("I4: a second task of one name is refused, and so is one older than what ran", async () => {
  await using host = await startControlHost();
  const { worker } = host;
  worker.startTask({ ...start, generation: 5 });
  for (const generation of [4, 5, 6]) {
    assert.throws(
      () => worker.startTask({ ...start, generation }),
      (error) => error instanceof FencedError && error.code === "worker.task_alive",
    );
  }
  worker.stopTask(id, "UNASSIGNED");
  await waitFor(() => worker.running().tasks.size === 0, { withinMs: 20_000 });
  assert.throws(
    () => worker.startTask({ ...start, generation: 4 }),
    (error) => error instanceof FencedError && error.code === "worker.generation_old",
  );
  worker.startTask({ ...start, generation: 5 });
});

const failures = [
  {
    name: "of a set that is too large",
    over: { taskCount: 2 },
    trace: /^The connector x has generated 2 tasks/,
    version: "4.1.1",
  },
  {
    name: "whose class is gone",
    over: { connectorConfig: { "connector.class": "gone.Source" } },
    trace: /Failed to find any class .* matches gone\.Source; put its plugin/,
    version: null,
  },
];

for (const { name, over, trace, version } of failures) {
  test(`a task ${name} fails at its start`, async () => {
    await using host = await startControlHost();
    host.worker.startTask({ ...start, ...over, generation: 1 });
    // The loop, which knows of no such task, takes it away again: the topic remembers.
    const said = () => host.topics.texts("connect-status")[0];
    await waitFor(() => said() !== undefined, { withinMs: 20_000 });
    const status = JSON.parse(said()?.value ?? "");
    assert.equal(status.state, "FAILED");
    assert.match(status.trace, trace);
    assert.equal(status.version, version);
  });
}

test("the log says once when something runs, is paused and has ended", async () => {
  const log = new LogLines();
  await using host = await startControlHost({ logger: log.logger });
  const told = (who: string) =>
    log.lines.map(({ msg }) => String(msg)).filter((text) => text.startsWith(`${who} `));
  await host.herder.create("x", sourceConfig, undefined);
  await host.untilStates("x", "RUNNING RUNNING");
  await host.herder.pause("x");
  await host.untilStates("x", "PAUSED PAUSED");
  await host.herder.pause("x");
  await host.herder.delete("x");
  await waitFor(() => host.worker.running().tasks.size === 0, { withinMs: 20_000 });
  await waitFor(() => host.worker.running().connectors.size === 0, { withinMs: 20_000 });
  for (const who of ["connector x", "task x-0"]) {
    assert.deepEqual(told(who), [`${who} is running`, `${who} is paused`, `${who} has ended`]);
  }
});

test("calls about instances that do not run here change nothing", async () => {
  await using host = await startControlHost();
  const { worker } = host;
  worker.stopTask(id, "RESTARTING");
  worker.setTaskTarget(id, "PAUSED");
  worker.stopConnector(id.connector, "UNASSIGNED");
  worker.failConnector(id.connector, new Error("x"));
  await assert.rejects(worker.taskConfigs(id.connector, 1, []), { code: "connector.not_started" });
  assert.equal(worker.connectorPid(id.connector), undefined);
  assert.deepEqual(worker.tasks(), []);
  assert.equal(worker.running().connectors.size + worker.running().tasks.size, 0);
});
