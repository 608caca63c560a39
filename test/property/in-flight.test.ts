/** I1: which source offsets are committed, against a list that knows of every single record. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emptyColumns, nullForm } from "../../src/record/columns.ts";
import { type BatchInFlight, type FailedRun, InFlight } from "../../src/task/in-flight.ts";
import { holds } from "../harness/property.ts";

const partitions = ["a", "b", "c"];

type Outcome = "stored" | "filtered" | "failed" | "refused";

interface RandomRecord {
  readonly partition: number;
  readonly moves: boolean;
  readonly outcome: Outcome;
}

type Step =
  | { at: "batch"; records: RandomRecord[]; pollEnd: boolean }
  | { at: "checkpoint"; partition: number }
  /** A share of all that is on its way gets its outcome, from somewhere in the middle. */
  | { at: "store"; share: number; from: number }
  | { at: "take"; partial: boolean };

const partition = fc.nat({ max: partitions.length - 1 });
const outcomes = ["stored", "filtered", "failed", "refused"] as const;
const steps = (withPartial: boolean, ends: readonly Outcome[] = outcomes): fc.Arbitrary<Step[]> => {
  const record = fc.record({ partition, moves: fc.boolean(), outcome: fc.constantFrom(...ends) });
  return fc.array(
    fc.oneof(
      fc.record({
        at: fc.constant("batch" as const),
        records: fc.array(record, { maxLength: 6 }),
        pollEnd: fc.boolean(),
      }),
      fc.record({ at: fc.constant("checkpoint" as const), partition }),
      fc.record({
        at: fc.constant("store" as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        from: fc.nat(),
      }),
      fc.record({
        at: fc.constant("take" as const),
        partial: withPartial ? fc.boolean() : fc.constant(false),
      }),
    ),
    { maxLength: 30 },
  );
};

/** A record or a checkpoint of the stream. A record of batch 0 is a checkpoint, and needs no storing. */
interface Item {
  readonly partition: string;
  readonly offset: string;
  readonly batch: number;
  readonly index: number;
  readonly outcome: Outcome;
  stored: boolean;
}

function counts({ outcome }: Item): boolean {
  return outcome === "stored" || outcome === "refused";
}

/** The plain way: every item of the stream, in order, for ever. */
class Stream {
  readonly items: Item[] = [];
  readonly onTheWay: Item[] = [];
  readonly inFlight = new InFlight();
  /** What was handed out, newest of each partition. */
  readonly committed = new Map<string, string>();
  acked = { through: 0, outcomes: [] as string[] };
  batches = 0;
  /** How many items there were when a poll last ended. */
  #pollEnds: number[] = [];
  readonly #next = new Map<string, number>();

  run(step: Step): void {
    switch (step.at) {
      case "batch":
        this.#add(step.records, step.pollEnd);
        break;
      case "checkpoint": {
        const name = partitions[step.partition] as string;
        const offset = this.#offset(name, true);
        this.items.push({ partition: name, offset, batch: 0, index: 0, ...checkpoint });
        this.inFlight.addCheckpoint(name, offset);
        break;
      }
      case "store":
        this.store(Math.ceil(step.share * this.onTheWay.length), step.from);
        break;
      case "take":
        this.take(step.partial);
        break;
    }
  }

  #offset(name: string, moves: boolean): string {
    const next = (this.#next.get(name) ?? 0) + (moves ? 1 : 0);
    this.#next.set(name, next);
    return String(next);
  }

  #add(records: readonly RandomRecord[], pollEnd: boolean): void {
    this.batches += 1;
    const batch = this.batches;
    const items = records.map(({ partition: which, moves, outcome }, index) => {
      const name = partitions[which] as string;
      // Records share an offset only within a poll, and none with a checkpoint before it.
      const began = this.#pollEnds.at(-1) ?? 0;
      const before = this.items.slice(began).findLast((one) => one.partition === name);
      const offset = this.#offset(name, moves || before === undefined || before.batch === 0);
      const item = { partition: name, offset, batch, index, outcome, stored: false };
      this.items.push(item);
      return item;
    });
    this.onTheWay.push(...items);
    if (pollEnd) this.#pollEnds.push(this.items.length);
    this.inFlight.add(batchOf(batch, items), pollEnd);
  }

  store(count: number, from: number): void {
    for (let n = 0; n < count && this.onTheWay.length > 0; n += 1) {
      const [item] = this.onTheWay.splice(from % this.onTheWay.length, 1) as [Item];
      item.stored = true;
      this.#settle(item);
    }
  }

  #settle({ batch, index, outcome }: Item): void {
    if (outcome === "stored") this.inFlight.stored(batch, [index], 0, 1);
    else if (outcome === "filtered") this.inFlight.filtered(batch, index);
    else this.inFlight.failed(batch, index, failedRun, outcome === "refused");
  }

  take(partial: boolean): void {
    const taken = this.inFlight.takeCommittable({ partial });
    for (const { partition: name, offset } of taken) this.committed.set(name, offset as string);
    const acked = this.inFlight.takeAcked();
    if (acked === undefined) return;
    assert.ok(acked.through > this.acked.through, "acks go forward");
    this.acked.through = acked.through;
    for (const { count, outcome } of acked.runs) {
      for (let n = 0; n < count; n += 1) this.acked.outcomes.push(outcome);
    }
  }

  /** Nothing handed out lies behind a record without an outcome, nor splits records of one offset. */
  checkSafe(): void {
    for (const [name, offset] of this.committed) {
      const last = this.items.findLastIndex(
        (one) => one.partition === name && one.offset === offset,
      );
      const gap = this.items.slice(0, last + 1).find((one) => !one.stored);
      assert.equal(gap, undefined, `${name}:${offset} overtook a record`);
      const isOfOne = this.items.some(
        (one) => one.partition === name && one.offset === offset && counts(one),
      );
      assert.ok(isOfOne, `${name}:${offset} is only of records that were left out`);
    }
  }

  /** The newest offset that may be committed by whole batches, found by looking at everything. */
  expected(name: string): string | undefined {
    const unfinished = this.items.find((one) => !one.stored)?.batch;
    const end =
      unfinished === undefined
        ? this.items.length
        : this.items.findIndex((one) => one.batch === unfinished);
    for (let at = end - 1; at >= 0; at -= 1) {
      const item = this.items[at] as Item;
      if (item.partition !== name) continue;
      if (item.batch === 0) return item.offset;
      // Only the last one of its batch speaks for it.
      const later = this.items.slice(at + 1).filter((one) => one.partition === name);
      if (later[0]?.batch === item.batch) continue;
      if (later[0]?.batch === 0 && !this.#pollEndedBetween(at, this.items.indexOf(later[0]))) {
        // A checkpoint came before it was known to be the last of its offset: it stands for both.
        continue;
      }
      const shared = later[0] !== undefined && later[0].offset === item.offset;
      if (shared) continue;
      if (later[0] !== undefined || this.#pollEnds.some((length) => length > at)) {
        return item.offset;
      }
    }
    return undefined;
  }

  #pollEndedBetween(at: number, later: number): boolean {
    return this.#pollEnds.some((length) => length > at && length <= later);
  }
}

