/** Record batches after damage: the checksum tells, and whoever reads on is never led out of the bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HostError, TaskError } from "../../src/base/error.ts";
import { BatchHeader, batchSize, checksumFits } from "../../src/batch/batch-header.ts";
import type { CodecName } from "../../src/batch/codec.ts";
import { crc32c } from "../../src/batch/crc32c.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import { openBatches } from "../../src/batch/open-batches.ts";
import { type ByteSlice, newRecordSlice } from "../../src/record/record-slice.ts";
import { holds, holdsAsync } from "../harness/property.ts";

const bytes = fc.option(fc.uint8Array({ maxLength: 100 }));
const header = fc.record(
  { name: fc.uint8Array({ maxLength: 9 }), value: bytes },
  { noNullPrototype: true },
);
const records = fc.array(
  fc.record({
    key: bytes,
    value: bytes,
    timestampMs: fc.integer({ min: 0, max: 2 ** 52 }),
    headers: fc.array(header, { maxLength: 3 }),
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

type Given = typeof records extends fc.Arbitrary<infer R> ? R : never;

function batchOf(given: Given, first: number) {
  return Buffer.from(builderOf(given).finish(first));
}

function builderOf(given: Given): BatchBuilder {
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
  return builder;
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

/** What was given, read back from batches. */
function recordsIn(run: { batches: Uint8Array; firstOffset: number }) {
  const cursor = new RecordCursor();
  cursor.reset(run);
  const part = (from: Uint8Array, start: number, end: number) =>
    start < 0 ? null : Uint8Array.from(from.subarray(start, end));
  const read: (Given[number] & { offset: number })[] = [];
  while (cursor.next()) {
    const { offset, timestampMs } = cursor;
    const key = part(cursor.bytes, cursor.keyStart, cursor.keyEnd);
    const value = part(cursor.bytes, cursor.valueStart, cursor.valueEnd);
    const headers = cursor.headers.slice(0, cursor.headerCount).map((header) => ({
      name: Uint8Array.from(header.name),
      value: part(header.bytes, header.start, header.end),
    }));
    read.push({ offset, key, value, timestampMs, headers });
  }
  return read;
}

const codec = fc.constantFrom<(CodecName | "none")[]>("none", "gzip", "snappy", "lz4", "zstd");
const batches = fc.array(fc.record({ records, codec }), { minLength: 1, maxLength: 4 });
const source = "t-0";

test("what goes into batches comes out, whatever they are compressed with and wherever one begins", async () => {
  await holdsAsync(
    fc.asyncProperty(batches, baseOffset, damage, async (given, first, { at }) => {
      const parts: Uint8Array[] = [];
      const expected: (Given[number] & { offset: number })[] = [];
      for (const each of given) {
        const builder = builderOf(each.records);
        if (each.codec !== "none") await builder.compress({ codec: each.codec });
        parts.push(builder.finish(first + expected.length));
        for (const record of each.records) {
          expected.push({ ...record, offset: first + expected.length });
        }
      }
      const skipped = Math.floor(at * expected.length);
      const run = { source, firstOffset: first + skipped };
      const opened = await openBatches(Buffer.concat(parts), run);
      assert.deepEqual(recordsIn(opened), expected.slice(skipped));
      assert.equal(opened.recordCount, expected.length - skipped);
      assert.equal(opened.nextOffset, first + expected.length);
    }),
    300,
  );
});

test("a batch that is split again and again loses and changes nothing", () => {
  holds(
    fc.property(records, (given) => {
      const split = (builder: BatchBuilder): Uint8Array[] => {
        if (builder.recordCount < 2) return [builder.finish(0).slice()];
        const other = new BatchBuilder({ initialBytes: 64 });
        assert.equal(builder.splitInto(other), builder.recordCount);
        assert.ok(builder.recordCount > 0 && other.recordCount > 0);
        return [...split(builder), ...split(other)];
      };
      const found = split(builderOf(given)).flatMap((batch) => {
        assert.ok(checksumFits(batch, 0, batch.length));
        return recordsIn({ batches: batch, firstOffset: 0 });
      });
      const expected = given.map((record) => ({ ...record, offset: 0 }));
      assert.deepEqual(found, expected);
    }),
    300,
  );
});

test("I5: damage that a checksum does not show ends opening in a sentence, or in records", async () => {
  const hits = fc.array(damage, { minLength: 1, maxLength: 5 });
  await holdsAsync(
    fc.asyncProperty(records, codec, hits, fc.boolean(), async (given, name, found, heals) => {
      const builder = builderOf(given);
      if (name !== "none") await builder.compress({ codec: name });
      const batch = Buffer.from(builder.finish(0));
      for (const { at, xor } of found) {
        const place = Math.floor(at * batch.length);
        batch[place] = (batch[place] as number) ^ xor;
      }
      if (heals) batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17);
      try {
        const opened = await openBatches(batch, {
          source,
          firstOffset: 0,
          batchBytesMax: 1_000_000,
        });
        recordsIn(opened);
      } catch (error) {
        assert.ok(error instanceof TaskError, `another kind of error: ${error}`);
        assert.match(error.code, /^batch\.(corrupt|too_large|format_old)$/);
      }
    }),
    1_500,
  );
});
