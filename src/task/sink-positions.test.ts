import assert from "node:assert/strict";
import { test } from "node:test";
import { SinkPositions } from "./sink-positions.ts";

const at = (offset: number, partition = 0) => ({ topic: "t", partition, offset });

function assigned(): SinkPositions {
  const positions = new SinkPositions();
  positions.assign([at(10), at(20, 1)]);
  return positions;
}

test("I2: a flush names only what the plugin has taken", () => {
  const positions = assigned();
  positions.sent(at(15));
  assert.deepEqual(positions.toFlush(), []);
  positions.took([at(15)]);
  assert.deepEqual(positions.toFlush(), [at(15)]);
});

test("I2: nothing beyond what the flush named is committed, whatever the plugin calls safe", () => {
  const positions = assigned();
  positions.took([at(15)]);
  const named = positions.toFlush();
  const safe = positions.safe(named, [at(14), at(99), at(25, 1), at(1, 7)]);
  assert.deepEqual(safe, [at(14)]);
});

test("I2: a partition whose rewind came before the answer is not committed", () => {
  const positions = assigned();
  positions.took([at(15), at(22, 1)]);
  const named = positions.toFlush();
  positions.markRewinding([at(12)]);
  assert.deepEqual(positions.safe(named, named), [at(22, 1)]);
  assert.deepEqual(positions.toFlush(), [at(22, 1)], "and is not named until it is applied");
  assert.deepEqual(positions.rewind([at(12)]), [at(12)]);
  assert.deepEqual(positions.takeUnsent(), []);
});

test("what was sent and not taken is read again, once", () => {
  const positions = assigned();
  positions.sent(at(15));
  positions.sent(at(30, 1));
  positions.took([at(12)]);
  assert.deepEqual(positions.takeUnsent(), [at(12), at(20, 1)]);
  assert.deepEqual(positions.takeUnsent(), []);
});

test("after a failed flush everything is read again from what is committed", () => {
  const positions = assigned();
  positions.took([at(15), at(22, 1)]);
  positions.committed([at(15)]);
  positions.took([at(18)]);
  assert.deepEqual(positions.rewindToCommitted(), [at(15), at(20, 1)]);
  assert.deepEqual(positions.toFlush(), []);
});

test("a partition that is no longer owned is neither rewound nor committed", () => {
  const positions = assigned();
  positions.took([at(15)]);
  const named = positions.toFlush();
  positions.forget([at(0)]);
  assert.deepEqual(positions.safe(named, named), []);
  assert.deepEqual(positions.rewind([at(3)]), []);
});