const checkpoint = { outcome: "stored", stored: true } as const;
const failedRun: FailedRun = {
  ...{ count: 1, outcome: "failed", stage: "TRANSFORMATION" },
  failure: {
    ...{ code: "data", class: "data", text: "no", hint: "", exceptionClass: "", stack: "" },
    causes: [],
  },
};

function batchOf(batchSeq: number, items: readonly Item[]): BatchInFlight {
  const columns = emptyColumns();
  const texts = items.map(({ offset }, at) => (offset === items[at - 1]?.offset ? "" : offset));
  columns.count = items.length;
  columns.sourcePartitions = Uint32Array.from(
    items.map((one) => partitions.indexOf(one.partition) + 1),
  );
  columns.offsetSizes = Uint32Array.from(texts.map((text) => (text === "" ? 1 : text.length + 2)));
  columns.offsetArena = Buffer.from(texts.join(""));
  const definitions = {
    topics: [],
    names: [],
    forms: [nullForm],
    partitions: [undefined, ...partitions],
  };
  return { batchSeq, columns, definitions, offsetMode: "per-record" };
}

test("I1: no offset overtakes a record, whatever has its outcome when, also when a task ends", () => {
  holds(
    fc.property(steps(true), (all) => {
      const stream = new Stream();
      for (const step of all) {
        stream.run(step);
        stream.checkSafe();
      }
    }),
    1_000,
  );
});

test("whole batches commit exactly what a list of every record says may be committed", () => {
  holds(
    fc.property(steps(false, ["stored"]), (all) => {
      const stream = new Stream();
      for (const step of all) {
        stream.run(step);
        stream.take(false);
        for (const name of partitions) {
          assert.equal(stream.committed.get(name), stream.expected(name), `partition ${name}`);
        }
      }
    }),
    1_000,
  );
});

test("once all have outcomes and the poll has ended, the last offsets that count are out and all is acknowledged", () => {
  holds(
    fc.property(steps(true), (all) => {
      const stream = new Stream();
      for (const step of all) stream.run(step);
      stream.run({ at: "batch", records: [], pollEnd: true });
      stream.store(stream.onTheWay.length, 0);
      stream.take(false);
      for (const name of partitions) {
        const last = stream.items.findLast((one) => one.partition === name && counts(one));
        assert.equal(stream.committed.get(name), last?.offset, `partition ${name}`);
      }
      const ends = stream.items
        .filter((one) => one.batch > 0)
        .map(({ outcome }) => (outcome === "refused" ? "failed" : outcome));
      assert.deepEqual(stream.acked, { through: stream.batches, outcomes: ends });
    }),
    1_000,
  );
});
