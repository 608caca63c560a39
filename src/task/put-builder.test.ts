import assert from "node:assert/strict";
import { test } from "node:test";
import { PutBuilder } from "./put-builder.ts";

const limits = { recordsMax: 100, bytesMax: 1 << 20, arenaBytesGoal: 1 << 19 };
const bytes = Buffer.from("keyvalue");

test("columns whose values are all alike shrink to one value, or to none where that is the default", () => {
  const builder = new PutBuilder(limits);
  for (let offset = 5; offset < 8; offset += 1) {
    builder.record(1, 0, offset, 1_000 + offset, 1);
    builder.key(0, bytes, -1, -1);
    builder.value(2, bytes, 3, 8);
  }
  const columns = builder.columns();
  assert.equal(columns.count, 3);
  assert.deepEqual([...columns.topics], [1]);
  assert.deepEqual([...columns.partitions], [1]);
  assert.deepEqual([...columns.keySizes], []);
  assert.deepEqual([...columns.keyForms], []);
  assert.deepEqual([...columns.valueForms], [2]);
  assert.deepEqual([...columns.valueSizes], [6, 6, 6]);
  assert.deepEqual([...columns.timestamps], [1_005, 1_006, 1_007]);
  assert.deepEqual([...columns.timestampTypes], []);
  assert.deepEqual([...columns.offsets], [5, 6, 7]);
  assert.equal(Buffer.from(columns.arena).toString(), "valuevaluevalue");
});

test("a null differs from empty bytes, and headers follow their record's value", () => {
  const builder = new PutBuilder(limits);
  builder.record(1, 0, 0, -1, 0);
  builder.key(3, bytes, 0, 3);
  builder.value(0, bytes, -1, -1);
  builder.header(1, 3, bytes, 3, 5);
  builder.record(1, 1, 9, -1, 0);
  builder.key(3, bytes, 0, 0);
  builder.value(3, bytes, 7, 8);
  const columns = builder.columns();
  assert.deepEqual([...columns.keySizes], [4, 1]);
  assert.deepEqual([...columns.valueSizes], [0, 2]);
  assert.deepEqual([...columns.headerCounts], [1, 0]);
  assert.deepEqual([...columns.headerSizes], [3]);
  assert.deepEqual([...columns.partitions], [1, 2]);
  assert.deepEqual([...columns.timestamps], []);
  assert.equal(Buffer.from(columns.arena).toString(), "keyvae");
});

test("a batch that is full says so, but the first record always fits", () => {
  const builder = new PutBuilder({ recordsMax: 2, bytesMax: 5_000, arenaBytesGoal: 4_000 });
  assert.equal(builder.fits(1_000_000, 0), true);
  builder.record(1, 0, 0, -1, 1);
  builder.value(1, bytes, 0, 8);
  assert.equal(builder.fits(8, 0), true);
  assert.equal(builder.fits(900, 0), false, "64 bytes a record and 4,096 a batch count too");
  builder.record(1, 0, 1, -1, 1);
  assert.equal(builder.fits(0, 0), false);
  builder.clear();
  assert.equal(builder.count, 0);
  assert.equal(builder.columns().arena.length, 0);
});

test("a record that is taken back leaves nothing behind, whatever of it was there", () => {
  const bytes = Buffer.from("0123456789");
  const limits = { recordsMax: 10, bytesMax: 1_000_000, arenaBytesGoal: 1_000_000 };
  const add = (builder: PutBuilder, offset: number, upTo: "value" | "header") => {
    builder.record(1, 0, offset, 5, 1);
    builder.key(1, bytes, 0, 2);
    builder.value(2, bytes, 2, 5);
    builder.header(1, 0, bytes, 5, 6);
    if (upTo === "header") builder.header(offset, 0, bytes, 6, 7);
  };
  const plain = new PutBuilder(limits);
  const taken = new PutBuilder(limits);
  for (const offset of [1, 2, 3]) {
    add(plain, offset, "header");
    add(taken, 90 + offset, offset === 2 ? "value" : "header");
    taken.undo();
    add(taken, offset, "header");
  }
  add(taken, 99, "header");
  taken.undo();
  assert.deepEqual(taken.columns(), plain.columns());
});
