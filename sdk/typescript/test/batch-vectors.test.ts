import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { jsonWriter, writeJson } from "../src/canonical-json.ts";
import { OutDefinitions } from "../src/definitions.ts";
import { toFailure } from "../src/failure.ts";
import { FailureClass, FailureCode } from "../src/gen/bulkhead/plugin/v1/error_pb.ts";
import { SourceTaskMessageSchema } from "../src/gen/bulkhead/plugin/v1/source_pb.ts";
import { Packer } from "../src/packer.ts";
import { AuthError, ConfigError, DataError, RetriableError } from "../src/plugin-error.ts";
import type { PutBatch } from "../src/put-batch.ts";
import type { Schema } from "../src/schema.ts";
import { schemaText } from "../src/schema-text.ts";
import { SinkInbox } from "../src/sink-inbox.ts";
import { SinkRecord } from "../src/sink-record.ts";
import type { SourceRecord } from "../src/source-record.ts";
import {
  type BatchVectors,
  dataOf,
  pieceOnWire,
  pieceValue,
  readVectors,
  type VectorBatch,
  type VectorPiece,
  type VectorSinkRecord,
  type VectorSourceRecord,
} from "./batch-vectors.ts";
import { costOf, type Piece, Unpacker } from "./unpack.ts";

const source = readVectors<BatchVectors<VectorSourceRecord>>("source-batches.json");
const sink = readVectors<BatchVectors<VectorSinkRecord>>("sink-batches.json");

for (const vector of source.batches) {
  test(`a source's batch is packed as all SDKs do: ${vector.name}`, () => {
    const unpacker = new Unpacker("hex");
    const definitions = new OutDefinitions((bytes) => {
      assert.ok(unpacker.define(fromBinary(SourceTaskMessageSchema, bytes)));
    });
    const offsetMode = vector.offset_mode === "LAST" ? "last" : "per-record";
    const packer = new Packer(definitions, { messageBytesMax: 4 * 1024 * 1024, offsetMode });
    for (const record of vector.records) assert.ok(packer.add(asRecord(record)));
    const batch = packer.finish(1, true);
    const { kind } = fromBinary(SourceTaskMessageSchema, batch.message);
    assert.ok(kind.case === "records" && kind.value.columns);
    const { columns } = kind.value;
    assert.equal(batch.costBytes, costOf(columns));
    if (vector.last_offsets !== undefined) {
      const last = Object.fromEntries(unpacker.lastOffsets(columns));
      assert.deepEqual(last, vector.last_offsets);
    }
    const rows = unpacker.rows(columns).map((row) => ({
      ...row,
      key: onWire(row.key),
      value: onWire(row.value),
      headers: row.headers.map((one) => ({ name: one.name, value: onWire(one) })),
    }));
    assert.deepEqual(
      rows,
      vector.records.map((record) => asRow(record, vector)),
    );
  });
}

for (const vector of sink.batches) {
  test(`a sink's batch is read as all SDKs do: ${vector.name}`, () => {
    const batch = readPut(vector.messages);
    assert.equal(batch.costBytes, vector.cost_bytes);
    assert.equal(batch.count, vector.records.length);
    for (const [index, expected] of vector.records.entries()) {
      const record = new SinkRecord(batch, index);
      const { key, value, headers, ...plain } = expected;
      assert.deepEqual(
        {
          topic: record.topic,
          partition: record.partition,
          timestamp: record.timestamp === null ? null : String(record.timestamp),
          offset: String(record.offset),
          timestamp_type: record.timestampType,
          original_topic: record.originalTopic,
          original_partition: record.originalPartition,
        },
        plain,
      );
      assertPiece(record.key, record.keySchema, key);
      assertPiece(record.value, record.valueSchema, value);
      if (value !== null && "json" in value && value.schema === null) {
        assert.equal(writeJson(record.exactValue()), value.json);
      }
      assert.deepEqual(
        record.headers.map((one) => one.name),
        headers.map((one) => one.name),
      );
      for (const [at, header] of headers.entries()) {
        assertPiece(record.headers[at]!.value, record.headers[at]!.schema, header.value);
      }
    }
  });
}

