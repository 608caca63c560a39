import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { newRecordSlice } from "../record/record-slice.ts";
import { at, BatchHeader, checksumFits } from "./batch-header.ts";
import type { CodecName } from "./codec.ts";
import { crc32c } from "./crc32c.ts";
import { RecordCursor } from "./decode.ts";
import { BatchBuilder, type BatchOptions } from "./encode.ts";
import { openBatches } from "./open-batches.ts";
import { writeInt32 } from "./varint.ts";

const codecs: CodecName[] = ["gzip", "snappy", "lz4", "zstd"];
const options = { source: "orders-3", firstOffset: 0 };

async function batchOf(
  values: readonly string[],
  baseOffset: number,
  codec?: CodecName,
  header: BatchOptions = {},
): Promise<Uint8Array> {
  const builder = new BatchBuilder();
  const slice = newRecordSlice();
  for (const value of values) {
    slice.value.bytes = new TextEncoder().encode(value);
    slice.value.start = 0;
    slice.value.end = slice.value.bytes.length;
    builder.append(slice, 1_000);
  }
  if (codec !== undefined) await builder.compress({ codec });
  return builder.finish(baseOffset, header).slice();
}

/** Puts other bytes in the place of the records, with length and checksum to match. */
function withPayload(batch: Uint8Array, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.concat([batch.subarray(0, at.records), payload]);
  writeInt32(bytes, at.length, bytes.length - 12);
  writeInt32(bytes, at.crc, crc32c(bytes, at.attributes, bytes.length));
  return bytes;
}

function valuesOf(run: { batches: Uint8Array; firstOffset: number }): string[] {
  const cursor = new RecordCursor();
  cursor.reset(run);
  const values: string[] = [];
  while (cursor.next()) {
    const value = cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd);
    values.push(`${cursor.offset} ${Buffer.from(value)}`);
  }
  return values;
}

const many = Array.from({ length: 30_000 }, (_, n) => `{"id":${n},"name":"user ${n % 97}"}`);

for (const codec of codecs) {
  test(`a batch compressed with ${codec} is opened, small ones at once and large ones in a thread`, async () => {
    const small = await batchOf(["a", "b"], 5, codec);
    const large = await batchOf(many, 7, codec);
    assert.ok(large.length < 400_000, `${large.length} bytes`);
    const opened = await openBatches(Buffer.concat([small, large]), options);
    const expected = ["a", "b", ...many].map((value, n) => `${n + 5} ${value}`);
    assert.deepEqual(valuesOf(opened), expected);
    assert.deepEqual(
      [opened.nextOffset, opened.recordCount, opened.end],
      [30_007, 30_002, small.length + large.length],
    );
  });
}

test("what is not compressed is passed on as a view", async () => {
  const bytes = Buffer.concat([await batchOf(["a"], 0), await batchOf(["b"], 1)]);
  const { batches } = await openBatches(bytes, options);
  assert.equal(batches.buffer, bytes.buffer);
  assert.equal(batches.length, bytes.length);
});

test("compressed and plain batches, marks of transactions and a torn end stand in one run", async () => {
  const mark = await batchOf(["mark"], 4, undefined, { attributes: 48 });
  const parts = [
    await batchOf(["before"], 0),
    await batchOf(["a", "b"], 1, "zstd"),
    await batchOf(["c"], 3),
    mark,
    await batchOf(["d"], 5, "lz4"),
  ];
  const whole = Buffer.concat(parts);
  const torn = await batchOf(["e"], 6, "gzip");
  for (const cut of [1, 20, 62, torn.length - 1]) {
    const bytes = Buffer.concat([whole, torn.subarray(0, cut)]);
    const opened = await openBatches(bytes, { ...options, firstOffset: 2 });
    assert.deepEqual(valuesOf(opened), ["2 b", "3 c", "5 d"]);
    const { nextOffset, recordCount, end } = opened;
    assert.deepEqual(
      { nextOffset, recordCount, end },
      { nextOffset: 6, recordCount: 3, end: whole.length },
    );
  }
});

