import assert from "node:assert/strict";
import { test } from "node:test";
import { connectorName } from "../state/id.ts";
import { assign, type LeaderMemory, newLeader, type RoundResult } from "./assign.ts";
import { dealt } from "./spread.ts";
import { itemsOf, minus, noWork, repeated, sorted, union, type Work, workIn } from "./work.ts";

const delayMsMax = 300_000;

/** Connectors `a`, `b` and so on, each with as many tasks. */
function works(names: string, tasksEach: number): Work {
  const connectors = [...names].map(connectorName);
  const numbers = Array.from({ length: tasksEach }, (_, task) => task);
  return { connectors, tasks: connectors.flatMap((name) => numbers.map((n) => `${name}-${n}`)) };
}

/** Workers that do what they are told. */
class Group {
  readonly running = new Map<string, Work>();
  configured: Work;
  memory: LeaderMemory = newLeader;
  generation = 0;
  nowMs = 1_000;
  readonly #delayMsMax: number;

  constructor(configured: Work, ids: readonly string[], delayMs = delayMsMax) {
    this.configured = configured;
    this.#delayMsMax = delayMs;
    for (const id of ids) this.running.set(id, noWork);
  }

  /** `lose`: nobody hears of what was decided. */
  round({ lose = false } = {}): RoundResult {
    const result = assign(this.memory, {
      configured: this.configured,
      members: this.running,
      generationBefore: this.generation,
      generation: this.generation + 1,
      nowMs: this.nowMs,
      delayMsMax: this.#delayMsMax,
    });
    this.memory = result.memory;
    this.generation += 1;
    if (lose) return result;
    for (const [id, { assigned, revoked }] of result.changes) {
      this.running.set(id, union([minus(this.running.get(id) ?? noWork, revoked), assigned]));
    }
    return result;
  }

  join(id: string): void {
    this.running.set(id, noWork);
  }

  of(id: string): Work {
    return sorted(this.running.get(id) ?? noWork);
  }

  sizes(): readonly (readonly [number, number])[] {
    return [...this.running.values()].map(
      ({ connectors, tasks }) => [connectors.length, tasks.length] as const,
    );
  }
}

const nothing = { assigned: noWork, revoked: noWork };

test("the first worker gets everything, and a second one its half in two rounds", () => {
  const group = new Group(works("ab", 4), ["one"]);
  group.round();
  assert.deepEqual(group.of("one"), works("ab", 4));
  assert.deepEqual([...group.round().changes.values()], [nothing]);

  group.join("two");
  const first = group.round();
  assert.deepEqual(first.changes.get("two"), nothing);
  assert.deepEqual(first.changes.get("one")?.revoked.connectors.length, 1);
  assert.deepEqual(first.changes.get("one")?.revoked.tasks.length, 4);
  assert.equal(first.delayMs, 0);
  group.round();
  assert.deepEqual(group.sizes(), [
    [1, 4],
    [1, 4],
  ]);
  for (const { revoked, assigned } of group.round().changes.values()) {
    assert.deepEqual([revoked, assigned], [noWork, noWork]);
  }
});

test("what a worker that has left ran waits for it, and it gets the same share when it is back", () => {
  const group = new Group(works("abc", 2), ["one", "two", "three"]);
  group.round();
  const [before, others] = [group.of("three"), [group.of("one"), group.of("two")]];
  group.running.delete("three");
  assert.equal(group.round().delayMs, delayMsMax);
  group.nowMs += 100_000;
  group.join("new three");
  assert.equal(group.round().delayMs, 200_000);
  assert.deepEqual(group.of("new three"), noWork);
  group.nowMs += 200_000;
  const last = group.round();
  assert.equal(last.delayMs, 0);
  assert.deepEqual(group.of("new three"), before);
  assert.deepEqual([group.of("one"), group.of("two")], others);
});

test("what a worker that stays away ran goes to the others when the delay is over", () => {
  const group = new Group(works("abcd", 2), ["one", "two"]);
  group.round();
  group.running.delete("two");
  group.round();
  group.nowMs += delayMsMax - 1;
  assert.equal(group.round().delayMs, 1);
  assert.equal(group.of("one").tasks.length, 4);
  group.nowMs += 1;
  assert.equal(group.round().delayMs, 0);
  assert.deepEqual(group.of("one"), works("abcd", 2));
});

