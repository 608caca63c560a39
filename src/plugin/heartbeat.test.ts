import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  HeartbeatSchema,
  TaskActivity,
  type TaskHeartbeatSchema,
} from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { heartbeatFromProto, tasksLater } from "./heartbeat.ts";
import { fareOf } from "./process-fare.ts";
import { hasProc } from "./process-usage.ts";

const task = (more: { connector?: string; lastTransientFailure?: { text: string } } = {}) => ({
  connector: "alpha",
  task: 2,
  activity: TaskActivity.BACKING_OFF,
  activityForMs: 40n,
  sinceProgressMs: 900n,
  lastTransientFailure: { text: "the database is away" },
  ...more,
});

const heartbeat = (...tasks: MessageInitShape<typeof TaskHeartbeatSchema>[]) =>
  heartbeatFromProto(
    create(HeartbeatSchema, { seq: 1n, rssBytes: 5_000n, cpuMs: 70n, tasks }),
    (connector) => connector === "alpha",
  );

const seen = {
  connector: "alpha",
  task: 2,
  activity: "backing off",
  activityMs: 40,
  sinceProgressMs: 900,
  transientFailure: "the database is away",
};

test("a heartbeat says what each task does, since when, and what it has to overcome", () => {
  const { tasks } = heartbeat(task(), { connector: "alpha" });
  assert.deepEqual(tasks[0], seen);
  assert.deepEqual(tasks[1], {
    connector: "alpha",
    task: 0,
    activity: "unspecified",
    activityMs: 0,
    sinceProgressMs: 0,
    transientFailure: null,
  });
});

test("a process does not speak for tasks of a connector that does not live in it", () => {
  assert.deepEqual(heartbeat(task({ connector: "omega" })).tasks, []);
});

test("I5: of a heartbeat without end a bounded part is kept", () => {
  const text = "x".repeat(5_000);
  const many = Array.from({ length: 1_200 }, () => task({ lastTransientFailure: { text } }));
  const { tasks } = heartbeat(...many);
  assert.equal(tasks.length, 1_000);
  assert.equal(tasks[0]?.transientFailure?.length, 1_000);
});

test("what a task did at the last heartbeat it is taken to do still", () => {
  const [later] = tasksLater([seen], 60_000);
  assert.deepEqual(later, { ...seen, activityMs: 60_040, sinceProgressMs: 60_900 });
});

test("memory and CPU are the system's figures, and the plugin's where the system has none", () => {
  const stopSession = { lastHeartbeat: heartbeat(task()) };
  const elsewhere = fareOf({ pid: process.pid, liveness: undefined, stopSession }, 0, false);
  assert.deepEqual([elsewhere.rssBytes, elsewhere.cpuMs], [5_000, 70]);
  assert.deepEqual(elsewhere.tasks, [seen]);
  assert.equal(elsewhere.sinceHeartbeatMs, null);
  if (hasProc()) {
    const here = fareOf({ pid: process.pid, liveness: undefined, stopSession }, 0);
    assert.ok(Number(here.rssBytes) > 1_000_000);
  }
  assert.equal(fareOf(undefined, 0).rssBytes, null);
});