test("a batch that compaction thinned or emptied moves the reader on by its last offset", async () => {
  const thin = await batchOf(["a"], 10, "snappy");
  writeInt32(thin, at.lastOffsetDelta, 9);
  writeInt32(thin, at.crc, crc32c(thin, at.attributes, thin.length));
  const empty = (await batchOf(["x"], 20)).slice(0, at.records);
  writeInt32(empty, at.length, at.records - 12);
  writeInt32(empty, at.lastOffsetDelta, 4);
  writeInt32(empty, at.recordCount, 0);
  writeInt32(empty, at.crc, crc32c(empty, at.attributes, empty.length));
  const opened = await openBatches(Buffer.concat([thin, empty]), { ...options, firstOffset: 3 });
  assert.deepEqual(valuesOf(opened), ["10 a"]);
  assert.deepEqual([opened.nextOffset, opened.recordCount], [25, 1]);
});

test("a reader chooses batches, and those that it leaves out are not decompressed", async () => {
  const broken = withPayload(await batchOf(["x"], 1, "gzip"), Buffer.from("no gzip"));
  const bytes = Buffer.concat([await batchOf(["a"], 0), broken, await batchOf(["c"], 2)]);
  const asked: number[] = [];
  const keeps = (header: BatchHeader) => {
    asked.push(header.baseOffset);
    return header.baseOffset !== 1;
  };
  const opened = await openBatches(bytes, { ...options, keeps });
  assert.deepEqual(valuesOf(opened), ["0 a", "2 c"]);
  assert.deepEqual(asked, [0, 1, 2]);
  assert.equal(opened.nextOffset, 3);
});

for (const { name, broken } of [
  {
    name: "a wrong checksum",
    broken: damagedAt(await batchOf(["c"], 3), at.records).fill(0, at.crc, at.crc + 4),
  },
  {
    name: "no gzip in it",
    broken: withPayload(await batchOf(["x"], 3, "gzip"), Buffer.from("none")),
  },
  {
    name: "no gzip in it, seen in another thread",
    broken: withPayload(await batchOf(["x"], 3, "gzip"), Buffer.alloc(70_000, 0xff)),
  },
]) {
  test(`a batch with ${name} ends a run, and what is before it is read all the same`, async () => {
    const good = [await batchOf(["a"], 0), await batchOf(["b", "c"], 1, "zstd")];
    const behind = [await batchOf(["e"], 4), await batchOf(["f"], 5, "lz4")];
    const bytes = Buffer.concat([...good, broken, ...behind]);
    const opened = await openBatches(bytes, options);
    assert.deepEqual(valuesOf(opened), ["0 a", "1 b", "2 c"]);
    const { nextOffset, recordCount, end } = opened;
    assert.deepEqual(
      { nextOffset, recordCount, end },
      { nextOffset: 3, recordCount: 3, end: good[0]!.length + good[1]!.length },
    );
    const again = openBatches(bytes, { ...options, start: end, firstOffset: nextOffset });
    await assert.rejects(again, { code: "batch.corrupt", message: /offset 3 of orders-3/ });
  });
}

test("I5: a run ends when enough was decompressed, and the next one goes on there", async () => {
  const parts: Uint8Array[] = [];
  for (let n = 0; n < 5; n++) parts.push(await batchOf(["x".repeat(40_000)], n, codecs[n % 4]));
  const bytes = Buffer.concat(parts);
  const offsets: number[][] = [];
  for (let start = 0, firstOffset = 0; start < bytes.length; ) {
    const opened = await openBatches(bytes, {
      ...options,
      firstOffset,
      start,
      openedBytesMax: 80_000,
    });
    offsets.push(valuesOf(opened).map((text) => Number(text.split(" ")[0])));
    assert.ok(opened.end > start);
    start = opened.end;
    firstOffset = opened.nextOffset;
  }
  assert.deepEqual(offsets, [[0, 1], [2, 3], [4]]);
});

