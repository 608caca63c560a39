import assert from "node:assert/strict";
import { test } from "node:test";
import {
  connectorNames,
  emptyState,
  findConnector,
  fold,
  foldAll,
  pendingRestart,
  restartOfRank,
  restartRank,
  targetState,
} from "./cluster-state.ts";
import type { ConfigChange, ConfigRecord } from "./config-record.ts";
import { connectorName } from "./id.ts";

const a = connectorName("a");
const config = { topic: "t" };

const connector = (value: typeof config | null = config): ConfigChange => ({
  at: "connector",
  connector: a,
  config: value,
});
const task = (number: number, part = `${number}`): ConfigChange => ({
  at: "task",
  connector: a,
  task: number,
  config: { part },
});
const commit = (taskCount: number): ConfigChange => ({ at: "commit", connector: a, taskCount });
const target = (value: "STARTED" | "PAUSED" | "STOPPED" | null): ConfigChange => ({
  at: "target-state",
  connector: a,
  target: value,
});

function read(changes: readonly ConfigChange[]) {
  return foldAll(
    emptyState,
    changes.map((change, offset) => ({ offset, change })),
  );
}

const tables: {
  name: string;
  changes: ConfigChange[];
  expect: {
    exists?: boolean;
    parts?: string[];
    target?: string;
    inconsistent?: boolean;
    generation?: number;
    taskCount?: number;
  };
}[] = [
  {
    name: "a new connector is to be started and has no tasks",
    changes: [connector()],
    expect: { exists: true, parts: [], target: "STARTED", generation: -1 },
  },
  {
    name: "tasks that are not committed do not count",
    changes: [connector(), task(0), task(1)],
    expect: { parts: [], taskCount: 0 },
  },
  {
    name: "a commit makes the tasks valid",
    changes: [connector(), task(0), task(1), commit(2)],
    expect: { parts: ["0", "1"], generation: 0, taskCount: 2 },
  },
  {
    name: "the order of task records does not matter",
    changes: [connector(), task(1), task(0), commit(2)],
    expect: { parts: ["0", "1"] },
  },
  {
    name: "a second set stays out of sight until its commit",
    changes: [connector(), task(0), commit(1), task(0, "new"), task(1)],
    expect: { parts: ["0"], generation: 0 },
  },
  {
    name: "a second commit replaces the set",
    changes: [connector(), task(0), commit(1), task(0, "new"), task(1), commit(2)],
    expect: { parts: ["new", "1"], generation: 1 },
  },
  {
    name: "a commit whose tasks are not all written leaves nothing to run",
    changes: [connector(), task(0), commit(1), task(1), commit(2)],
    expect: { parts: [], inconsistent: true, taskCount: 2, generation: 0 },
  },
  {
    name: "a good commit ends the inconsistency",
    changes: [connector(), commit(1), task(0), commit(1)],
    expect: { parts: ["0"], inconsistent: false, generation: 0 },
  },
  {
    name: "tasks beyond the committed number are left out",
    changes: [connector(), task(0), task(1), commit(1)],
    expect: { parts: ["0"], inconsistent: false },
  },
  {
    name: "a commit of no tasks ends them",
    changes: [connector(), task(0), commit(1), commit(0)],
    expect: { parts: [], inconsistent: false, taskCount: 0, generation: 0 },
  },
  {
    name: "a commit of a connector that was deleted and compacted away is dropped",
    changes: [task(0), commit(1)],
    expect: { exists: false, parts: [] },
  },
  {
    name: "what such a commit left does not leak into a connector of the same name",
    changes: [task(0), commit(1), connector(), commit(1)],
    expect: { exists: true, parts: [], inconsistent: true },
  },
  {
    name: "a target state written before its connector counts",
    changes: [target("PAUSED"), connector()],
    expect: { exists: true, target: "PAUSED" },
  },
  {
    name: "a target state whose record is removed is STARTED",
    changes: [connector(), target("STOPPED"), target(null)],
    expect: { target: "STARTED" },
  },
  {
    name: "a deleted connector leaves only its generation",
    changes: [connector(), task(0), commit(1), target("PAUSED"), connector(null), target(null)],
    expect: { exists: false, parts: [], taskCount: 0, target: "STARTED", generation: 0 },
  },
  {
    name: "a connector made again starts without tasks",
    changes: [connector(), task(0), commit(1), connector(null), target(null), connector()],
    expect: { exists: true, parts: [], generation: 0 },
  },
  {
    name: "a new config keeps the tasks until the next commit",
    changes: [connector(), task(0), commit(1), connector()],
    expect: { parts: ["0"] },
  },
];