test("without a delay it goes to the others at once", () => {
  const group = new Group(works("ab", 1), ["one", "two"], 0);
  group.round();
  group.running.delete("one");
  assert.equal(group.round().delayMs, 0);
  assert.deepEqual(group.of("two"), works("ab", 1));
});

test("a deleted connector is stopped, a new one goes to who has least, and nothing else moves", () => {
  const group = new Group(works("abcd", 1), ["one", "two"]);
  group.round();
  const before = new Map(group.running);
  group.configured = works("bcd", 1);
  const deleting = group.round();
  const owner = [...before].find(([, { connectors }]) => connectors.includes(connectorName("a")));
  for (const [id, { assigned, revoked }] of deleting.changes) {
    const gone = works("a", 1);
    const had = before.get(id) ?? noWork;
    assert.deepEqual(assigned, noWork);
    assert.deepEqual(revoked, minus(had, minus(had, gone)));
  }
  group.configured = works("bcde", 1);
  const changes = group.round().changes;
  assert.ok(changes.get(owner?.[0] ?? "")?.assigned.connectors.includes(connectorName("e")));
  assert.deepEqual(union([...changes.values()].map(({ revoked }) => revoked)), noWork);
});

test("what two workers run is stopped by both, and one of them gets it", () => {
  const group = new Group(works("ab", 1), ["one", "two"]);
  group.running.set("one", works("ab", 1));
  group.running.set("two", works("b", 1));
  group.round();
  assert.deepEqual(union(group.running.values()), works("a", 1));
  group.round();
  assert.deepEqual(sorted(union(group.running.values())), works("ab", 1));
  assert.deepEqual(repeated(group.running.values()), noWork);
});

test("a second revocation in a row waits 40 ms, a third 1.6 s, and quiet ends the count", () => {
  const group = new Group(works("abcdef", 0), ["one"]);
  group.round();
  group.join("two");
  assert.equal(group.round().delayMs, 0);
  const delays: number[] = [];
  for (const id of ["three", "four", "five"]) {
    // Each comes in the round that follows a revocation.
    group.join(id);
    const { delayMs } = group.round();
    delays.push(delayMs);
    group.nowMs += delayMs;
    group.round();
  }
  assert.equal(delays[0], 40);
  for (let round = 0; round < 5; round += 1) {
    const { delayMs } = group.round();
    group.nowMs += delayMs;
  }
  assert.deepEqual(group.memory.revocationsInRow, 0);
  assert.deepEqual(
    group
      .sizes()
      .map(([connectors]) => connectors)
      .sort(),
    [1, 1, 1, 1, 2],
  );
});

test("what nobody has heard of is given out again at once", () => {
  const group = new Group(works("ab", 2), ["one", "two"]);
  group.round({ lose: true });
  assert.equal(group.round().delayMs, 0);
  assert.deepEqual(sorted(union(group.running.values())), works("ab", 2));
});

test("a new leader keeps what runs and gives out what does not, without waiting", () => {
  const group = new Group(works("abcd", 1), ["one", "two", "three"]);
  group.round();
  const [one, two] = [group.of("one"), group.of("two")];
  group.running.delete("three");
  group.memory = newLeader;
  const { delayMs, changes } = group.round();
  assert.equal(delayMs, 0);
  assert.deepEqual(union([...changes.values()].map(({ revoked }) => revoked)), noWork);
  assert.deepEqual(minus(one, group.of("one")), noWork);
  assert.deepEqual(minus(two, group.of("two")), noWork);
  assert.deepEqual(sorted(union(group.running.values())), works("abcd", 1));
});

test("at level 0 connectors and then tasks are dealt to all workers in turn", () => {
  assert.deepEqual(
    [...dealt(["two", "one", "x"], works("ab", 2))],
    [
      ["one", { connectors: ["a"], tasks: ["a-1"] }],
      ["two", { connectors: ["b"], tasks: ["b-0"] }],
      ["x", { connectors: [], tasks: ["a-0", "b-1"] }],
    ],
  );
});

test("the protocol's items and sets of work are the same", () => {
  const work = { connectors: [connectorName("a-1")], tasks: ["a-1-0", "b-10", "b-2"] };
  const items = [
    { connector: "a-1", instances: [-1, 0] },
    { connector: "b", instances: [10, 2] },
  ];
  assert.deepEqual(itemsOf(work), items);
  assert.deepEqual(workIn(itemsOf(work)), work);
  assert.deepEqual(sorted(work).tasks, ["a-1-0", "b-2", "b-10"]);
});