for (const codec of codecs) {
  test(`I5: a ${codec} payload that would fill the memory is refused`, async () => {
    const bomb = await batchOf(["\0".repeat(40_000_000)], 9, codec);
    await assert.rejects(openBatches(bomb, { ...options, batchBytesMax: 1_000_000 }), {
      code: "batch.too_large",
      message: new RegExp(
        `cannot decompress the record batch at offset 9 of orders-3 \\(${codec}\\): its \\d+ bytes hold more than 1000000`,
      ),
    });
  });
}

test("I5: a gzip payload cannot lie about its size", async () => {
  const lie = gzipSync(Buffer.alloc(3_000_000));
  lie.writeInt32LE(5, lie.length - 4);
  const bytes = withPayload(await batchOf(["x"], 0, "gzip"), lie);
  const opening = openBatches(bytes, { ...options, batchBytesMax: 1_000_000 });
  await assert.rejects(opening, { code: "batch.too_large" });
});

for (const codec of codecs) {
  test(`damage in a ${codec} payload is told with its place, or does no harm`, async () => {
    const batch = await batchOf(many.slice(0, 40), 9, codec);
    let told = 0;
    for (let n = at.records; n < batch.length; n++) {
      for (const damaged of [
        damagedAt(batch, n),
        withPayload(batch, batch.subarray(at.records, n)),
      ]) {
        try {
          const opened = await openBatches(damaged, { ...options, batchBytesMax: 1_000_000 });
          assert.ok(valuesOf(opened).length <= 40);
        } catch (error) {
          const { code, message } = error as { code?: string; message: string };
          assert.match(String(code), /^batch\.(corrupt|too_large)$/, `byte ${n}: ${error}`);
          assert.match(message, /offset (9|\d+ of orders-3)|after offset/);
          told += 1;
        }
      }
    }
    assert.ok(told > (batch.length - at.records) / 2, `${told} of ${2 * batch.length}`);
  });
}

function damagedAt(batch: Uint8Array, n: number): Uint8Array {
  const payload = batch.slice(at.records);
  payload[n - at.records]! ^= 0x55;
  return withPayload(batch, payload);
}

for (const c of [
  {
    name: "a wrong checksum",
    change: (bytes: Uint8Array) => (bytes[70]! ^= 1),
    expect: /cannot read the record batch at offset 4 of orders-3: it does not fit its checksum/,
  },
  {
    name: "an old format",
    change: (bytes: Uint8Array) => (bytes[at.magic] = 1),
    expect: /cannot read orders-3 from offset 0 on: its messages have the format v1/,
  },
  {
    name: "a format of the future",
    change: (bytes: Uint8Array) => (bytes[at.magic] = 3),
    expect: /cannot read orders-3 from offset 0 on: there is no record batch at byte 0/,
  },
  {
    name: "a length that cannot be",
    change: (bytes: Uint8Array) => writeInt32(bytes, at.length, 7),
    expect: /there is no record batch at byte 0/,
  },
  {
    name: "a codec without a meaning",
    change: (bytes: Uint8Array) => {
      bytes[at.attributes + 1] = 6;
      writeInt32(bytes, at.crc, crc32c(bytes, at.attributes, bytes.length));
    },
    expect: /cannot read the record batch at offset 4 of orders-3: its codec has no meaning/,
  },
]) {
  test(`${c.name} is told`, async () => {
    const bytes = await batchOf(["some value that is long enough"], 4);
    c.change(bytes);
    await assert.rejects(openBatches(bytes, options), { message: c.expect });
  });
}

test("a compacted batch that knows when its tombstones go is read as any other", async () => {
  const batch = await batchOf(["a"], 3, "zstd", { attributes: 64 });
  assert.deepEqual(valuesOf(await openBatches(batch, options)), ["3 a"]);
});

test("a batch of 200,000 records is opened", async () => {
  const batch = await batchOf(new Array(200_000).fill("v"), 0, "lz4");
  const opened = await openBatches(batch, options);
  assert.equal(opened.recordCount, 200_000);
  assert.equal(valuesOf(opened).length, 200_000);
});

