import assert from "node:assert/strict";
import { test } from "node:test";
import { soloMember } from "../cluster/solo-member.ts";
import { emptyState, findConnector, foldAll, targetState } from "../state/cluster-state.ts";
import type { ConfigChange } from "../state/config-record.ts";
import { type ConnectorName, connectorName, taskText } from "../state/id.ts";
import type { TargetState } from "../state/status.ts";
import type { InstanceAt, RunningConnector, RunningTask } from "../worker/worker.ts";
import { type Action, type PlanInput, plan } from "./plan.ts";

const a = connectorName("a");
const config = { "connector.class": "X" };
const written: ConfigChange[] = [
  { at: "connector", connector: a, config },
  { at: "task", connector: a, task: 0, config: { part: "0" } },
  { at: "commit", connector: a, taskCount: 1 },
];
const target = (value: TargetState): ConfigChange => ({
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

const connector = (over: Partial<RunningConnector> = {}): RunningConnector => ({
  at: "running",
  target: "STARTED",
  incarnation: 1,
  error: undefined,
  revision: 0,
  tasksWanted: 1,
  ...over,
});

const task = (over: Partial<RunningTask> = {}): RunningTask => ({
  id: { connector: a, task: 0 },
  at: "running",
  target: "STARTED",
  incarnation: 2,
  error: undefined,
  generation: 2,
  ...over,
});

interface Case {
  name: string;
  changes: ConfigChange[];
  connector?: RunningConnector;
  task?: RunningTask;
  restartConnector?: boolean;
  restartTask?: boolean;
  asked?: boolean;
  statuses?: PlanInput["statuses"];
  unassigned?: boolean;
  expect: string[];
}

const cases: Case[] = [
  { name: "nothing is there, nothing is done", changes: [], expect: [] },
  {
    name: "a connector and its task start together",
    changes: written,
    expect: ["start-connector", "start-task"],
  },
  {
    name: "what runs as wanted is left alone",
    changes: written,
    connector: connector(),
    task: task(),
    asked: true,
    expect: [],
  },
  {
    name: "a connector that runs is asked for its tasks once",
    changes: written.slice(0, 1),
    connector: connector(),
    expect: ["make-task-configs"],
  },
  {
    name: "a connector that starts is not asked yet",
    changes: written.slice(0, 1),
    connector: connector({ at: "starting", tasksWanted: 0 }),
    expect: [],
  },
  {
    name: "a connector that changed is stopped first, its task goes on",
    changes: [...written, ...written.slice(0, 1)],
    connector: connector(),
    task: task(),
    expect: ["stop-connector UNASSIGNED"],
  },
  {
    name: "a connector that is stopping is waited for",
    changes: [...written, ...written.slice(0, 1)],
    connector: connector({ at: "stopping" }),
    task: task(),
    expect: [],
  },
  {
    name: "a task of an older commit goes before the new one starts",
    changes: [...written, ...written.slice(1)],
    connector: connector(),
    task: task(),
    asked: true,
    expect: ["stop-task UNASSIGNED"],
  },
  {
    name: "a failed connector stays as it is",
    changes: written,
    connector: connector({ at: "failed" }),
    task: task({ at: "failed" }),
    expect: [],
  },
  {
    name: "a deleted connector goes, and its tasks",
    changes: [...written, { at: "connector", connector: a, config: null }],
    connector: connector(),
    task: task(),
    statuses: [{ name: a, tasks: [0] }],
    expect: ["stop-connector UNASSIGNED", "stop-task UNASSIGNED"],
  },
  {
    name: "the statuses of what is gone are forgotten",
    changes: [...written, { at: "connector", connector: a, config: null }],
    statuses: [{ name: a, tasks: [0, 1] }],
    expect: ["forget-task-status", "forget-task-status", "forget-connector-status"],
  },
  {
    name: "the status of a deleted connector stays while a task of it ends",
    changes: [...written, { at: "connector", connector: a, config: null }],
    task: task({ at: "stopping" }),
    statuses: [{ name: a, tasks: [] }],
    expect: [],
  },
  {
    name: "the status of a task that is no more is forgotten, others stay",
    changes: written,
    connector: connector(),
    task: task(),
    asked: true,
    statuses: [{ name: a, tasks: [0, 1] }],
    expect: ["forget-task-status"],
  },
  {
    name: "pausing tells the connector and the task",
    changes: [...written, target("PAUSED")],
    connector: connector(),
    task: task(),
    expect: ["connector-target PAUSED", "task-target PAUSED"],
  },
  {
    name: "a paused connector starts paused, its task too",
    changes: [...written, target("PAUSED")],
    expect: ["start-connector", "start-task"],
  },
  {
    name: "a stopped connector has no tasks, also without the commit that says so",
    changes: [...written, target("STOPPED")],
    connector: connector(),
    task: task(),
    expect: ["connector-target STOPPED", "stop-task UNASSIGNED"],
  },
  {
    name: "a restart stops with another word",
    changes: written,
    connector: connector(),
    task: task({ at: "failed" }),
    restartConnector: true,
    restartTask: true,
    asked: true,
    expect: ["stop-connector RESTARTING", "stop-task RESTARTING"],
  },
  {
    name: "an inconsistent set is stopped",
    changes: [...written, { at: "commit", connector: a, taskCount: 2 }],
    connector: connector(),
    task: task(),
    asked: true,
    expect: ["stop-task UNASSIGNED"],
  },
  {
    name: "what another worker runs is stopped here, and its status is that worker's",
    changes: written,
    connector: connector(),
    task: task(),
    statuses: [{ name: connectorName("gone"), tasks: [] }],
    unassigned: true,
    expect: ["stop-connector UNASSIGNED", "stop-task UNASSIGNED"],
  },
];

function words(action: Action): string {
  if ("word" in action) return `${action.at} ${action.word}`;
  return "target" in action ? `${action.at} ${action.target}` : action.at;
}

for (const c of cases) {
  test(`plan: ${c.name}`, () => {
    const state = read(c.changes);
    const nobody = {
      generation: 0,
      leads: false,
      connectors: new Set<never>(),
      tasks: new Set<never>(),
    };
    const actions = plan({
      state,
      assignment: c.unassigned ? nobody : soloMember.assignment(state),
      running: {
        connectors: new Map(c.connector ? [[a, c.connector]] : []),
        tasks: new Map(c.task ? [["a-0", c.task]] : []),
      },
      restarts: {
        connectors: new Set(c.restartConnector ? [a] : []),
        tasks: new Set(c.restartTask ? ["a-0"] : []),
      },
      requests: new Map(c.asked ? [[a, { incarnation: 1, tasksWanted: 1 }]] : []),
      statuses: c.statuses ?? [],
    });
    assert.deepEqual(actions.map(words), c.expect);
  });
}

test("from any state what runs becomes what is wanted, and then nothing more is planned", () => {
  const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
  let random = seed;
  const below = (n: number) => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((random / 2_147_483_648) * n);
  };
  const names = ["a", "b", "a-0"].map(connectorName);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)] as T;
  const change = (): ConfigChange => {
    const name = pick(names);
    return pick<ConfigChange>([
      { at: "connector", connector: name, config },
      { at: "connector", connector: name, config: below(3) === 0 ? null : config },
      { at: "task", connector: name, task: below(3), config: { part: `${below(9)}` } },
      { at: "commit", connector: name, taskCount: below(3) },
      { at: "target-state", connector: name, target: pick(["STARTED", "PAUSED", "STOPPED"]) },
    ]);
  };
  const places: InstanceAt[] = ["starting", "running", "paused", "stopped", "failed"];
  for (let round = 0; round < 500; round += 1) {
    const state = read(Array.from({ length: below(40) }, change));
    const world = new FakeWorld();
    for (const name of names) {
      if (below(2) === 0) {
        world.connectors.set(name, connector({ at: pick(places), revision: below(40) }));
      }
      const id = { connector: name, task: below(4) };
      if (below(2) === 0) {
        world.tasks.set(taskText(id), task({ id, at: pick(places), generation: below(40) }));
      }
      world.statuses.set(name, new Set([below(4)]));
    }
    let turns = 0;
    while (world.turn(state)) {
      turns += 1;
      assert.ok(turns < 10, `no end after ${turns} turns, BULKHEAD_SEED=${seed}`);
    }
    world.check(state, `BULKHEAD_SEED=${seed}`);
  }
});

