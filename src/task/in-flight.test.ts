import assert from "node:assert/strict";
import { test } from "node:test";
import { type Columns, type Definitions, emptyColumns, nullForm } from "../record/columns.ts";
import { InFlight } from "./in-flight.ts";

/** Records as `partition:offset`; a repeated offset text is packed as "same as before". */
function batchOf(batchSeq: number, records: readonly string[], known: string[]) {
  const columns: Columns = emptyColumns();
  const partitions: number[] = [];
  const sizes: number[] = [];
  const texts: string[] = [];
  let before: string | undefined;
  for (const record of records) {
    const [partition, offset] = record.split(":") as [string, string];
    if (!known.includes(partition)) known.push(partition);
    partitions.push(known.indexOf(partition) + 1);
    if (offset === before) sizes.push(1);
    else {
      sizes.push(offset.length + 2);
      texts.push(offset);
    }
    before = offset;
  }
  columns.count = records.length;
  columns.sourcePartitions = Uint32Array.from(partitions);
  columns.offsetSizes = Uint32Array.from(sizes);
  columns.offsetArena = Buffer.from(texts.join(""));
  const definitions: Definitions = {
    topics: [],
    names: [],
    forms: [nullForm],
    partitions: [undefined, ...known],
  };
  return { batchSeq, columns, definitions, offsetMode: "per-record" as const };
}

const all = (count: number) => Array.from({ length: count }, (_, index) => index);

function committable(inFlight: InFlight, partial = false): Record<string, string | null> {
  const offsets = inFlight.takeCommittable({ partial });
  return Object.fromEntries(offsets.map(({ partition, offset }) => [partition, offset]));
}

test("I1: an offset is not committed while a record before it has no outcome", () => {
  const inFlight = new InFlight();
  const known: string[] = [];
  inFlight.add(batchOf(1, ["a:1", "a:2"], known), true);
  inFlight.add(batchOf(2, ["a:3"], known), true);
  inFlight.stored(2, [0], 0, 1);
  inFlight.stored(1, [1], 0, 1);
  assert.deepEqual(committable(inFlight), {});
  assert.equal(inFlight.takeAcked(), undefined);
  inFlight.stored(1, [0], 0, 1);
  assert.deepEqual(committable(inFlight), { a: "3" });
  assert.deepEqual(inFlight.takeAcked(), { through: 2, runs: [{ count: 3, outcome: "stored" }] });
});

test("records that share an offset are not split between two polls' messages", () => {
  const inFlight = new InFlight();
  const known: string[] = [];
  inFlight.add(batchOf(1, ["a:1", "a:2", "a:2"], known), false);
  inFlight.stored(1, all(3), 0, 3);
  assert.deepEqual(committable(inFlight), {}, "the next message may have more records of offset 2");
  inFlight.add(batchOf(2, ["a:2", "a:3"], known), true);
  assert.deepEqual(committable(inFlight), {}, "offset 2 now waits for the second message");
  inFlight.stored(2, all(2), 0, 2);
  assert.deepEqual(committable(inFlight), { a: "3" });
});

test("the end of a poll, or another offset of the partition, releases what is stored", () => {
  const inFlight = new InFlight();
  const known: string[] = [];
  inFlight.add(batchOf(1, ["a:1", "b:1"], known), false);
  inFlight.stored(1, all(2), 0, 2);
  inFlight.add(batchOf(2, ["a:2"], known), false);
  assert.deepEqual(committable(inFlight), { a: "1" }, "nothing has followed for b");
  inFlight.add(batchOf(3, [], known), true);
  assert.deepEqual(committable(inFlight), { b: "1" });
  inFlight.stored(2, [0], 0, 1);
  assert.deepEqual(committable(inFlight), { a: "2" });
});

test("a task that ends may commit the stored beginning of an unfinished batch", () => {
  const inFlight = new InFlight();
  inFlight.add(batchOf(1, ["a:1", "a:2", "a:2", "a:3"], []), true);
  inFlight.stored(1, [0, 1], 0, 2);
  assert.deepEqual(committable(inFlight), {});
  assert.deepEqual(committable(inFlight, true), { a: "1" }, "a record of offset 2 is not stored");
  inFlight.stored(1, [2], 0, 1);
  assert.deepEqual(committable(inFlight, true), { a: "2" });
});

test("a checkpoint waits for the records before it", () => {
  const inFlight = new InFlight();
  inFlight.add(batchOf(1, ["a:1"], []), true);
  inFlight.addCheckpoint("a", "5");
  assert.deepEqual(committable(inFlight), {});
  inFlight.stored(1, [0], 0, 1);
  assert.deepEqual(committable(inFlight), { a: "5" });
});

