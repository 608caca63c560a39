/** Record batches after damage: the checksum tells, and whoever reads on is never led out of the bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HostError } from "../../src/base/error.ts";
import { BatchHeader, batchSize, checksumFits } from "../../src/batch/batch-header.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import { type ByteSlice, newRecordSlice } from "../../src/record/record-slice.ts";
import { holds } from "../harness/property.ts";

const bytes = fc.option(fc.uint8Array({ maxLength: 100 }));
const records = fc.array(
  fc.record({
    key: bytes,
    value: bytes,
    timestampMs: fc.integer({ min: 0, max: 2 ** 52 }),
    headers: fc.array(fc.record({ name: fc.uint8Array({ maxLength: 9 }), value: bytes }), {
      maxLength: 3,
    }),
  }),
  { minLength: 1, maxLength: 20 },
);
/** Where, relative to the length, and what is put there. */
const damage = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  xor: fc.integer({ min: 1, max: 255 }),
});
const baseOffset = fc.integer({ min: 0, max: 2 ** 52 });

function point(slice: ByteSlice, to: Uint8Array | null): void {
  slice.bytes = to ?? new Uint8Array(0);
  slice.start = to === null ? -1 : 0;
  slice.end = to === null ? -1 : to.length;
}

function batchOf(given: typeof records extends fc.Arbitrary<infer R> ? R : never, first: number) {
  const builder = new BatchBuilder({ initialBytes: 64 });
  const slice = newRecordSlice();
  for (const { key, value, timestampMs, headers } of given) {
    point(slice.key, key);
    point(slice.value, value);
    slice.headers = headers.map((header) => ({
      name: header.name,
      bytes: header.value ?? new Uint8Array(0),
      start: header.value === null ? -1 : 0,
      end: header.value === null ? -1 : header.value.length,
    }));
    slice.headerCount = headers.length;
    builder.append(slice, timestampMs);
  }
  return Buffer.from(builder.finish(first));
}

/** Reads all; answers how many, and that every place lies within the bytes. */
function readAll(batch: Buffer): number {
  const cursor = new RecordCursor();
  cursor.reset({ batches: batch, firstOffset: 0 });
  let count = 0;
  while (cursor.next()) {
    count += 1;
    for (const place of [cursor.keyEnd, cursor.valueEnd]) assert.ok(place <= batch.length);
    for (const { bytes: of, end } of cursor.headers.slice(0, cursor.headerCount)) {
      assert.ok(end <= of.length);
    }
  }
  return count;
}

test("a changed byte is found by the checksum, unless the checksum does not cover it", () => {
  holds(
    fc.property(records, baseOffset, damage, (given, first, { at, xor }) => {
      const batch = batchOf(given, first);
      assert.ok(checksumFits(batch, 0, batch.length));
      // From the attributes on; what stands before them (offset, length, epoch, magic) is the log's.
      const place = 21 + Math.floor(at * (batch.length - 21));
      batch[place] = (batch[place] as number) ^ xor;
      assert.equal(checksumFits(batch, 0, batch.length), false);
    }),
    500,
  );
});

test("a batch that was cut is not taken for a whole one", () => {
  holds(
    fc.property(records, baseOffset, damage, (given, first, { at }) => {
      const batch = batchOf(given, first);
      const cut = batch.subarray(0, Math.floor(at * batch.length));
      const size = batchSize(cut, 0, cut.length);
      assert.ok(size === 0 || size > cut.length);
      assert.equal(new BatchHeader().read(cut, 0, cut.length), false);
    }),
    500,
  );
});

test("I5: who reads a damaged batch all the same ends with a sentence, or with records inside it", () => {
  holds(
    fc.property(records, fc.array(damage, { minLength: 1, maxLength: 5 }), (given, hits) => {
      const batch = batchOf(given, 0);
      for (const { at, xor } of hits) {
        const place = Math.floor(at * batch.length);
        batch[place] = (batch[place] as number) ^ xor;
      }
      try {
        // A record takes at least 7 bytes, so damage cannot invent more than fit.
        assert.ok(readAll(batch) <= batch.length / 7);
      } catch (error) {
        assert.ok(error instanceof HostError, `another kind of error: ${error}`);
        assert.match(error.code, /^batch\.(corrupt|compressed)$/);
      }
    }),
    1_500,
  );
});