/** Does at once what is planned, except that a stop takes until the next turn. */
class FakeWorld {
  readonly connectors = new Map<ConnectorName, RunningConnector>();
  readonly tasks = new Map<string, RunningTask>();
  readonly statuses = new Map<ConnectorName, Set<number>>();
  readonly requests = new Map<ConnectorName, { incarnation: number; tasksWanted: number }>();

  turn(state: typeof emptyState): boolean {
    const actions = plan({
      state,
      assignment: soloMember.assignment(state),
      running: this,
      restarts: { connectors: new Set(), tasks: new Set() },
      requests: this.requests,
      statuses: [...this.statuses].map(([name, tasks]) => ({ name, tasks: [...tasks] })),
    });
    const stopping = this.#sweep();
    for (const action of actions) this.#do(action);
    return actions.length > 0 || stopping;
  }

  check(state: typeof emptyState, seed: string): void {
    const { connectors, tasks } = soloMember.assignment(state);
    assert.deepEqual(new Set(this.connectors.keys()), connectors, seed);
    const wanted = [...tasks].filter((key) => {
      const name = connectorName(key.slice(0, key.lastIndexOf("-")));
      const entry = findConnector(state, name);
      return entry !== undefined && targetState(entry) !== "STOPPED";
    });
    assert.deepEqual([...this.tasks.keys()].sort(), wanted.sort(), seed);
    for (const { id, generation, target: now } of this.tasks.values()) {
      const entry = findConnector(state, id.connector);
      assert.ok(entry, seed);
      assert.equal(generation, entry.tasksRevision, seed);
      assert.equal(now, targetState(entry), seed);
    }
    for (const [name, numbers] of this.statuses) {
      const count = findConnector(state, name)?.taskConfigs.length ?? 0;
      assert.ok(
        [...numbers].every((number) => number < count),
        seed,
      );
    }
  }

