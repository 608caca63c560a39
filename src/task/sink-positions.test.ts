import assert from "node:assert/strict";
import { test } from "node:test";
import { SinkPositions } from "./sink-positions.ts";

const at = (offset: number, partition = 0) => ({ topic: "t", partition, offset });
const run = (firstOffset: number, nextOffset: number, partition = 0) => {
  return { topic: "t", partition, firstOffset, nextOffset };
};

function assigned(): SinkPositions {
  const positions = new SinkPositions();
  positions.assign([at(10), at(20, 1)]);
  return positions;
}

test("I2: a flush names only what the plugin has taken", () => {
  const positions = assigned();
  positions.sent(run(10, 15));
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
  positions.sent(run(10, 15));
  positions.sent(run(20, 22, 1));
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
  positions.sent(run(10, 15));
  positions.sent(run(20, 30, 1));
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

test("a log that was cut off is read and committed from where it begins anew", () => {
  const positions = assigned();
  positions.sent(run(10, 15));
  positions.took([at(15)]);
  positions.committed([at(15)]);
  assert.equal(positions.sent(run(15, 17)), false);
  positions.took([at(17)]);
  assert.equal(positions.sent(run(17, 3)), true, "it says so");
  assert.equal(positions.sent(run(3, 17)), false);
  positions.restart(at(3));
  assert.deepEqual(positions.toFlush(), [at(3)], "the group must not keep the old offset");
  assert.deepEqual(positions.safe([at(3)], [at(3)]), [at(3)]);
  assert.deepEqual(positions.rewindToCommitted(), [at(3), at(20, 1)]);
  positions.sent(run(3, 17));
  positions.took([at(17)]);
  assert.deepEqual(positions.toFlush(), [at(17)]);
});

test("what comes again in a log that was cut off and was not put is read once more", () => {
  const positions = assigned();
  positions.sent(run(10, 15));
  positions.took([at(15)]);
  positions.sent(run(3, 15));
  assert.deepEqual(positions.takeUnsent(), [at(15)], "the log says again where it begins");
  assert.deepEqual(positions.takeUnsent(), []);
});

test("I2: nothing past a record whose failure is not settled is committed", () => {
  const positions = assigned();
  positions.took([at(15), at(25, 1)]);
  const named = positions.toFlush();
  positions.failed(at(12));
  assert.deepEqual(positions.safe(named, named), [at(25, 1)]);
  assert.deepEqual(positions.toFlush(), [at(12), at(25, 1)]);
  positions.failed(null);
  assert.deepEqual(positions.toFlush(), [], "a record of its own may be any");
});