for (const vector of sink.refused) {
  test(`a sink's batch is refused: ${vector.name}`, () => {
    assert.throws(() => readPut(vector.messages), RangeError);
  });
}

const failures = readVectors<{
  errors: {
    kind: string;
    code: keyof typeof FailureCode;
    failure_class: keyof typeof FailureClass;
  }[];
  text: string;
  hint: string;
  cause: string;
}>("failures.json");

for (const { kind, code, failure_class } of failures.errors) {
  test(`an error of kind "${kind}" is told as ${code} and ${failure_class}`, () => {
    const { text, hint } = failures;
    const options = { hint, cause: new Error(failures.cause) };
    const made: Record<string, () => Error> = {
      // One that says nothing of its kind has no hint either.
      other: () => new Error(text, options),
      retriable: () => new RetriableError(text, options),
      config: () => new ConfigError(text, options),
      auth: () => new AuthError(text, options),
      data: () => new DataError(text, options),
    };
    const failure = toFailure(made[kind]?.());
    assert.equal(failure.code, FailureCode[code]);
    assert.equal(failure.failureClass, FailureClass[failure_class]);
    assert.equal(failure.text, text);
    assert.equal(failure.hint, kind === "other" ? "" : hint);
    assert.deepEqual(
      failure.causes.map((one) => one.text),
      [failures.cause],
    );
  });
}

function asRecord(vector: VectorSourceRecord): SourceRecord {
  const [key, value] = [pieceValue(vector.key), pieceValue(vector.value)];
  return {
    topic: vector.topic,
    partition: vector.partition,
    timestamp: vector.timestamp === null ? null : Number(vector.timestamp),
    key: key.value,
    keySchema: key.schema,
    value: value.value,
    valueSchema: value.schema,
    headers: vector.headers.map(({ name, value }) => ({ name, ...pieceValue(value) })),
    sourcePartition: dataOf(vector.source_partition),
    sourceOffset: dataOf(vector.source_offset),
  };
}

function asRow(record: VectorSourceRecord, { offset_mode }: VectorBatch<unknown>) {
  const perRecord = {
    sourcePartition: record.source_partition,
    sourceOffset: record.source_offset,
  };
  return {
    topic: record.topic,
    partition: record.partition,
    timestamp: record.timestamp === null ? -1 : Number(record.timestamp),
    key: pieceOnWire(record.key),
    value: pieceOnWire(record.value),
    headers: record.headers.map(({ name, value }) => ({ name, value: pieceOnWire(value) })),
    ...(offset_mode === "LAST" ? {} : perRecord),
  };
}

function onWire({ encoding, schema, text }: Piece) {
  return { encoding: text === null ? "null" : encoding, schema, hex: text };
}

/** The last message is the put. */
function readPut(messages: readonly string[]): PutBatch {
  const inbox = new SinkInbox();
  const read = messages.map((message) => inbox.read(Buffer.from(message, "hex")));
  const notice = read.at(-1);
  assert.ok(notice?.at === "work" && notice.work.at === "put");
  return notice.work.batch;
}

function assertPiece(value: unknown, schema: Schema | null, piece: VectorPiece): void {
  const expected = pieceValue(piece);
  assert.equal(schema === null ? null : schemaText(schema), piece === null ? null : piece.schema);
  if (piece !== null && "json" in piece) {
    if (schema !== null) assert.equal(jsonWriter(schema)(value), piece.json);
    // Without a schema large numbers lose their last digits here: `exactValue` has them.
    else assert.equal(JSON.stringify(plain(value)), JSON.stringify(JSON.parse(piece.json)));
  } else assert.deepEqual(bytesOf(value), bytesOf(expected.value));
}

function bytesOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
