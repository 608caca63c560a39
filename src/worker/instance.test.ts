import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/harness/fake-clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";
import { silentLogger } from "../observe/logger.ts";
import type { TargetState } from "../state/status.ts";
import { Instance, type Runnable } from "./instance.ts";
import { type RestartPolicy, Restarts, restartBounds } from "./restart-policy.ts";

/** One run, which ends as a test says. */
interface Run {
  readonly target: TargetState;
  readonly end: Deferred<void>;
  readonly show: (state: "RUNNING" | "PAUSED" | "STOPPED") => void;
}

/** An instance, its runs, and what its status was told. */
function setUp(policy: RestartPolicy = { at: "none" }) {
  const clock = new FakeClock();
  const runs: Run[] = [];
  const told: string[] = [];
  const instance = new Instance<Runnable>({
    label: "task a-0",
    target: "STARTED",
    restarts: new Restarts(policy, () => 1),
    logger: silentLogger(),
    clock,
    plugin: () => "p",
    create: (target, show) => {
      const end = deferred();
      runs.push({ target, end, show });
      return {
        pid: 7,
        setTarget: () => {},
        run: async (signal) => {
          signal.addEventListener("abort", () => end.resolve());
          await end.promise;
        },
      };
    },
    onStatus: (state, trace) => told.push(trace === null ? state : `${state}: ${trace}`),
    onChange: () => {},
  });
  const running = instance.run();
  /** The newest run, once the instance has come to a rest. */
  const newest = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return runs.at(-1) as Run;
  };
  return { clock, instance, newest, running, runs, told };
}

const broken = new TaskError("plugin.task_failed", "broken");
const condemned = new TaskError("plugin.condemned", "task b-0 did not stop");

test("what has to leave its process starts again at once, without having failed and whatever the policy", async () => {
  const { instance, newest, running, runs, told } = setUp();
  for (let moves = 0; moves < 3; moves += 1) {
    const run = await newest();
    run.show("RUNNING");
    run.end.reject(condemned);
  }
  (await newest()).show("RUNNING");
  assert.equal(runs.length, 4);
  assert.equal(instance.error, undefined);
  instance.stop("UNASSIGNED");
  await running;
  const moved = ["RUNNING", "RESTARTING"];
  assert.deepEqual(told, [...moved, ...moved, ...moved, "RUNNING", "UNASSIGNED"]);
});

test("a restart by policy is shown, and what the ended run still says is not", async () => {
  const { clock, instance, newest, running, told } = setUp({ at: "on-failure", ...restartBounds });
  const first = await newest();
  first.show("RUNNING");
  first.end.reject(broken);
  await newest();
  assert.equal(instance.at, "failed");
  assert.equal(instance.error, broken);
  clock.pass(restartBounds.delayMs);
  const second = await newest();
  assert.notEqual(second, first);
  first.show("PAUSED");
  assert.equal(instance.error, undefined);
  second.show("RUNNING");
  instance.stop("UNASSIGNED");
  await running;
  assert.deepEqual(told, ["RUNNING", "FAILED: broken", "RESTARTING", "RUNNING", "UNASSIGNED"]);
});

for (const { word, last } of [
  { word: "UNASSIGNED", last: "FAILED: broken" },
  { word: "RESTARTING", last: "RESTARTING" },
] as const) {
  test(`the last word of one that failed and is stopped as ${word} is ${last}`, async () => {
    const { instance, newest, running, told } = setUp();
    (await newest()).end.reject(broken);
    await newest();
    instance.stop(word);
    await running;
    assert.equal(told.at(-1), last);
  });
}

test("of a failure the target STOPPED heals, and begins a run of its own", async () => {
  const { instance, newest, running, runs, told } = setUp();
  (await newest()).end.reject(broken);
  await newest();
  instance.setTarget("PAUSED");
  await newest();
  assert.equal(runs.length, 1);
  instance.setTarget("STOPPED");
  (await newest()).show("STOPPED");
  assert.deepEqual(
    runs.map(({ target }) => target),
    ["STARTED", "STOPPED"],
  );
  instance.stop("UNASSIGNED");
  await running;
  assert.deepEqual(told, ["FAILED: broken", "STOPPED", "UNASSIGNED"]);
});

test("a run that ends without having been asked to has failed", async () => {
  const { instance, newest, running, told } = setUp();
  (await newest()).end.resolve();
  await newest();
  instance.stop("UNASSIGNED");
  await running;
  assert.deepEqual(told, ["FAILED: it ended without having been asked to"]);
});

const twice = { at: "on-failure", ...restartBounds, attemptsMax: 2 } as const;

test("a record that kills each time is not restarted by any policy", async () => {
  const { instance, newest, running, runs, told } = setUp(twice);
  (await newest()).end.reject(new TaskError("task.record_kills", "the record t-0@5 kills"));
  await newest();
  assert.deepEqual(told, ["FAILED: the record t-0@5 kills"]);
  assert.equal(instance.at, "failed");
  assert.equal(runs.length, 1);
  instance.stop("UNASSIGNED");
  await running;
});

test("what is left out from now on gives the attempts back", async () => {
  const { clock, instance, newest, running, runs } = setUp(twice);
  const leftOut = new TaskError("task.record_quarantined", "left out");
  for (const error of [broken, broken, leftOut, broken, leftOut]) {
    (await newest()).end.reject(error);
    await newest();
    assert.equal(instance.at, "failed");
    clock.pass(60_000);
  }
  await newest();
  assert.equal(runs.length, 6);
  instance.stop("UNASSIGNED");
  await running;
});
