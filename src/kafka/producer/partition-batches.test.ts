/** Places in a partition's sequence: given once, in order, and anew only when that is safe. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PendingBatch } from "../../batch/pending-batch.ts";
import { newRecordSlice } from "../../record/record-slice.ts";
import { PartitionBatches } from "./partition-batches.ts";
import { ProduceBatch } from "./produce-batch.ts";

const receipt = { stored: () => {}, failed: () => {} };
const first = { id: 7, epoch: 0 };

function batch(recordCount: number): ProduceBatch {
  const made = new ProduceBatch(new PendingBatch(), 0, 0);
  for (let n = 0; n < recordCount; n += 1) made.pending.add(newRecordSlice(), 0, receipt, n);
  return made;
}

function queueOf(...counts: number[]): { queue: PartitionBatches; batches: ProduceBatch[] } {
  const queue = new PartitionBatches({ name: "t" }, 0);
  const batches = counts.map(batch);
  queue.sealed.push(...batches);
  return { queue, batches };
}

const sequences = (batches: readonly ProduceBatch[]) =>
  batches.map(({ place }) => place?.baseSequence);

function fly(queue: PartitionBatches, each: ProduceBatch): void {
  each.isInFlight = true;
  queue.inFlightCount += 1;
}

function land(queue: PartitionBatches, each: ProduceBatch): void {
  each.isInFlight = false;
  queue.inFlightCount -= 1;
}

test("a place is kept, and sequences wrap at 2^31", () => {
  const { queue, batches } = queueOf(2 ** 10, 3);
  const [long, short] = batches as [ProduceBatch, ProduceBatch];
  queue.number(long, first);
  queue.number(long, { id: 8, epoch: 0 });
  assert.deepEqual(long.place, { id: 7, epoch: 0, baseSequence: 0 });
  // As after 2^31 - 1 records.
  const late = queueOf(2, 3);
  Object.defineProperty(late.batches[0], "recordCount", { value: 2 ** 31 - 1 });
  for (const each of late.batches) late.queue.number(each, first);
  late.queue.sealed.push(batch(1));
  late.queue.number(late.queue.sealed[2]!, first);
  assert.deepEqual(sequences(late.queue.sealed), [0, 2 ** 31 - 1, 2]);
  queue.number(short, first);
  assert.deepEqual(sequences(batches), [0, 2 ** 10]);
});

test("a partition takes a new identity only when nothing has a place under the old one", () => {
  const { queue, batches } = queueOf(2, 2);
  const [one, two] = batches as [ProduceBatch, ProduceBatch];
  queue.number(one, first);
  queue.number(two, { id: 7, epoch: 1 });
  assert.deepEqual(two.place, { id: 7, epoch: 0, baseSequence: 2 });
  for (const each of batches) each.outcome = { at: "stored", baseOffset: 0, logAppendTimeMs: -1 };
  while (queue.takeEnded() !== undefined);
  const three = batch(1);
  queue.sealed.push(three);
  queue.number(three, { id: 7, epoch: 1 });
  assert.deepEqual(three.place, { id: 7, epoch: 1, baseSequence: 0 });
});

test("the first batch goes alone, then five may be without an answer, and no sixth", () => {
  const { queue, batches } = queueOf(1, 1, 1, 1, 1, 1, 1);
  queue.number(batches[0]!, first);
  fly(queue, batches[0]!);
  assert.equal(queue.next(true), undefined);
  assert.equal(queue.next(false), batches[1]);
  land(queue, batches[0]!);
  queue.proved();
  for (const each of batches.slice(0, 5)) {
    assert.equal(queue.next(true), each);
    queue.number(each, first);
    fly(queue, each);
  }
  assert.equal(queue.next(true), undefined);
  // Those behind the first are stored: the first would be the sixth last after one more.
  for (const each of batches.slice(1, 5)) {
    land(queue, each);
    each.outcome = { at: "stored", baseOffset: 1, logAppendTimeMs: -1 };
  }
  assert.equal(queue.next(true), undefined);
  land(queue, batches[0]!);
  assert.equal(queue.next(true), batches[0]);
});

test("after a failure nothing goes before all in flight is answered, then in order", () => {
  const { queue, batches } = queueOf(1, 1, 1);
  for (const each of batches.slice(0, 2)) {
    queue.number(each, first);
    fly(queue, each);
  }
  queue.proved();
  queue.isRecovering = true;
  land(queue, batches[0]!);
  assert.equal(queue.next(true), undefined);
  land(queue, batches[1]!);
  assert.equal(queue.next(true), batches[0]);
});

test("places are given anew only when nothing behind the first can be stored", () => {
  const { queue, batches } = queueOf(2, 2);
  for (const each of batches) queue.number(each, first);
  const [one, two] = batches as [ProduceBatch, ProduceBatch];
  two.isRefused = true;
  assert.equal(queue.needsNewPlaces, false);
  one.isRefused = true;
  two.mayBeStored = true;
  assert.equal(queue.needsNewPlaces, false);
  two.mayBeStored = false;
  fly(queue, two);
  assert.equal(queue.needsNewPlaces, false);
  land(queue, two);
  assert.equal(queue.needsNewPlaces, true);
  queue.forgetPlaces();
  for (const each of batches) queue.number(each, { id: 7, epoch: 1 });
  assert.deepEqual(sequences(batches), [0, 2]);
  assert.equal(two.place?.epoch, 1);
});

test("two halves have the numbers of the whole, across the wrap too", () => {
  const { queue, batches } = queueOf(3, 1);
  const [whole, next] = batches as [ProduceBatch, ProduceBatch];
  for (const each of batches) queue.number(each, first);
  whole.place = { id: 7, epoch: 0, baseSequence: 2 ** 31 - 1 };
  const half = batch(0);
  whole.pending.splitInto(half.pending);
  queue.addHalf(whole, half);
  assert.deepEqual(queue.sealed, [whole, half, next]);
  assert.deepEqual(sequences(queue.sealed), [2 ** 31 - 1, whole.recordCount - 1, 3]);
  assert.deepEqual(
    queue.sealed.map(({ ordinal }) => ordinal),
    [0, 1, 2],
  );
});