test("I5: checkpoints that follow each other are one, and the newest of a partition counts", () => {
  const inFlight = new InFlight();
  inFlight.add(batchOf(1, ["a:1"], []), true);
  for (let offset = 2; offset <= 500; offset += 1) {
    inFlight.addCheckpoint("a", String(offset));
    inFlight.addCheckpoint("b", String(offset));
  }
  assert.equal(inFlight.waitingCheckpoints, 2);
  inFlight.stored(1, [0], 0, 1);
  assert.equal(inFlight.waitingCheckpoints, 0);
  assert.deepEqual(committable(inFlight), { a: "500", b: "500" });
});

test("the offsets of a failed commit come back unless newer ones are there", () => {
  const inFlight = new InFlight();
  const known: string[] = [];
  inFlight.add(batchOf(1, ["a:1", "b:1"], known), true);
  inFlight.stored(1, all(2), 0, 2);
  const failed = inFlight.takeCommittable();
  inFlight.add(batchOf(2, ["a:2"], known), true);
  inFlight.stored(2, [0], 0, 1);
  inFlight.giveBack(failed);
  assert.deepEqual(committable(inFlight), { a: "2", b: "1" });
});

for (const { name, offset } of [
  { name: "no JSON", offset: "position 5" },
  { name: "nothing", offset: "" },
  { name: "no UTF-8", offset: '"\xff"' },
]) {
  test(`an offset that is ${name} fails the task instead of every commit after it`, () => {
    const inFlight = new InFlight();
    inFlight.add(batchOf(1, ["a:1"], []), true);
    inFlight.stored(1, [0], 0, 1);
    const bad = batchOf(2, ["a:2", `a:${offset}`], ["a"]);
    bad.columns.offsetArena = Buffer.from(`2${offset}`, "latin1");
    assert.throws(() => inFlight.add(bad, true), {
      code: "plugin.protocol_error",
      message: /an offset of source partition a that is not JSON/,
    });
    assert.deepEqual(committable(inFlight), { a: "1" });
  });
}

test("I1: of an unfinished batch an offset that is no JSON is not committed", () => {
  const inFlight = new InFlight();
  inFlight.add(batchOf(1, ["a:1", "a:x", "a:3"], []), true);
  inFlight.stored(1, [0, 1], 0, 2);
  assert.deepEqual(committable(inFlight, true), { a: "1" });
});

test("I7: a record cannot have two outcomes", () => {
  const inFlight = new InFlight();
  inFlight.add(batchOf(1, ["a:1", "a:2"], []), true);
  inFlight.stored(1, [0], 0, 1);
  assert.throws(() => inFlight.stored(1, [0], 0, 1), /two outcomes/);
});

test("I1: outcomes in any order never let an offset overtake a record (seeded)", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const inFlight = new InFlight();
    const known: string[] = [];
    const stream: { partition: string; offset: number; stored: boolean; batch: number }[] = [];
    const open: { batch: number; index: number; at: number }[] = [];
    const next: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let batch = 1; batch <= 6; batch += 1) {
      const texts: string[] = [];
      const count = Math.floor(random() * 6);
      for (let index = 0; index < count; index += 1) {
        const partition = "abc"[Math.floor(random() * 3)] as string;
        next[partition] = (next[partition] ?? 0) + (random() < 0.4 ? 0 : 1);
        const offset = next[partition] as number;
        texts.push(`${partition}:${offset}`);
        open.push({ batch, index, at: stream.length });
        stream.push({ partition, offset, stored: false, batch });
      }
      const pollEnd = random() < 0.5;
      inFlight.add(batchOf(batch, texts, known), pollEnd);
      if (pollEnd) for (const partition of "abc") next[partition] = (next[partition] ?? 0) + 1;
      while (open.length > 0 && random() < 0.6) {
        const [one] = open.splice(Math.floor(random() * open.length), 1);
        if (one === undefined) break;
        inFlight.stored(one.batch, [one.index], 0, 1);
        (stream[one.at] as (typeof stream)[number]).stored = true;
        for (const { partition, offset } of inFlight.takeCommittable({ partial: random() < 0.3 })) {
          checkSafe(stream, partition, Number(offset), seed);
        }
      }
    }
  }
});

function checkSafe(
  stream: readonly { partition: string; offset: number; stored: boolean }[],
  partition: string,
  offset: number,
  seed: number,
): void {
  const last = stream.findLastIndex((one) => one.partition === partition && one.offset === offset);
  const gap = stream.slice(0, last + 1).find((one) => !one.stored);
  assert.equal(gap, undefined, `seed ${seed}: ${partition}:${offset} overtook a record`);
}

function seeded(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}
