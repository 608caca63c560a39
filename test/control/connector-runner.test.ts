import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import { TaskError } from "../../src/base/error.ts";
import type { Connector } from "../../src/connector/connector.ts";
import { createConnector } from "../../src/connector/connector-runner.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import type { ExitReason, PluginProcess, ProcessLease } from "../../src/plugin/plugin.ts";
import { connectorName } from "../../src/state/id.ts";
import type { TargetState } from "../../src/state/status.ts";
import { waitFor } from "../harness/wait-for.ts";
import { pluginError } from "./fake-plugin.ts";

const name = connectorName("a");

/** A runner over a process that does what a test says, and everything that was seen of it. */
function setUp(target: TargetState, over: Partial<PluginProcess> = {}) {
  const seen: string[] = [];
  const exit = deferred<ExitReason>();
  const process = {
    pid: 7,
    exited: exit.promise,
    startConnector: async () => {
      seen.push("start");
    },
    stopConnector: async () => {
      seen.push("stop");
    },
    taskConfigs: async () => ({ taskClass: "T", configs: [{}] }),
    ...over,
  } as PluginProcess;
  const condemned = new AbortController();
  const lease: ProcessLease = {
    process,
    condemned: condemned.signal,
    release: async () => {
      seen.push("release");
    },
    condemn: async () => {
      seen.push("condemn");
    },
  };
  const connector: Connector = createConnector(
    { name, className: "C", config: {}, stopMsMax: 30 },
    { acquireProcess: async () => lease, logger: silentLogger() },
    target,
    (state) => seen.push(state),
  );
  const ending = new AbortController();
  const running = connector.run(ending.signal);
  running.catch(() => {});
  const until = (what: string) => waitFor(() => seen.includes(what), { withinMs: 20_000, what });
  const condemn = () => condemned.abort(new TaskError("plugin.condemned", "task b-0 did not stop"));
  return { connector, seen, exit, running, ending, until, condemn };
}

test("a connector starts, gives its task configs and is stopped", async () => {
  const { connector, seen, running, ending, until } = setUp("STARTED");
  await until("RUNNING");
  assert.equal(connector.pid, 7);
  assert.deepEqual(await connector.taskConfigs(1, []), { taskClass: "T", configs: [{}] });
  ending.abort();
  await running;
  assert.deepEqual(seen, ["start", "RUNNING", "stop", "release"]);
  assert.equal(connector.pid, undefined);
  await assert.rejects(connector.taskConfigs(1, []), { code: "connector.not_started" });
});

for (const { target, word } of [
  { target: "PAUSED", word: "PAUSED" },
  { target: "STOPPED", word: "STOPPED" },
] as const) {
  test(`a connector that is to be ${target} takes no process, and can go on`, async () => {
    const { connector, seen, running, ending, until } = setUp(target);
    await until(word);
    connector.setTarget("STARTED");
    await until("RUNNING");
    connector.setTarget(target);
    await until("release");
    ending.abort();
    await running;
    assert.deepEqual(seen, [word, "start", "RUNNING", "stop", "release", word]);
  });
}

test("PAUSED to STOPPED and back calls nothing in the plugin", async () => {
  const { connector, seen, running, ending, until } = setUp("PAUSED");
  await until("PAUSED");
  connector.setTarget("STOPPED");
  await until("STOPPED");
  ending.abort();
  await running;
  assert.deepEqual(seen, ["PAUSED", "STOPPED"]);
});

test("an error while pausing fails it, an error while stopping does not", async () => {
  const stopConnector = async () => {
    throw pluginError("stuck");
  };
  const pausing = setUp("STARTED", { stopConnector });
  await pausing.until("RUNNING");
  pausing.connector.setTarget("PAUSED");
  await assert.rejects(pausing.running, { message: "stuck" });
  const stopping = setUp("STARTED", { stopConnector });
  await stopping.until("RUNNING");
  stopping.connector.setTarget("STOPPED");
  await stopping.until("STOPPED");
  stopping.ending.abort();
  await stopping.running;
});

