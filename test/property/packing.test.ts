/** What one end packs the other end reads: the SDK's packer and the host's decoder, and the way back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { OutDefinitions } from "../../sdk/typescript/src/definitions.ts";
import { Packer } from "../../sdk/typescript/src/packer.ts";
import { InDefinitions, PutBatch } from "../../sdk/typescript/src/put-batch.ts";
import { SinkRecord } from "../../sdk/typescript/src/sink-record.ts";
import type { SourceRecord } from "../../sdk/typescript/src/source-record.ts";
import { WireReader } from "../../sdk/typescript/src/wire.ts";
import { checkSourceColumns } from "../../src/plugin/columns-check.ts";
import { decodeRecords } from "../../src/plugin/columns-decode.ts";
import { encodePut } from "../../src/plugin/columns-encode.ts";
import { IncomingDefinitions } from "../../src/plugin/definitions.ts";
import { SourceTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/source_pb.ts";
import { type Columns, type Definitions, sizeOf } from "../../src/record/columns.ts";
import { PutBuilder } from "../../src/task/put-builder.ts";
import { holds } from "../harness/property.ts";

/** Bytes, a text or nothing: what both ends hand on as it is. */
type Plain = Uint8Array | string | null;

interface Row {
  topic: string;
  partition: number;
  timestamp: number;
  key: Plain;
  value: Plain;
  headers: { name: string; value: Plain }[];
}

/** Objects like the ones people write. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });
const plain: fc.Arbitrary<Plain> = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
);
const topic = fc.constantFrom("a", "topic.of-some_length", "x".repeat(249));
const row: fc.Arbitrary<Row> = record({
  topic,
  partition: fc.oneof(fc.constant(-1), fc.nat({ max: 2_000_000 })),
  timestamp: fc.oneof(fc.constant(-1), fc.nat(), fc.integer({ min: 0, max: 2 ** 52 })),
  key: plain,
  value: plain,
  headers: fc.array(
    record({ name: fc.constantFrom("", "h", "Füße 🦶", "x".repeat(300)), value: plain }),
    { maxLength: 3 },
  ),
});
const offset = fc.oneof(fc.constant(null), record({ n: fc.nat({ max: 3 }) }));
const sourceRow = record({
  row,
  partition: fc.oneof(fc.constant(null), record({ file: fc.constantFrom("x", "y", "ß") })),
  offset,
});

/** The host's end: definitions, then batches as rows with their offsets. */
class HostEnd {
  readonly #definitions = new IncomingDefinitions();
  readonly rows: Row[] = [];
  readonly offsets: [partition: string, offset: string | null][] = [];

  readonly offsetMode: "per-record" | "last";
  readonly messageBytesMax: number;

  constructor(offsetMode: "per-record" | "last", messageBytesMax: number) {
    this.offsetMode = offsetMode;
    this.messageBytesMax = messageBytesMax;
  }

  define(message: Uint8Array): void {
    const { kind } = fromBinary(SourceTaskMessageSchema, message);
    if (kind.case === "topic") this.#definitions.define("topics", kind.value.id, kind.value.topic);
    else if (kind.case === "name")
      this.#definitions.define("names", kind.value.id, kind.value.name);
    else if (kind.case === "partition") {
      this.#definitions.define("partitions", kind.value.id, kind.value.partition);
    } else if (kind.case === "form") {
      const encoding = (["bytes", "text", "json"] as const)[kind.value.encoding - 1] ?? "json";
      this.#definitions.define("forms", kind.value.id, { encoding, schema: null });
    } else assert.fail(`${kind.case} is no definition`);
  }

  take(message: Buffer): Columns {
    const decoded = decodeRecords(message);
    assert.ok(decoded !== "irregular");
    const { columns } = decoded;
    const definitions = this.#definitions.current;
    checkSourceColumns(columns, { ...this, definitions });
    this.rows.push(...rowsOf(columns, definitions));
    this.offsets.push(...offsetsOf(columns, definitions, this.offsetMode));
    return columns;
  }
}

