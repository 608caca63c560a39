import assert from "node:assert/strict";
import test from "node:test";
import { type HeaderSlice, newRecordSlice, type RecordSlice } from "../record/record-slice.ts";
import { at, BatchHeader, batchSize, checksumFits } from "./batch-header.ts";
import { crc32c } from "./crc32c.ts";
import { RecordCursor } from "./decode.ts";
import { BatchBuilder, sizeUpperBound } from "./encode.ts";
import { murmur2, partitionOfKey } from "./murmur2.ts";
import { readInt64, varlongSize, writeInt64, writeVarlong } from "./varint.ts";

const text = (value: string) => new TextEncoder().encode(value);

interface PlainRecord {
  key: string | null;
  value: string | null;
  timestampMs: number;
  headers: [string, string | null][];
}

/** Fills one slice from a plain record; the bytes stand somewhere inside a larger array. */
function fill(slice: RecordSlice, record: PlainRecord, pad: number): void {
  for (const part of ["key", "value"] as const) {
    const plain = record[part];
    const bytes = text(`${"#".repeat(pad)}${plain ?? ""}!`);
    slice[part].bytes = bytes;
    slice[part].start = plain === null ? -1 : pad;
    slice[part].end = plain === null ? -1 : bytes.length - 1;
  }
  slice.headers = record.headers.map(([name, value]): HeaderSlice => {
    const bytes = text(value ?? "");
    return {
      name: text(name),
      bytes,
      start: value === null ? -1 : 0,
      end: value === null ? -1 : bytes.length,
    };
  });
  slice.headerCount = record.headers.length;
}

function readAll(run: { batches: Uint8Array; firstOffset: number }) {
  const cursor = new RecordCursor();
  cursor.reset(run);
  const slice = (bytes: Uint8Array, start: number, end: number) =>
    start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString();
  const records: (PlainRecord & { offset: number })[] = [];
  while (cursor.next()) {
    records.push({
      offset: cursor.offset,
      key: slice(cursor.bytes, cursor.keyStart, cursor.keyEnd),
      value: slice(cursor.bytes, cursor.valueStart, cursor.valueEnd),
      timestampMs: cursor.timestampMs,
      headers: cursor.headers
        .slice(0, cursor.headerCount)
        .map((header) => [
          Buffer.from(header.name).toString(),
          slice(header.bytes, header.start, header.end),
        ]),
    });
  }
  return records;
}

