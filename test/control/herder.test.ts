import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import { ConfigError, RequestError, TaskError } from "../../src/base/error.ts";
import type { Herder } from "../../src/herder/herder.ts";
import { connectorName } from "../../src/state/id.ts";
import { encodeConnector } from "../../src/store/config-codec.ts";
import { restartBounds } from "../../src/worker/restart-policy.ts";
import { FakeClock } from "../harness/fake-clock.ts";
import { waitFor } from "../harness/wait-for.ts";
import { sinkConfig, sourceConfig, startControlHost } from "./control-host.ts";
import { pluginError } from "./fake-plugin.ts";

test("a connector is created with its tasks, runs and is deleted", async () => {
  // It starts without waiting for timers: no time passes here.
  await using host = await startControlHost({ clock: new FakeClock() });
  const { herder, plugin } = host;
  const info = await herder.create("a", sinkConfig, undefined);
  assert.deepEqual(info, {
    name: "a",
    config: { ...sinkConfig, name: "a" },
    tasks: [
      { connector: "a", task: 0 },
      { connector: "a", task: 1 },
    ],
    type: "sink",
  });
  await host.untilStates("a", "RUNNING RUNNING,RUNNING");
  assert.deepEqual(await herder.tasks("a"), [
    {
      id: { connector: "a", task: 0 },
      config: { part: "0", "task.class": "fake.Task", topics: "t" },
    },
    {
      id: { connector: "a", task: 1 },
      config: { part: "1", "task.class": "fake.Task", topics: "t" },
    },
  ]);
  await herder.delete("a");
  assert.equal(host.states("a"), "none");
  assert.deepEqual(herder.connectors(), []);
  assert.equal(plugin.count("stop a"), 1);
  assert.equal(plugin.count("release a"), 1);
  assert.equal(plugin.alive, 0);
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
});

test("only what is new and shall start may have its process ahead of the check", async () => {
  await using host = await startControlHost();
  const { herder, announced } = host;
  await assert.rejects(herder.create("a", { ...sourceConfig, bad: "1" }, undefined));
  await herder.create("a", sourceConfig, undefined);
  await herder.putConfig("b", sourceConfig);
  assert.deepEqual(announced.splice(0), Array(3).fill(sourceConfig["connector.class"]));
  await assert.rejects(herder.create("a", sourceConfig, undefined));
  await herder.putConfig("b", { ...sourceConfig, "tasks.max": "1" });
  await herder.create("c", sourceConfig, "PAUSED");
  await herder.create("d", sourceConfig, "STOPPED");
  assert.deepEqual(announced, []);
});

const refusals: {
  name: string;
  act: (herder: Herder) => unknown;
  status: number;
  message: string;
}[] = [
  {
    name: "a name is taken",
    act: (herder) => herder.create("a", sourceConfig, undefined),
    status: 409,
    message: "Connector a already exists",
  },
  {
    name: "a config is invalid, also for a name that is taken",
    act: (herder) => herder.create("a", { ...sourceConfig, bad: "1" }, undefined),
    status: 400,
    message:
      "Connector configuration is invalid and contains the following 1 error(s):\nbad is bad\n" +
      "You can also find the above list of errors at the endpoint " +
      "`/connector-plugins/{connectorType}/config/validate`",
  },
  {
    name: "an unknown connector is shown",
    act: (herder) => herder.connector("no"),
    status: 404,
    message: "Connector no not found",
  },
  {
    name: "the config of an unknown connector is read",
    act: (herder) => herder.config("no"),
    status: 404,
    message: "Connector no not found",
  },
  {
    name: "the tasks of an unknown connector are listed",
    act: (herder) => herder.tasks("no"),
    status: 404,
    message: "Connector no not found",
  },
  {
    name: "an unknown connector is deleted",
    act: (herder) => herder.delete("no"),
    status: 404,
    message: "Connector no not found",
  },
  {
    name: "the status of an unknown connector is read",
    act: async (herder) => herder.status("no"),
    status: 404,
    message: "No status found for connector no",
  },
  {
    name: "the status of an unknown task is read",
    act: async (herder) => herder.taskStatus("a", 7),
    status: 404,
    message: "No status found for task a-7",
  },
  {
    name: "an unknown connector is paused",
    act: (herder) => herder.pause("no"),
    status: 404,
    message: "Unknown connector no",
  },
  {
    name: "an unknown connector is resumed",
    act: (herder) => herder.resume("no"),
    status: 404,
    message: "Unknown connector no",
  },
  {
    name: "an unknown connector is stopped",
    act: (herder) => herder.stop("no"),
    status: 500,
    message: "No connector `no` configured",
  },
  {
    name: "an unknown connector is restarted",
    act: (herder) => herder.restart("no", { includeTasks: false, onlyFailed: false }),
    status: 500,
    message: "Cannot restart connector no: it does not exist",
  },
  {
    name: "an unknown connector is restarted with a plan",
    act: (herder) => herder.restart("no", { includeTasks: true, onlyFailed: false }),
    status: 404,
    message: "Unknown connector: no",
  },
  {
    name: "a task of an unknown connector is restarted",
    act: (herder) => herder.restartTask("no", 0),
    status: 500,
    message: "Failed to start task no-0 since it is not a recognizable type (source or sink)",
  },
  {
    name: "an unknown task is restarted",
    act: (herder) => herder.restartTask("a", 7),
    status: 404,
    message: "Task a-7 not found",
  },
];