  #sweep(): boolean {
    let swept = false;
    for (const map of [this.connectors, this.tasks] as Map<unknown, { at: InstanceAt }>[]) {
      for (const [key, { at }] of map) if (at === "stopping") swept = map.delete(key);
    }
    return swept;
  }

  #do(action: Action): void {
    switch (action.at) {
      case "start-connector": {
        const { name, revision, target: now } = action.start;
        assert.ok(!this.connectors.has(name));
        this.connectors.set(name, connector({ revision, target: now }));
        break;
      }
      case "stop-connector":
        this.connectors.set(action.name, {
          ...(this.connectors.get(action.name) as RunningConnector),
          at: "stopping",
        });
        break;
      case "connector-target":
        this.connectors.set(action.name, {
          ...(this.connectors.get(action.name) as RunningConnector),
          target: action.target,
        });
        break;
      case "make-task-configs":
        this.requests.set(action.name, action.request);
        break;
      case "start-task": {
        const { id, generation, target: now } = action.start;
        assert.ok(!this.tasks.has(taskText(id)));
        this.tasks.set(taskText(id), task({ id, generation, target: now }));
        break;
      }
      case "stop-task":
      case "task-target": {
        const running = this.tasks.get(taskText(action.id)) as RunningTask;
        const over =
          action.at === "stop-task" ? ({ at: "stopping" } as const) : { target: action.target };
        this.tasks.set(taskText(action.id), { ...running, ...over });
        break;
      }
      case "forget-connector-status":
        this.statuses.delete(action.name);
        break;
      case "forget-task-status":
        this.statuses.get(action.id.connector)?.delete(action.id.task);
        break;
    }
  }
}