/** A small generator of random numbers, so that a failing case can be run again by its seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomRecord(random: (below: number) => number): PlainRecord {
  const word = () => ["", "a", "Füße 🦶", "x".repeat(random(300)), "\u0000\uffff"][random(5)]!;
  const maybe = () => (random(4) === 0 ? null : word());
  const timestamps = [0, -1, 1_722_000_000_000 + random(100_000), 2 ** 53 - 1, random(2 ** 31)];
  return {
    key: maybe(),
    value: maybe(),
    timestampMs: timestamps[random(timestamps.length)]!,
    headers: Array.from({ length: random(4) }, () => [word(), maybe()]),
  };
}

test("what is written is read back, whatever the records are", () => {
  const firstSeed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
  const builder = new BatchBuilder({ initialBytes: 64 });
  for (let seed = firstSeed; seed < firstSeed + 200; seed++) {
    const random = randomFrom(seed);
    const slice = newRecordSlice();
    const batches: Uint8Array[] = [];
    const expected: (PlainRecord & { offset: number })[] = [];
    let offset = random(2) === 0 ? random(100) : 2 ** 40 + random(100);
    const start = offset;
    for (let n = 0; n <= random(4); n++) {
      const baseOffset = offset;
      for (let i = 0; i <= random(20); i++) {
        const record = randomRecord(random);
        fill(slice, record, random(3));
        const before = builder.sizeBytes;
        builder.append(slice, record.timestampMs);
        assert.ok(builder.sizeBytes - before <= sizeUpperBound(slice), `seed ${seed}: bound`);
        expected.push({ offset: offset++, ...record });
      }
      batches.push(builder.finish(baseOffset).slice());
      builder.reset();
    }
    const firstOffset = start + random(expected.length);
    assert.deepEqual(
      readAll({ batches: Buffer.concat(batches), firstOffset }),
      expected.filter((record) => record.offset >= firstOffset),
      `BULKHEAD_SEED=${seed}`,
    );
  }
});

test("headers keep their order, with doubles, empty names and nulls among them", () => {
  const headers: [string, string | null][] = [
    ["a", "1"],
    ["", "no name"],
    ["b", null],
    ["a", "2"],
    ["", null],
    ["a", null],
    ["b", ""],
    ["a", "1"],
  ];
  const record = { key: null, value: null, timestampMs: 1, headers };
  const slice = newRecordSlice();
  fill(slice, record, 1);
  const builder = new BatchBuilder();
  builder.append(slice, 1);
  fill(slice, { ...record, headers: headers.slice(1).reverse() }, 0);
  builder.append(slice, 1);
  const read = readAll({ batches: builder.finish(0), firstOffset: 0 });
  assert.deepEqual(read[0]?.headers, headers);
  assert.deepEqual(read[1]?.headers, headers.slice(1).reverse());
});

test("a prefix and a suffix are part of the value", () => {
  const slice = newRecordSlice();
  fill(slice, { key: "k", value: "1", timestampMs: 5, headers: [] }, 2);
  slice.value.prefix = text('{"payload":');
  slice.value.suffix = text("}");
  const builder = new BatchBuilder();
  builder.append(slice, 5);
  assert.equal(readAll({ batches: builder.finish(0), firstOffset: 0 })[0]?.value, '{"payload":1}');
});

test("a batch of one known record has the bytes that Kafka writes", () => {
  const slice = newRecordSlice();
  fill(slice, { key: null, value: "hi", timestampMs: 0, headers: [["h", null]] }, 0);
  const builder = new BatchBuilder();
  builder.append(slice, 1_000);
  const bytes = Buffer.from(builder.finish(7));
  assert.equal(
    bytes.subarray(at.attributes).toString("hex"),
    [
      "0000", // attributes
      "00000000", // last offset delta
      "00000000000003e8", // base timestamp
      "00000000000003e8", // max timestamp
      "ffffffffffffffff", // producer id
      "ffff", // producer epoch
      "ffffffff", // base sequence
      "00000001", // records
      "16" + "00" + "00" + "00" + "01" + "04" + "6869" + "02" + "02" + "68" + "01",
    ].join(""),
  );
  assert.equal(bytes.readBigInt64BE(0), 7n);
  assert.equal(bytes.readInt32BE(8), bytes.length - 12);
  assert.ok(checksumFits(bytes, 0, bytes.length));
});

test("a changed byte no longer fits the checksum", () => {
  const slice = newRecordSlice();
  fill(slice, { key: "k", value: "some value", timestampMs: 0, headers: [] }, 0);
  const builder = new BatchBuilder();
  builder.append(slice, 1);
  const bytes = builder.finish(0).slice();
  for (let n = at.attributes; n < bytes.length; n++) {
    bytes[n]! ^= 1;
    assert.ok(!checksumFits(bytes, 0, bytes.length), `byte ${n}`);
    bytes[n]! ^= 1;
  }
});

test("control batches are skipped and compressed ones refused with the codec's name", () => {
  const slice = newRecordSlice();
  fill(slice, { key: "k", value: "v", timestampMs: 0, headers: [] }, 0);
  const builder = new BatchBuilder();
  builder.append(slice, 1);
  const control = builder.finish(0, { attributes: 32 }).slice();
  const plain = builder.finish(1).slice();
  const both = Buffer.concat([control, plain]);
  assert.deepEqual(
    readAll({ batches: both, firstOffset: 0 }).map((record) => record.offset),
    [1],
  );
  const zstd = builder.finish(0, { attributes: 4 }).slice();
  assert.throws(() => readAll({ batches: zstd, firstOffset: 0 }), {
    code: "batch.compressed",
    message: /zstd/,
  });
});

test("a batch with the time of the log gives that time to every record", () => {
  const slice = newRecordSlice();
  const builder = new BatchBuilder();
  for (const timestampMs of [10, 30, 20]) builder.append(slice, timestampMs);
  const cursor = new RecordCursor();
  cursor.reset({ batches: builder.finish(0, { attributes: 8 }), firstOffset: 0 });
  while (cursor.next()) assert.deepEqual([cursor.timestampMs, cursor.timestampType], [30, 2]);
});

test("a header is read field by field and an incomplete batch is not taken", () => {
  const builder = new BatchBuilder();
  builder.append(newRecordSlice(), 3);
  builder.append(newRecordSlice(), 9);
  const bytes = builder.finish(40, {
    attributes: 16,
    producer: { id: 2 ** 33, epoch: 5, baseSequence: 77 },
  });
  const header = new BatchHeader();
  assert.ok(header.read(bytes, 0, bytes.length));
  const { baseOffset, lastOffset, baseTimestamp, maxTimestamp, recordCount } = header;
  assert.deepEqual(
    { baseOffset, lastOffset, baseTimestamp, maxTimestamp, recordCount },
    { baseOffset: 40, lastOffset: 41, baseTimestamp: 3, maxTimestamp: 9, recordCount: 2 },
  );
  const { producerId, producerEpoch, baseSequence } = header;
  assert.deepEqual([producerId, producerEpoch, baseSequence], [2 ** 33, 5, 77]);
  assert.equal(header.read(bytes, 0, bytes.length - 1), false);
  assert.equal(batchSize(bytes, 0, 60), 0);
});

test("records that do not fit their batch are refused, not read past the end", () => {
  const slice = newRecordSlice();
  fill(slice, { key: "k", value: "v", timestampMs: 0, headers: [["a", "b"]] }, 0);
  const builder = new BatchBuilder();
  builder.append(slice, 1);
  const good = builder.finish(0).slice();
  for (let n = at.records; n < good.length; n++) {
    const bytes = good.slice();
    bytes[n] = 0x7f;
    try {
      readAll({ batches: bytes, firstOffset: 0 });
    } catch (error) {
      assert.equal((error as { code?: string }).code, "batch.corrupt", `byte ${n}`);
    }
  }
});

for (const c of [
  { name: "the check value of CRC-32C", input: text("123456789"), expect: 0xe3069283 },
  { name: "32 zeros", input: new Uint8Array(32), expect: 0x8a9136aa },
  { name: "nothing", input: new Uint8Array(0), expect: 0 },
]) {
  test(`the checksum of ${c.name}`, () => {
    assert.equal(crc32c(c.input, 0, c.input.length), c.expect);
  });
}

// The values of Kafka's own test of its hash.
for (const c of [
  { key: "21", expect: -973932308 },
  { key: "foobar", expect: -790332482 },
  { key: "a-little-bit-long-string", expect: -985981536 },
  { key: "a-little-bit-longer-string", expect: -1486304829 },
  { key: "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", expect: -58897971 },
  { key: "abc", expect: 479470107 },
]) {
  test(`the hash of ${c.key} is Kafka's`, () => {
    const bytes = text(`..${c.key}.`);
    assert.equal(murmur2(bytes, 2, bytes.length - 1), c.expect);
    assert.equal(
      partitionOfKey(bytes, 2, bytes.length - 1, 7),
      Number(BigInt(c.expect & 0x7fffffff) % 7n),
    );
  });
}

test("numbers of 64 bits keep their value as far as a double can", () => {
  const bytes = new Uint8Array(16);
  const values = [0, 1, -1, 63, 64, -64, -65, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1];
  for (const value of values) {
    writeInt64(bytes, 1, value);
    assert.equal(readInt64(bytes, 1), value);
    assert.equal(Buffer.from(bytes).readBigInt64BE(1), BigInt(value));
    const end = writeVarlong(bytes, 0, value);
    assert.equal(end, varlongSize(value), String(value));
    let z = 0n;
    for (let n = 0; n < end; n++) z |= BigInt(bytes[n]! & 0x7f) << BigInt(7 * n);
    assert.equal((z >> 1n) ^ -(z & 1n), BigInt(value));
  }
});