test("what cannot be done is refused with Connect's code and words, and changes nothing", async (t) => {
  await using host = await startControlHost();
  await host.herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  const written = host.topics.records("connect-configs").length;
  for (const { name, act, status, message } of refusals) {
    await t.test(name, async () => {
      await assert.rejects(
        async () => act(host.herder),
        (error) => {
          assert.equal(error instanceof RequestError ? error.status : 400, status);
          assert.ok(error instanceof RequestError || error instanceof ConfigError);
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }
  assert.equal(host.topics.records("connect-configs").length, written);
  assert.equal(host.states("a"), "RUNNING RUNNING");
});

test("of two creations of one name at the same time one wins", async () => {
  await using host = await startControlHost();
  const both = await Promise.allSettled([
    host.herder.create("a", sourceConfig, undefined),
    host.herder.create("a", sinkConfig, undefined),
  ]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a config that changes restarts the connector and its tasks", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  const first = await herder.putConfig("a", sinkConfig);
  assert.equal(first.created, true);
  await host.untilStates("a", "RUNNING RUNNING,RUNNING");
  const second = await herder.putConfig("a", { ...sinkConfig, "tasks.max": "1" });
  assert.equal(second.created, false);
  assert.deepEqual(second.info.tasks, [{ connector: "a", task: 0 }]);
  await host.untilStates("a", "RUNNING RUNNING");
  assert.equal(plugin.count("start a"), 2);
  assert.equal(plugin.count("task start a-0"), 2);
  assert.equal(plugin.count("task stop a-1"), 1);
});

test("a config written again as it is restarts the connector but no task", async () => {
  await using host = await startControlHost();
  const { herder, plugin, topics } = host;
  await herder.putConfig("a", sourceConfig);
  await host.untilStates("a", "RUNNING RUNNING");
  const { info } = await herder.putConfig("a", sourceConfig);
  assert.equal(info.tasks.length, 1);
  assert.equal(plugin.count("start a"), 2);
  assert.equal(plugin.count("task start a-0"), 1);
  const commits = topics.texts("connect-configs").filter(({ key }) => key === "commit-a");
  assert.equal(commits.length, 1);
});

test("a change that only the host reads restarts tasks whose own configs are the same", async () => {
  await using host = await startControlHost();
  await host.herder.putConfig("a", sourceConfig);
  await host.untilStates("a", "RUNNING RUNNING");
  await host.herder.putConfig("a", { ...sourceConfig, "value.converter": "String" });
  await waitFor(() => host.plugin.count("task start a-0") === 2, { withinMs: 20_000 });
});

test("pause keeps the tasks in place, resume makes their configs again", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  await herder.pause("a");
  await herder.pause("a");
  await host.untilStates("a", "PAUSED PAUSED");
  assert.equal(plugin.count("stop a"), 1);
  assert.equal(plugin.count("task stop a-0"), 0);
  await herder.resume("a");
  await host.untilStates("a", "RUNNING RUNNING");
  assert.equal(plugin.count("start a"), 2);
  await waitFor(() => plugin.count("configs a 1") === 2, { withinMs: 20_000 });
  assert.equal(plugin.count("task start a-0"), 1);
});

test("stop ends the tasks, and each state can be left for each other", async () => {
  await using host = await startControlHost();
  const { herder, plugin, topics } = host;
  await herder.create("a", sinkConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING,RUNNING");
  await herder.stop("a");
  assert.equal(plugin.alive, 0);
  assert.equal(host.states("a"), "STOPPED");
  await assert.rejects(herder.restartTask("a", 0), { message: "Task a-0 not found" });
  await herder.stop("a");
  assert.deepEqual(await herder.tasks("a"), []);
  assert.deepEqual(topics.texts("connect-configs").slice(-2), [
    { key: "commit-a", value: '{"tasks":0}' },
    { key: "target-state-a", value: '{"state":"PAUSED","state.v2":"STOPPED"}' },
  ]);
  await herder.pause("a");
  await host.untilStates("a", "PAUSED");
  await herder.resume("a");
  await host.untilStates("a", "RUNNING RUNNING,RUNNING");
});

for (const { initial, states } of [
  { initial: "STARTED", states: "RUNNING RUNNING" },
  { initial: "PAUSED", states: "PAUSED" },
  { initial: "STOPPED", states: "STOPPED" },
] as const) {
  test(`a connector created as ${initial} is ${states}`, async () => {
    await using host = await startControlHost();
    const { herder, plugin } = host;
    const { tasks } = await herder.create("a", sourceConfig, initial);
    assert.equal(tasks.length, initial === "STARTED" ? 1 : 0);
    await host.untilStates("a", states);
    assert.equal(plugin.count("start a"), initial === "STARTED" ? 1 : 0);
    await herder.resume("a");
    await host.untilStates("a", "RUNNING RUNNING");
    await herder.delete("a");
    assert.equal(host.states("a"), "none");
  });
}

test("a connector that fails in its start is refused with its words and stays listed as FAILED", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  plugin.startErrors.set("a", pluginError("Invalid value x for configuration y"));
  await assert.rejects(herder.create("a", sourceConfig, undefined), {
    status: 500,
    message: "Invalid value x for configuration y",
  });
  assert.deepEqual(herder.connectors(), ["a"]);
  await host.untilStates("a", "FAILED");
  const { connector } = herder.status("a");
  assert.equal(connector.trace, "fake.Exception: Invalid value x for configuration y\n\tat fake");
  await assert.rejects(herder.restart("a", { includeTasks: false, onlyFailed: false }), {
    status: 500,
    message: "Invalid value x for configuration y",
  });
  await herder.stop("a");
  await host.untilStates("a", "STOPPED");
  plugin.startErrors.clear();
  await herder.resume("a");
  await host.untilStates("a", "RUNNING RUNNING");
});

test("a connector that makes too many tasks fails and its running tasks go on", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  plugin.taskCounts.set("a", 2);
  await assert.rejects(herder.putConfig("a", { ...sourceConfig, x: "1" }), {
    status: 500,
    message: /^The connector a has generated 2 tasks, which is greater than 1, the maximum/,
  });
  await host.untilStates("a", "FAILED RUNNING");
  await herder.putConfig("a", { ...sourceConfig, "tasks.max.enforce": "false" });
  await host.untilStates("a", "RUNNING RUNNING,RUNNING");
});

test("task configs that cannot be made are tried again with growing delays", async () => {
  const clock = new FakeClock();
  await using host = await startControlHost({ clock });
  const { herder, plugin } = host;
  plugin.taskConfigErrors.set("a", pluginError("no tables"));
  await assert.rejects(herder.create("a", sourceConfig, undefined), { message: "no tables" });
  await waitFor(() => clock.sleepsMs[0] === 250, { withinMs: 20_000 });
  clock.pass(250);
  await waitFor(() => clock.sleepsMs[0] === 500, { withinMs: 20_000 });
  plugin.taskConfigErrors.clear();
  clock.pass(500);
  await host.untilStates("a", "RUNNING RUNNING");
});

test("a connector that asks for it gets its tasks made again", async () => {
  await using host = await startControlHost();
  const { herder, plugin, worker } = host;
  await herder.create("a", { ...sourceConfig, "tasks.max": "3" }, undefined);
  await host.untilStates("a", "RUNNING RUNNING,RUNNING,RUNNING");
  plugin.taskCounts.set("a", 2);
  worker.requestTaskReconfiguration("a");
  await host.untilStates("a", "RUNNING RUNNING,RUNNING");
  worker.requestTaskReconfiguration("unknown");
});

const restarts = [
  { includeTasks: true, onlyFailed: false, hit: ["connector", "a-0", "a-1"] },
  { includeTasks: false, onlyFailed: true, hit: [] },
  { includeTasks: true, onlyFailed: true, hit: ["a-1"] },
];

for (const { includeTasks, onlyFailed, hit } of restarts) {
  test(`restart with includeTasks=${includeTasks} and onlyFailed=${onlyFailed} hits ${hit.join(" ") || "nothing"}`, async () => {
    await using host = await startControlHost();
    const { herder, plugin } = host;
    await herder.create("a", sinkConfig, undefined);
    await host.untilStates("a", "RUNNING RUNNING,RUNNING");
    plugin.failTask("a-1", pluginError("boom"));
    await host.untilStates("a", "RUNNING RUNNING,FAILED");
    const answer = await herder.restart("a", { includeTasks, onlyFailed });
    const word = (name: string, state: string) => (hit.includes(name) ? "RESTARTING" : state);
    assert.equal(answer?.connector.state, word("connector", "RUNNING"));
    assert.deepEqual(
      answer?.tasks.map(({ state }) => state),
      [word("a-0", "RUNNING"), word("a-1", "FAILED")],
    );
    assert.equal(answer?.tasks[1]?.trace, "fake.Exception: boom\n\tat fake");
    await host.untilStates("a", `RUNNING RUNNING,${hit.includes("a-1") ? "RUNNING" : "FAILED"}`);
    await herder.ping();
    assert.equal(plugin.count("start a"), hit.includes("connector") ? 2 : 1);
    assert.equal(plugin.count("task start a-0"), hit.includes("a-0") ? 2 : 1);
    assert.equal(plugin.count("task start a-1"), hit.includes("a-1") ? 2 : 1);
  });
}

test("the plain restart restarts the connector alone and answers when it runs", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  assert.equal(await herder.restart("a", { includeTasks: false, onlyFailed: false }), undefined);
  assert.equal(plugin.count("start a"), 2);
  assert.equal(plugin.count("task start a-0"), 1);
  await host.untilStates("a", "RUNNING RUNNING");
});

test("a task that failed keeps its trace until it is restarted", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  plugin.taskErrors.set("a-0", pluginError("no such folder"));
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING FAILED");
  assert.deepEqual(herder.taskStatus("a", 0), {
    id: 0,
    state: "FAILED",
    worker_id: "here:8083",
    version: "4.1.1",
    trace: "fake.Exception: no such folder\n\tat fake",
  });
  await herder.pause("a");
  await herder.resume("a");
  await host.untilStates("a", "RUNNING FAILED");
  plugin.taskErrors.clear();
  await herder.restartTask("a", 0);
  assert.equal(herder.taskStatus("a", 0).trace, undefined, "the old state is gone at once");
  await host.untilStates("a", "RUNNING RUNNING");
});

test("a connector whose process dies is FAILED with the reason and its last words", async () => {
  await using host = await startControlHost();
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  plugin.exit("a");
  await host.untilStates("a", "FAILED RUNNING");
  assert.equal(
    herder.status("a").connector.trace,
    "plugin process 4711 (fake) was killed by SIGKILL; its last lines on stderr:\noh\nno",
  );
  await herder.restart("a", { includeTasks: true, onlyFailed: true });
  await host.untilStates("a", "RUNNING RUNNING");
  assert.equal(plugin.count("task start a-0"), 1);
});

test("a connector that says it has failed is FAILED with its trace, its tasks untouched", async () => {
  await using host = await startControlHost();
  await host.herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  host.worker.raiseError("a", {
    code: "internal",
    class: "fatal",
    text: "lost the leader",
    hint: "",
    exceptionClass: "fake.Lost",
    stack: "",
    causes: [],
  });
  await host.untilStates("a", "FAILED RUNNING");
  assert.equal(host.herder.status("a").connector.trace, "fake.Lost: lost the leader");
});

test("a connector that does not stop in time loses its process and is deleted all the same", async () => {
  await using host = await startControlHost({ connectorStopMsMax: 20 });
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  plugin.hangingStops.add("a");
  await herder.delete("a");
  assert.equal(plugin.count("condemn a"), 1);
  assert.equal(host.states("a"), "none");
});

test("with restart.policy=on-failure a failed task starts again after a growing delay", async () => {
  const clock = new FakeClock();
  await using host = await startControlHost({ clock, restartPolicy: "on-failure" });
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  for (const delayMs of [1_000, 2_000, 4_000]) {
    plugin.failTask("a-0", pluginError("boom"));
    await host.untilStates("a", "RUNNING FAILED");
    assert.match(herder.taskStatus("a", 0).trace ?? "", /boom/);
    await waitFor(() => clock.sleepsMs[0] === delayMs, { withinMs: 20_000 });
    clock.pass(delayMs);
    await host.untilStates("a", "RUNNING RUNNING");
  }
  clock.pass(600_000);
  plugin.failTask("a-0", pluginError("boom"));
  await waitFor(() => clock.sleepsMs[0] === 1_000, { withinMs: 20_000 });
  const states = host.topics
    .texts("connect-status")
    .filter(({ key }) => key === "status-task-a-0")
    .map(({ value }) => JSON.parse(value ?? "{}").state);
  assert.deepEqual(states.slice(0, 4), ["RUNNING", "FAILED", "RESTARTING", "RUNNING"]);
});

test("a connector's own restart.policy wins over the worker's, and a stop ends the waiting", async () => {
  const clock = new FakeClock();
  await using host = await startControlHost({ clock });
  const { herder, plugin } = host;
  await herder.create("a", { ...sourceConfig, "restart.policy": "on-failure" }, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  plugin.exit("a");
  plugin.failTask("a-0", pluginError("gone"));
  await host.untilStates("a", "FAILED FAILED");
  clock.pass(1_000);
  await host.untilStates("a", "RUNNING RUNNING");
  await waitFor(() => plugin.count("configs a 1") === 2, { withinMs: 20_000 });
  plugin.failTask("a-0", pluginError("gone"));
  await host.untilStates("a", "RUNNING FAILED");
  await herder.stop("a");
  assert.equal(host.states("a"), "STOPPED");
  assert.deepEqual(clock.sleepsMs, []);
});

test("what was created is there after a restart of the host, in the states it was left in", async () => {
  const first = await startControlHost();
  const { topics } = first;
  await first.herder.create("run", sinkConfig, undefined);
  await first.herder.create("pause", sourceConfig, undefined);
  await first.herder.create("stop", sourceConfig, undefined);
  await first.herder.create("gone", sourceConfig, undefined);
  await first.herder.pause("pause");
  await first.herder.stop("stop");
  await first.herder.restart("run", { includeTasks: true, onlyFailed: false });
  await first.herder.delete("gone");
  await first.untilStates("run", "RUNNING RUNNING,RUNNING");
  await first.untilStates("pause", "PAUSED PAUSED");
  await first.stop();
  assert.equal(first.plugin.alive, 0);
  assert.match(topics.texts("connect-status").at(-1)?.value ?? "", /^\{"state":"UNASSIGNED"/);

  await using second = await startControlHost({ topics });
  await second.untilStates("run", "RUNNING RUNNING,RUNNING");
  await second.untilStates("pause", "PAUSED PAUSED");
  await second.untilStates("stop", "STOPPED");
  assert.deepEqual(second.herder.connectors(), ["run", "pause", "stop"]);
  await second.herder.ping();
  // The restart request of the first host is not done again, and nothing is committed anew.
  assert.equal(second.plugin.count("start run"), 1);
  const commits = topics.texts("connect-configs").filter(({ key }) => key === "commit-run");
  assert.equal(commits.length, 1);
});

test("I3: a record that another program appends takes effect as if a command had written it", async () => {
  await using host = await startControlHost();
  const log = await host.topics.open({
    topic: "connect-configs",
    partitionCount: 1,
    onRecord: () => {},
  });
  const { key, value } = encodeConnector(connectorName("b"), { ...sourceConfig, name: "b" });
  await log.append(key, value);
  await host.untilStates("b", "RUNNING RUNNING");
});

test("I4: never two of one task, however fast its configs change", async () => {
  await using host = await startControlHost();
  await host.herder.create("a", sourceConfig, undefined);
  const puts = Array.from({ length: 20 }, (_, x) =>
    host.herder.putConfig("a", { ...sourceConfig, x: `${x}` }),
  );
  await Promise.all(puts);
  await host.untilStates("a", "RUNNING RUNNING");
  await host.herder.ping();
  assert.equal(host.plugin.aliveMax, 1);
});

test("commands are refused once the worker shuts down", async () => {
  const host = await startControlHost();
  await host.stop();
  await assert.rejects(host.herder.ping(), { status: 500, message: "Worker is shutting down" });
});

test("a connector that is slow with its task configs holds up neither others nor the end", async () => {
  const host = await startControlHost();
  const { herder, plugin } = host;
  plugin.hangingConfigs.set("slow", deferred<never>());
  const slow = herder.create("slow", sourceConfig, undefined);
  slow.catch(() => {});
  await waitFor(() => plugin.count("configs slow 1") === 1, { withinMs: 20_000 });
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  await host.stop();
  await assert.rejects(slow, { message: "Worker is shutting down" });
  assert.equal(plugin.count("release slow"), 1);
});

test("what fails too often within the window is given up; a restart by hand begins anew", async () => {
  const clock = new FakeClock();
  const bounds = { ...restartBounds, attemptsMax: 2, windowMs: 60_000 };
  await using host = await startControlHost({
    clock,
    restartPolicy: "on-failure",
    restartBounds: bounds,
  });
  const { herder, plugin } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  const fail = async () => {
    plugin.failTask("a-0", pluginError("boom"));
    await host.untilStates("a", "RUNNING FAILED");
  };
  for (const round of ["first", "after a restart"]) {
    for (const delayMs of [1_000, 2_000]) {
      await fail();
      await waitFor(() => clock.sleepsMs[0] === delayMs, { withinMs: 20_000, what: round });
      clock.pass(delayMs);
      await host.untilStates("a", "RUNNING RUNNING");
    }
    await fail();
    assert.equal(
      herder.taskStatus("a", 0).trace,
      "failed 3 times within 1 min and was given up\nfake.Exception: boom\n\tat fake",
    );
    clock.pass(3_600_000);
    assert.equal(host.states("a"), "RUNNING FAILED");
    await herder.restartTask("a", 0);
    await host.untilStates("a", "RUNNING RUNNING");
  }
});

test("what has to leave its process starts again without having failed, whatever the policy", async () => {
  await using host = await startControlHost({ restartPolicy: "none" });
  const { herder, plugin, worker } = host;
  await herder.create("a", sourceConfig, undefined);
  await host.untilStates("a", "RUNNING RUNNING");
  for (let starts = 2; starts < 20; starts += 1) {
    plugin.failTask("a-0", new TaskError("plugin.condemned", "task b-0 did not stop"));
    await waitFor(() => plugin.count("task start a-0") === starts, { withinMs: 20_000 });
  }
  const starts = plugin.count("start a");
  plugin.condemn("a");
  await waitFor(() => plugin.count("start a") === starts + 1, { withinMs: 20_000 });
  await host.untilStates("a", "RUNNING RUNNING");
  assert.ok(worker.running().connectors.size === 1);
  const states = (key: string) =>
    host.topics
      .texts("connect-status")
      .filter((text) => text.key === key)
      .map(({ value }) => JSON.parse(value ?? "{}").state);
  assert.deepEqual(new Set(states("status-task-a-0")), new Set(["RUNNING", "RESTARTING"]));
  assert.deepEqual(states("status-connector-a"), ["RUNNING", "RESTARTING", "RUNNING"]);
});
