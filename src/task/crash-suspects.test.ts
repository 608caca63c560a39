import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fetched } from "../kafka/kafka.ts";
import { CrashSuspects, recordsLeftOutMax, type SuspectRange } from "./crash-suspects.ts";
import { PutFence } from "./put-fence.ts";

interface Trial {
  /** Records of each partition. */
  readonly lengths: readonly number[];
  readonly putRecordsMax: number;
  readonly putsInFlightMax: number;
  readonly crashesMax: number;
  /** Offsets of each partition. */
  readonly poison: readonly ReadonlySet<number>[];
}

interface Outcome {
  readonly delivered: readonly ReadonlySet<number>[];
  readonly found: readonly string[];
  readonly crashes: number;
}

/** The records of one put, or of several. */
type Records = { partition: number; offset: number }[];

/** A task that starts again whenever its plugin has died; nothing is committed before it has ended. */
function play(trial: Trial): Outcome {
  const suspects = new CrashSuspects(trial.crashesMax);
  const delivered = trial.lengths.map(() => new Set<number>());
  const found: string[] = [];
  let crashes = 0;
  while (!runOnce(trial, suspects, delivered, found)) {
    crashes += 1;
    assert.ok(crashes < 10_000, "it ends");
  }
  return { delivered, found, crashes };
}

/** False when the plugin died. */
function runOnce(
  trial: Trial,
  suspects: CrashSuspects,
  delivered: readonly Set<number>[],
  found: string[],
): boolean {
  const fence = new PutFence(suspects);
  let inFlight: Records[] = [];
  let put: Records = [];
  /** False when it died. */
  const drain = (): boolean => {
    for (const [index, one] of inFlight.entries()) {
      if (one.some(({ partition, offset }) => trial.poison[partition]?.has(offset))) {
        const verdict = suspects.died(inFlight.slice(index).flatMap(rangesOf));
        if (verdict.at === "found") {
          const { partition, offset } = verdict.record;
          found.push(`${partition}@${offset}`);
          suspects.leaveOut(verdict.record);
        }
        return false;
      }
      for (const { partition, offset } of one) {
        delivered[partition]?.add(offset);
        suspects.passed({ topic: "t", partition, offset: offset + 1 });
      }
    }
    inFlight = [];
    return true;
  };
  const send = (): boolean => {
    const alone = fence.isInside && put.length > 0;
    if (alone && !drain()) return false;
    if (put.length > 0) inFlight.push(put);
    put = [];
    return alone || inFlight.length >= trial.putsInFlightMax ? drain() : true;
  };
  for (const [partition, length] of trial.lengths.entries()) {
    fence.start(fetchedOf(partition));
    for (let offset = 0; offset < length; ) {
      const verdict = offset < fence.from ? "take" : fence.judge(offset, put.length);
      if (verdict === "send" || put.length >= trial.putRecordsMax) {
        if (!send()) return false;
        continue;
      }
      if (verdict === "take") put.push({ partition, offset });
      offset += 1;
    }
    if (fence.isInside && !send()) return false;
  }
  return send() && drain();
}

function fetchedOf(partition: number): Fetched {
  const batches = new Uint8Array(0);
  return { topic: "t", partition, batches, firstOffset: 0, nextOffset: 0, recordCount: 0 };
}

function rangesOf(put: Records): SuspectRange[] {
  const ranges: SuspectRange[] = [];
  for (const partition of new Set(put.map((one) => one.partition))) {
    const offsets = put.filter((one) => one.partition === partition).map((one) => one.offset);
    const first = offsets[0] as number;
    const last = offsets.at(-1) as number;
    ranges.push({ topic: "t", partition, first, last, count: offsets.length });
  }
  return ranges;
}

/** The first crash, the parts of at most 80,000 records, the parts of those; then the record alone. */
const crashesOfOneMax = (crashesMax: number) => 3 + crashesMax;

function check(trial: Trial): Outcome {
  const outcome = play(trial);
  const poison = trial.poison.flatMap((offsets, partition) =>
    [...offsets].map((offset) => `${partition}@${offset}`),
  );
  assert.deepEqual([...outcome.found].sort(), poison.sort(), "exactly the poison is left out");
  for (const [partition, length] of trial.lengths.entries()) {
    const expected = length - (trial.poison[partition]?.size ?? 0);
    assert.equal(outcome.delivered[partition]?.size, expected, "every other record is delivered");
  }
  const bound = poison.length * crashesOfOneMax(trial.crashesMax);
  assert.ok(outcome.crashes <= bound, `${outcome.crashes} crashes, at most ${bound}`);
  return outcome;
}