for (const { name, changes, expect } of tables) {
  test(`fold: ${name}`, () => {
    const state = read(changes);
    const entry = state.connectors.get(a);
    assert.ok(entry);
    const seen = {
      exists: findConnector(state, a) !== undefined,
      parts: entry.taskConfigs.map(({ part }) => part),
      target: targetState(entry),
      inconsistent: entry.inconsistent,
      generation: entry.generation,
      taskCount: entry.taskCount,
    };
    assert.deepEqual({ ...seen, ...expect }, seen);
    assert.equal(state.nextOffset, changes.length);
  });
}

test("a config written again is a new revision, and a commit a new generation of tasks", () => {
  const state = read([connector(), task(0), commit(1), connector(), task(0), commit(1)]);
  const entry = findConnector(state, a);
  assert.equal(entry?.configRevision, 3);
  assert.equal(entry?.tasksRevision, 5);
});

test("a task-count record ends the fencing that a commit asked for", () => {
  const count: ConfigChange = { at: "task-count", connector: a, taskCount: 1 };
  assert.equal(read([connector(), commit(0)]).connectors.get(a)?.pendingFencing, true);
  const entry = read([connector(), commit(0), count]).connectors.get(a);
  assert.equal(entry?.pendingFencing, false);
  assert.equal(entry?.taskCountRecord, 1);
});

test("what is not about connectors is kept, what is unknown only counts as read", () => {
  const sessionKey = { key: "k", algorithm: "HmacSHA256", createdMs: 1 };
  const state = read([
    { at: "session-key", sessionKey },
    { at: "logger-level", logger: "x", level: "DEBUG" },
    { at: "ignored", key: "quota-a", reason: "" },
  ]);
  assert.deepEqual(state.sessionKey, sessionKey);
  assert.equal(state.loggerLevels.get("x"), "DEBUG");
  assert.equal(state.nextOffset, 3);
  assert.deepEqual(connectorNames(state), []);
});

test("of several pending restarts the one with the most impact is done", () => {
  const restart = (rank: number): ConfigChange => ({
    at: "restart",
    connector: a,
    options: restartOfRank(rank),
  });
  const entry = findConnector(read([connector(), restart(1), restart(3), restart(0)]), a);
  assert.ok(entry);
  assert.equal(pendingRestart(entry, 4), undefined);
  assert.deepEqual(pendingRestart(entry, 3), restartOfRank(0));
  assert.deepEqual(pendingRestart(entry, 1), { includeTasks: true, onlyFailed: false });
  assert.deepEqual([0, 1, 2, 3].map(restartOfRank).map(restartRank), [0, 1, 2, 3]);
});

test("random logs: folding one by one or all at once is the same, and changes no argument", () => {
  const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
  let random = seed;
  const below = (n: number) => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((random / 2_147_483_648) * n);
  };
  const kinds = [
    () => connector(),
    () => connector(null),
    () => task(below(3)),
    () => commit(below(3)),
    () => target((["STARTED", "PAUSED", "STOPPED", null] as const)[below(4)] ?? null),
    (): ConfigChange => ({ at: "restart", connector: a, options: restartOfRank(below(4)) }),
  ];
  for (let round = 0; round < 300; round += 1) {
    const records = Array.from({ length: below(30) }, (_, offset): ConfigRecord => {
      const change = kinds[below(kinds.length)]?.() ?? connector();
      const name = connectorName("abc"[below(3)] ?? "a");
      return { offset, change: { ...change, connector: name } as ConfigChange };
    });
    const before = structuredClone(records);
    let state = emptyState;
    for (const record of records) {
      const frozen = structuredClone(state);
      const next = fold(state, record);
      assert.deepEqual(state, frozen, `BULKHEAD_SEED=${seed}`);
      state = next;
    }
    assert.deepEqual(foldAll(emptyState, records), state, `BULKHEAD_SEED=${seed}`);
    assert.deepEqual(records, before, `BULKHEAD_SEED=${seed}`);
    for (const entry of state.connectors.values()) {
      const { config: of, taskConfigs, inconsistent } = entry;
      assert.ok(!inconsistent || taskConfigs.length === 0, `BULKHEAD_SEED=${seed}`);
      assert.ok(of !== undefined || taskConfigs.length === 0, `BULKHEAD_SEED=${seed}`);
    }
    compacted(records, state, seed);
  }
});

/** A worker that starts after compaction knows the same connectors and target states. */
function compacted(records: ConfigRecord[], state: typeof emptyState, seed: number): void {
  const last = new Map<string, ConfigRecord>();
  for (const record of records) {
    const { at, ...rest } = record.change;
    const key = JSON.stringify([
      at,
      "connector" in rest && rest.connector,
      "task" in rest && rest.task,
    ]);
    last.delete(key);
    last.set(key, record);
  }
  const again = foldAll(emptyState, last.values());
  const view = (of: typeof emptyState) =>
    connectorNames(of)
      .sort()
      .map((name) => {
        const entry = findConnector(of, name);
        return entry && [name, entry.config, entry.configRevision, targetState(entry)];
      });
  assert.deepEqual(view(again), view(state), `BULKHEAD_SEED=${seed}`);
}
