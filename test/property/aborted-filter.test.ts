/** Reading what was committed, whatever the order of transactions and wherever the reading begins. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FetchedChunk } from "../../src/kafka/reader/fetched-chunk.ts";
import { recordsOf } from "../harness/embedded-log.ts";
import { StoredPartition } from "../harness/kafka/stored-partition.ts";
import { holdsAsync } from "../harness/property.ts";

const steps = fc.array(
  fc.record({
    producer: fc.integer({ min: 0, max: 2 }),
    does: fc.constantFrom("write", "write", "plain", "abort", "commit"),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 40, size: "max" },
);
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** A partition, and the offsets of what was neither aborted nor is still open. */
function play(given: typeof steps extends fc.Arbitrary<infer S> ? S : never) {
  const log = new StoredPartition();
  const committed = new Set<number>();
  const pending = new Map<number, number[]>();
  for (const { producer, does, count } of given) {
    const values = Array.from({ length: count }, () => "v");
    const offsets = values.map((_, n) => log.endOffset + n);
    if (does === "plain") for (const offset of offsets) committed.add(offset);
    if (does === "plain") log.append(values);
    if (does === "write") pending.set(producer, [...(pending.get(producer) ?? []), ...offsets]);
    if (does === "write") log.append(values, producer);
    if (does !== "abort" && does !== "commit") continue;
    log.end(producer, does);
    if (does === "commit") for (const offset of pending.get(producer) ?? []) committed.add(offset);
    pending.delete(producer);
  }
  return { log, committed };
}

/** Everything from the offset on, fetch by fetch. */
async function readFrom(log: StoredPartition, offset: number, maxBytes: number): Promise<number[]> {
  const read: number[] = [];
  for (let at = offset; at < log.lastStableOffset; ) {
    const asked = { topic: "t", partition: 0, leaderEpoch: -1, offset: at, maxBytes };
    const answer = log.fetch(asked, true);
    const chunk = new FetchedChunk(answer, at, { chunks: 0, release: () => {} }, "broker-1:9092");
    assert.ok(chunk.hasBatches);
    while (chunk.leftBytes > 0) {
      const fetched = await chunk.open((bytes) => new Uint8Array(bytes));
      read.push(...recordsOf([fetched]).map((record) => record.offset));
      assert.equal(fetched.firstOffset, at);
      assert.ok(fetched.nextOffset > at);
      at = fetched.nextOffset;
    }
    assert.equal(at, chunk.nextOffset);
  }
  return read;
}

test("what was committed is read, all of it and nothing else, from any offset on", async () => {
  await holdsAsync(
    fc.asyncProperty(steps, share, share, async (given, where, howMuch) => {
      const { log, committed } = play(given);
      const offset = Math.floor(where * log.endOffset);
      const read = await readFrom(log, offset, 100 + Math.floor(howMuch * 2_000));
      const isThere = (each: number) => each >= offset && each < log.lastStableOffset;
      assert.deepEqual(
        read,
        [...committed].filter(isThere).sort((a, b) => a - b),
      );
    }),
    400,
  );
});