function one(column: ArrayLike<number>, index: number, absent: number): number {
  return column.length === 0 ? absent : (column[column.length === 1 ? 0 : index] as number);
}

/** The columns read the slow and plain way. */
function rowsOf(columns: Columns, definitions: Definitions): Row[] {
  let at = 0;
  let header = 0;
  const piece = (size: number, form: number): Plain => {
    if (size === 0) return null;
    const bytes = columns.arena.subarray(at, at + size - 1);
    at += size - 1;
    return definitions.forms[form]?.encoding === "bytes"
      ? Uint8Array.from(bytes)
      : Buffer.from(bytes).toString();
  };
  return Array.from({ length: columns.count }, (_, index): Row => {
    const key = piece(columns.keySizes[index] ?? 0, one(columns.keyForms, index, 0));
    const value = piece(columns.valueSizes[index] ?? 0, one(columns.valueForms, index, 0));
    const headers = Array.from({ length: columns.headerCounts[index] ?? 0 }, () => {
      const size = columns.headerSizes[header] ?? 0;
      const form = one(columns.headerForms, header, 0);
      const name = definitions.names[columns.headerNames[header] as number] as string;
      header += 1;
      return { name, value: piece(size, form) };
    });
    return {
      topic: definitions.topics[one(columns.topics, index, 0)] as string,
      partition: one(columns.partitions, index, 0) - 1,
      timestamp: one(columns.timestamps, index, -1),
      key,
      value,
      headers,
    };
  });
}

function offsetsOf(columns: Columns, definitions: Definitions, mode: "per-record" | "last") {
  let at = 0;
  let before: string | null = null;
  return [...columns.offsetSizes].map((size, index): [string, string | null] => {
    if (size !== 1) {
      const end = at + Math.max(0, size - 2);
      before = size === 0 ? null : Buffer.from(columns.offsetArena.subarray(at, end)).toString();
      at = end;
    }
    const id = mode === "last" ? index : index % columns.sourcePartitions.length;
    const place = columns.sourcePartitions.length === 1 ? 0 : id;
    return [definitions.partitions[columns.sourcePartitions[place] as number] as string, before];
  });
}

for (const offsetMode of ["per-record", "last"] as const) {
  test(`what the SDK packs the host reads, batch after batch (offsets ${offsetMode})`, () => {
    const limit = fc.constantFrom(8 * 1_024, 64 * 1_024, 4 * 1_024 * 1_024);
    holds(
      fc.property(fc.array(sourceRow, { maxLength: 40 }), limit, (given, messageBytesMax) => {
        const host = new HostEnd(offsetMode, messageBytesMax);
        const packer = new Packer(new OutDefinitions((message) => host.define(message)), {
          messageBytesMax,
          offsetMode,
        });
        let batchSeq = 0;
        const send = () => {
          batchSeq += 1;
          const batch = packer.finish(batchSeq, true);
          const columns = host.take(batch.message);
          assert.equal(batch.costBytes, sizeOf(columns), "both ends count the same cost");
          assert.ok(batch.costBytes <= messageBytesMax);
        };
        for (const { row: plainRow, partition, offset: place } of given) {
          const sourceRecord: SourceRecord = {
            ...plainRow,
            partition: plainRow.partition < 0 ? null : plainRow.partition,
            timestamp: plainRow.timestamp < 0 ? null : plainRow.timestamp,
            sourcePartition: partition,
            sourceOffset: place,
          };
          if (packer.add(sourceRecord)) continue;
          send();
          assert.ok(packer.add(sourceRecord), "a record fits into an empty batch");
        }
        send();
        assert.deepEqual(
          host.rows,
          given.map(({ row: plainRow }) => plainRow),
        );
        const texts = given.map(({ partition, offset: place }): [string, string | null] => [
          JSON.stringify(partition),
          place === null ? null : JSON.stringify(place),
        ]);
        if (offsetMode === "per-record") assert.deepEqual(host.offsets, texts);
        else assert.deepEqual(new Map(host.offsets), new Map(texts));
      }),
      200,
    );
  });
}

