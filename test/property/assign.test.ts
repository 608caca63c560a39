/** Workers come, go and miss rounds, connectors too: nothing runs twice, and in the end everything once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assign, type LeaderMemory, newLeader } from "../../src/cluster/assign.ts";
import { minus, noWork, repeated, sorted, union, type Work } from "../../src/cluster/work.ts";
import { connectorName } from "../../src/state/id.ts";
import { holds } from "../harness/property.ts";

const delayMsMax = 10_000;

type Event =
  | { readonly at: "round"; readonly deaf: readonly number[] }
  | { readonly at: "join" | "leave" | "elect" | "create" | "delete" }
  | { readonly at: "wait"; readonly ms: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ at: fc.constant("round" as const), deaf: fc.constant([]) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      at: fc.constant("round" as const),
      deaf: fc.array(fc.nat(9), { maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ at: fc.constantFrom("join", "leave", "create", "delete") }) },
  { weight: 1, arbitrary: fc.constant({ at: "elect" as const }) },
  { weight: 2, arbitrary: fc.record({ at: fc.constant("wait" as const), ms: fc.nat(15_000) }) },
);

class Group {
  running = new Map<string, Work>([["worker-0", noWork]]);
  tasksOf = new Map<string, number>();
  memory: LeaderMemory = newLeader;
  generation = 0;
  nowMs = 1;
  #count = 1;
  /** Workers that were told to stop something and have not heard of it. */
  #isDeaf = false;

  get configured(): Work {
    const connectors = [...this.tasksOf.keys()].map(connectorName);
    const tasks = connectors.flatMap((name) =>
      Array.from({ length: this.tasksOf.get(name) ?? 0 }, (_, task) => `${name}-${task}`),
    );
    return { connectors, tasks };
  }

  play(what: Event): void {
    this.#count += 1;
    switch (what.at) {
      case "round":
        this.round(what.deaf);
        break;
      case "wait":
        this.nowMs += what.ms;
        break;
      case "elect":
        this.memory = newLeader;
        break;
      case "join":
        this.running.set(`worker-${this.#count}`, noWork);
        break;
      case "leave": {
        const ids = [...this.running.keys()];
        if (ids.length > 1) this.running.delete(ids[this.#count % ids.length] as string);
        break;
      }
      case "create":
        this.tasksOf.set(`c-${this.#count}`, this.#count % 4);
        break;
      case "delete":
        this.tasksOf.delete([...this.tasksOf.keys()][0] ?? "");
        break;
    }
  }

  round(deaf: readonly number[] = []): void {
    const { configured, running: members, generation, nowMs } = this;
    const rounds = { generationBefore: generation, generation: generation + 1 };
    const result = assign(this.memory, { configured, members, ...rounds, nowMs, delayMsMax });
    this.memory = result.memory;
    this.generation += 1;
    const before = union(members.values());
    [...result.changes].forEach(([id, { assigned, revoked }], index) => {
      const runs = members.get(id) ?? noWork;
      // Nothing goes to one worker while another has not given it up.
      assert.deepEqual(minus(assigned, minus(assigned, before)), noWork);
      assert.deepEqual(minus(revoked, runs), noWork);
      if (deaf.includes(index)) this.#isDeaf = true;
      else this.running.set(id, union([minus(runs, revoked), assigned]));
    });
    if (!this.#isDeaf) assert.deepEqual(repeated(this.running.values()), noWork);
    assert.ok(result.delayMs >= 0 && result.delayMs <= delayMsMax);
  }

  /** Whatever the leader waits for is over, again and again. */
  settle(): void {
    for (let round = 0; round < 12; round += 1) {
      this.round();
      this.nowMs += delayMsMax;
    }
  }
}

test("whatever happens, nothing runs twice, and when it is quiet all runs, spread evenly", () => {
  holds(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const group = new Group();
      for (const each of events) group.play(each);
      group.settle();
      const works = [...group.running.values()];
      assert.deepEqual(sorted(union(works)), sorted(group.configured));
      assert.deepEqual(repeated(works), noWork);
      for (const kind of ["connectors", "tasks"] as const) {
        const sizes = works.map((work) => work[kind].length);
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${kind}: ${sizes}`);
      }
    }),
    1_000,
  );
});