const cases: { name: string; records: number; poison: number[]; put: number; crashes: number }[] = [
  { name: "none", records: 1_000, poison: [], put: 500, crashes: 0 },
  { name: "one in a small put", records: 20, poison: [7], put: 500, crashes: 4 },
  { name: "a put of one", records: 1, poison: [0], put: 500, crashes: 3 },
  { name: "the first", records: 1_000, poison: [0], put: 500, crashes: 5 },
  { name: "the last", records: 1_000, poison: [999], put: 500, crashes: 5 },
  { name: "one in a large put", records: 10_000, poison: [5_432], put: 10_000, crashes: 6 },
  { name: "neighbours", records: 100, poison: [50, 51], put: 500, crashes: 10 },
];
for (const { name, records, poison, put, crashes } of cases) {
  test(`a record that kills is found after few crashes: ${name}`, () => {
    const outcome = check({
      lengths: [records],
      putRecordsMax: put,
      putsInFlightMax: 1,
      crashesMax: 3,
      poison: [new Set(poison)],
    });
    assert.ok(outcome.crashes <= crashes, `${outcome.crashes} crashes, at most ${crashes}`);
  });
}

test("whatever kills, exactly that is left out and everything else delivered", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    let state = seed;
    const below = (bound: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % bound;
    };
    const lengths = Array.from({ length: 1 + below(3) }, () => 1 + below(2_000));
    const poison = lengths.map(
      (length) => new Set(Array.from({ length: below(5) }, () => below(length))),
    );
    const trial = {
      lengths,
      poison,
      putRecordsMax: 1 + below(700),
      putsInFlightMax: 1 + below(5),
      crashesMax: 1 + below(4),
    };
    try {
      check(trial);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

const alone = (offset: number): SuspectRange[] => [
  { topic: "t", partition: 0, first: offset, last: offset, count: 1 },
];

test("a record that passes in between is not suspected any more", () => {
  const suspects = new CrashSuspects(2);
  assert.equal(suspects.died(alone(5)).at, "narrowed");
  suspects.passed({ topic: "t", partition: 0, offset: 6 });
  assert.equal(suspects.died(alone(5)).at, "narrowed");
  assert.equal(suspects.died(alone(5)).at, "found");
});

test("a death without records on their way is no record's fault", () => {
  const suspects = new CrashSuspects(1);
  assert.deepEqual(suspects.died([]), { at: "unknown" });
});

test("where every put kills there is no progress, and with a put that is taken there is", () => {
  const suspects = new CrashSuspects(1);
  const foundAt = (offset: number) => {
    const verdict = suspects.died(alone(offset));
    assert.equal(verdict.at, "found");
    if (verdict.at !== "found") return;
    suspects.leaveOut(verdict.record);
    return verdict.isProgress;
  };
  assert.equal(foundAt(0), true);
  assert.equal(foundAt(1), false);
  suspects.passed({ topic: "t", partition: 0, offset: 3 });
  assert.equal(foundAt(3), true);
});

test("I5: of many records that kill, the newest are remembered", () => {
  const suspects = new CrashSuspects(1);
  for (let offset = 0; offset <= recordsLeftOutMax; offset += 1) {
    suspects.leaveOut({ topic: "t", partition: 0, offset });
  }
  assert.equal(suspects.partition({ topic: "t", partition: 0 })?.at(0), undefined);
  assert.equal(suspects.partition({ topic: "t", partition: 0 })?.at(1), "left-out");
  assert.equal(suspects.partition({ topic: "t", partition: 0 })?.leftOut.size, recordsLeftOutMax);
});

test("another log of the partition is not suspected of what the old one held", () => {
  const suspects = new CrashSuspects(1);
  suspects.leaveOut({ topic: "t", partition: 0, offset: 4 });
  suspects.forget({ topic: "t", partition: 0 });
  assert.equal(suspects.partition({ topic: "t", partition: 0 }), undefined);
});