test("what the host packs for a sink the SDK reads, batch after batch", () => {
  const from = fc.integer({ min: 0, max: 2 ** 50 });
  const gaps = fc.nat({ max: 1_000 });
  holds(
    fc.property(fc.array(fc.tuple(row, gaps), { maxLength: 40 }), from, (given, first) => {
      const definitions = new InDefinitions();
      const topics = ["a", "topic.of-some_length", "x".repeat(249)];
      const names = ["", "h", "Füße 🦶", "x".repeat(300)];
      for (const [index, name] of topics.entries()) definitions.topics[index + 1] = name;
      for (const [index, name] of names.entries()) definitions.names[index + 1] = name;
      definitions.defineForm(1, "bytes", undefined);
      definitions.defineForm(2, "text", undefined);
      const builder = new PutBuilder({
        recordsMax: 7,
        bytesMax: 16 * 1_024,
        arenaBytesGoal: 2_048,
      });
      const read: (Row & { offset: number })[] = [];
      let putSeq = 0;
      const send = () => {
        putSeq += 1;
        const message = encodePut(putSeq, 3, builder.columns());
        const reader = new WireReader(message);
        assert.equal(reader.varint(), (8 << 3) | 2);
        const end = reader.block();
        const batch = new PutBatch(definitions, new WireReader(message, reader.at, end));
        assert.deepEqual([batch.putSeq, batch.epoch], [putSeq, 3]);
        for (let index = 0; index < batch.count; index += 1) read.push(rowOf(batch, index));
        builder.clear();
      };
      const expected: typeof read = [];
      let next = first;
      for (const [one, gap] of given) {
        next += gap;
        expected.push({ ...one, partition: Math.max(0, one.partition), offset: next });
        const bytes = [one.key, one.value, ...one.headers.map((header) => header.value)].map(raw);
        const size = bytes.reduce((sum, part) => sum + (part.bytes?.length ?? 0), 0);
        if (!builder.fits(size, one.headers.length)) send();
        const type = one.timestamp < 0 ? 0 : 1;
        const at = topics.indexOf(one.topic) + 1;
        builder.record(at, Math.max(0, one.partition), next, one.timestamp, type);
        put(bytes[0], (...args) => builder.key(...args));
        put(bytes[1], (...args) => builder.value(...args));
        for (const [index, header] of one.headers.entries()) {
          const name = names.indexOf(header.name) + 1;
          put(bytes[index + 2], (...args) => builder.header(name, ...args));
        }
        next += 1;
      }
      send();
      assert.deepEqual(read, expected);
    }),
    200,
  );
});

interface Raw {
  readonly form: number;
  readonly bytes: Uint8Array | null;
}

function raw(value: Plain): Raw {
  if (value === null) return { form: 0, bytes: null };
  return typeof value === "string"
    ? { form: 2, bytes: Buffer.from(value) }
    : { form: 1, bytes: value };
}

function put(
  part: Raw | undefined,
  to: (form: number, bytes: Uint8Array, start: number, end: number) => void,
): void {
  const { form, bytes } = part as Raw;
  // The bytes stand somewhere inside a larger array, as they do in a fetched batch.
  const padded = Buffer.concat([Buffer.from("##"), bytes ?? Buffer.alloc(0), Buffer.from("#")]);
  to(form, padded, bytes === null ? -1 : 2, bytes === null ? -1 : padded.length - 1);
}

function rowOf(batch: PutBatch, index: number): Row & { offset: number } {
  const record = new SinkRecord(batch, index);
  const own = (value: unknown) =>
    value instanceof Uint8Array ? Uint8Array.from(value) : (value as Plain);
  return {
    topic: record.topic,
    partition: record.partition,
    timestamp: record.timestamp ?? -1,
    key: own(record.key),
    value: own(record.value),
    headers: record.headers.map(({ name, value }) => ({ name, value: own(value) })),
    offset: record.offset,
  };
}