for (const { stops, word } of [
  { stops: true, word: "release" },
  { stops: false, word: "condemn" },
]) {
  test(`a start that takes too long is stopped: ${word}`, async () => {
    const late = new TaskError("plugin.request_timeout", "no answer");
    const { running, seen } = setUp("STARTED", {
      startConnector: () => Promise.reject(late),
      stopConnector: async () => {
        seen.push("stop");
        if (!stops) await new Promise(() => {});
      },
    });
    await assert.rejects(running, { message: "no answer" });
    assert.deepEqual(seen, ["stop", word]);
  });
}

test("a start that fails gives the process back", async () => {
  const { running, seen } = setUp("STARTED", {
    startConnector: async () => {
      throw pluginError("no");
    },
  });
  await assert.rejects(running, { message: "no" });
  assert.deepEqual(seen, ["release"]);
});

test("a start that hangs can be stopped; a stop that hangs too condemns the process", async () => {
  const started = deferred();
  const { running, ending, seen } = setUp("STARTED", {
    startConnector: () => {
      started.resolve();
      return new Promise(() => {});
    },
    stopConnector: () => new Promise(() => {}),
  });
  await started.promise;
  ending.abort();
  await running;
  assert.deepEqual(seen, ["condemn"]);
});

test("a stop that the plugin side gave up by its own deadline condemns the process too", async () => {
  const { running, ending, seen, until } = setUp("STARTED", {
    stopConnector: async () => {
      throw new TaskError("plugin.request_timeout", "the plugin did not answer StopConnector");
    },
  });
  await until("RUNNING");
  ending.abort();
  await running;
  assert.deepEqual(seen, ["start", "RUNNING", "condemn"]);
});

test("the end of the process fails it with the reason, without a stop", async () => {
  const { exit, running, seen, until } = setUp("STARTED");
  await until("RUNNING");
  exit.resolve({
    text: "plugin process 7 (x) exited with code 3",
    expected: false,
    lastStderr: ["e"],
  });
  await assert.rejects(running, {
    code: "plugin.gone",
    trace: "plugin process 7 (x) exited with code 3; its last lines on stderr:\ne",
  });
  assert.deepEqual(seen, ["start", "RUNNING", "release"]);
});

test("what it says of itself fails it, and it is stopped", async () => {
  const { connector, running, seen, until } = setUp("STARTED");
  await until("RUNNING");
  connector.fail(pluginError("lost"));
  connector.fail(pluginError("again"));
  await assert.rejects(running, { message: "lost" });
  assert.deepEqual(seen, ["start", "RUNNING", "stop", "release"]);
});

test("in a condemned process it stops, gives the process back, and asks to start again", async () => {
  const { running, seen, until, condemn } = setUp("STARTED");
  await until("RUNNING");
  condemn();
  await assert.rejects(running, { code: "plugin.condemned", message: "task b-0 did not stop" });
  assert.deepEqual(seen, ["start", "RUNNING", "stop", "release"]);
});

test("a start that hangs in a condemned process is given up", async () => {
  const started = deferred();
  const { running, seen, condemn } = setUp("STARTED", {
    startConnector: () => {
      started.resolve();
      return new Promise(() => {});
    },
  });
  await started.promise;
  condemn();
  await assert.rejects(running, { code: "plugin.condemned" });
  assert.deepEqual(seen, ["stop", "release"]);
});

test("a condemned process that is killed while it pauses has paused it", async () => {
  const stopping = deferred();
  const { connector, running, ending, until, condemn } = setUp("STARTED", {
    stopConnector: async () => {
      await stopping.promise;
      throw new TaskError("plugin.gone", "killed by the host");
    },
  });
  await until("RUNNING");
  connector.setTarget("PAUSED");
  condemn();
  stopping.resolve();
  await until("PAUSED");
  ending.abort();
  await running;
});