test("what was finished can be finished again: the same bytes, or another producer", async () => {
  for (const codec of [undefined, ...codecs]) {
    const builder = new BatchBuilder();
    for (let n = 0; n < 100; n++) builder.append(newRecordSlice(), n);
    if (codec !== undefined) await builder.compress({ codec });
    const producer = { id: 7, epoch: 1, baseSequence: 40 };
    const first = builder.finish(0, { attributes: 16, producer }).slice();
    assert.equal(first.length, builder.finishedBytes);
    const bumped = builder.finish(0, { producer: { id: 7, epoch: 2, baseSequence: 0 } }).slice();
    assert.notDeepEqual(first, bumped);
    assert.ok(checksumFits(bumped, 0, bumped.length));
    assert.deepEqual(builder.finish(0, { attributes: 16, producer }), first);
    const header = new BatchHeader();
    assert.ok(header.read(bumped, 0, bumped.length));
    assert.deepEqual([header.producerEpoch, header.baseSequence], [2, 0]);
  }
});

test("records that come after a compression are in the batch too", async () => {
  const builder = new BatchBuilder();
  builder.append(newRecordSlice(), 1);
  await builder.compress({ codec: "gzip" });
  builder.append(newRecordSlice(), 2);
  const opened = await openBatches(builder.finish(0), options);
  assert.equal(opened.recordCount, 2);
});

test("the time of the log is that of every record, compressed or not", async () => {
  for (const codec of [undefined, ...codecs]) {
    const batch = await batchOf(["a", "b"], 0, codec, { logAppendTimeMs: 5_000 });
    const { batches } = await openBatches(batch, options);
    const cursor = new RecordCursor();
    cursor.reset({ batches, firstOffset: 0 });
    while (cursor.next()) assert.deepEqual([cursor.timestampMs, cursor.timestampType], [5_000, 2]);
  }
});

for (const c of [
  { name: "even records", sizes: [10, 10, 10, 10], expect: [2, 2] },
  { name: "a large first", sizes: [1_000, 1, 1, 1], expect: [1, 3] },
  { name: "a large last", sizes: [1, 1, 1, 1_000], expect: [3, 1] },
  { name: "two", sizes: [0, 0], expect: [1, 1] },
  {
    name: "so many that offsets change their size",
    sizes: new Array(300).fill(9),
    expect: [151, 149],
  },
]) {
  test(`a batch of ${c.name} is split by bytes, nothing lost`, async () => {
    const builder = new BatchBuilder();
    const other = new BatchBuilder({ initialBytes: 64 });
    const slice = newRecordSlice();
    slice.headers = [{ name: new Uint8Array([104]), bytes: new Uint8Array([1]), start: 0, end: 1 }];
    slice.headerCount = 1;
    slice.value.start = 0;
    for (const [n, size] of c.sizes.entries()) {
      slice.value.bytes = new Uint8Array(size).fill(n);
      slice.value.end = size;
      builder.append(slice, 1_000 + ((n * 7919) % 500));
    }
    const before = await openBatches(builder.finish(100).slice(), options);
    await builder.compress({ codec: "gzip" });
    assert.equal(builder.splitInto(other), c.expect[0]);
    assert.deepEqual([builder.recordCount, other.recordCount], c.expect);
    const bytes = Buffer.concat([builder.finish(100), other.finish(100 + builder.recordCount)]);
    const after = await openBatches(bytes, options);
    assert.deepEqual(allOf(after), allOf(before));
    const header = new BatchHeader();
    for (let place = 0; header.read(bytes, place, bytes.length); place = header.end) {
      const inside = allOf({ batches: bytes.subarray(header.start, header.end), firstOffset: 0 });
      assert.equal(header.maxTimestamp, Math.max(...inside.map((record) => record.timestampMs)));
    }
  });
}

function allOf(run: { batches: Uint8Array; firstOffset: number }) {
  const cursor = new RecordCursor();
  cursor.reset(run);
  const records = [];
  while (cursor.next()) {
    const { offset, timestampMs, bytes, valueStart, valueEnd, headerCount } = cursor;
    records.push({
      offset,
      timestampMs,
      value: Buffer.from(bytes.subarray(valueStart, valueEnd)).toString("hex"),
      headerCount,
      header: Buffer.from(cursor.headers[0]?.name ?? []).toString(),
    });
  }
  return records;
}
