/** The batches that all SDKs share (sdk/vectors), read by the host. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Columns, sizeOf } from "../record/columns.ts";
import { checkSourceColumns } from "./columns-check.ts";
import { decodeRecords, isRecords } from "./columns-decode.ts";
import { encodePut } from "./columns-encode.ts";
import { IncomingDefinitions } from "./definitions.ts";
import { columnsFromProto, formFromProto } from "./from-proto.ts";
import { HostSinkMessageSchema } from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import { SourceTaskMessageSchema } from "./gen/bulkhead/plugin/v1/source_pb.ts";

interface Batch {
  readonly name: string;
  readonly offset_mode: "PER_RECORD" | "LAST";
  readonly columns: Readonly<Record<string, number | string | readonly (number | string)[]>>;
  readonly cost_bytes: number;
  readonly breaks: string;
  readonly messages: readonly string[];
}

function vectorsOf(name: string): { batches: Batch[]; refused: Batch[] } {
  const file = new URL(`../../sdk/vectors/${name}-batches.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Takes the messages as the host's end of a source stream does. */
function readSource({ messages, offset_mode }: Batch): Columns {
  const incoming = new IncomingDefinitions();
  let columns: Columns | undefined;
  for (const hex of messages) {
    const bytes = Buffer.from(hex, "hex");
    if (isRecords(bytes)) {
      const records = decodeRecords(bytes);
      assert.ok(records !== "irregular");
      checkSourceColumns(records.columns, {
        offsetMode: offset_mode === "LAST" ? "last" : "per-record",
        definitions: incoming.current,
        messageBytesMax: 4 * 1024 * 1024,
      });
      columns = records.columns;
    } else define(incoming, bytes);
  }
  assert.ok(columns, "the vector has a batch");
  return columns;
}

function define(incoming: IncomingDefinitions, bytes: Uint8Array): void {
  const { kind } = fromBinary(SourceTaskMessageSchema, bytes);
  if (kind.case === "topic") incoming.define("topics", kind.value.id, kind.value.topic);
  else if (kind.case === "name") incoming.define("names", kind.value.id, kind.value.name);
  else if (kind.case === "partition") {
    incoming.define("partitions", kind.value.id, kind.value.partition);
  } else if (kind.case === "form") {
    incoming.define("forms", kind.value.id, formFromProto(kind.value));
  } else assert.fail(`the vector has a message ${kind.case}`);
}

/** The batch in the vector's words: what is empty is left out, deltas are not summed up. */
function asVector(columns: Columns): Record<string, unknown> {
  const said: Record<string, unknown> = {};
  for (const [name, column] of Object.entries(columns)) {
    const field = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (typeof column === "number") {
      if (column !== 0) said[field] = column;
    } else if (column.length === 0) continue;
    else if (name === "arena" || name === "offsetArena") {
      said[field] = Buffer.from(column).toString("hex");
    } else if (column instanceof Float64Array) said[field] = differences(column);
    else said[field] = [...column];
  }
  return said;
}

function differences(sums: Float64Array): string[] {
  return Array.from(sums, (sum, at) => String(BigInt(sum) - BigInt(at === 0 ? 0 : sums[at - 1]!)));
}

for (const batch of vectorsOf("source").batches) {
  test(`a source's batch is taken as it was packed: ${batch.name}`, () => {
    const columns = readSource(batch);
    assert.deepEqual(asVector(columns), batch.columns);
    assert.equal(sizeOf(columns), batch.cost_bytes);
  });
}

for (const batch of vectorsOf("source").refused) {
  test(`a source's batch is refused: ${batch.name}`, () => {
    assert.throws(() => readSource(batch), {
      code: "plugin.protocol_error",
      message: new RegExp(
        batch.breaks === "count" ? "more than 0 entries" : batch.breaks.split("_")[0]!,
      ),
    });
  });
}

for (const batch of vectorsOf("sink").batches) {
  test(`a put is written as a sink has to read it: ${batch.name}`, () => {
    const message = Buffer.from(batch.messages.at(-1)!, "hex");
    const { kind } = fromBinary(HostSinkMessageSchema, message);
    assert.ok(kind.case === "put");
    const columns = columnsFromProto(kind.value.columns);
    assert.deepEqual(asVector(columns), batch.columns);
    assert.equal(sizeOf(columns), batch.cost_bytes);
    const written = fromBinary(HostSinkMessageSchema, encodePut(1, 0, columns));
    assert.deepEqual(
      toBinary(HostSinkMessageSchema, written),
      toBinary(HostSinkMessageSchema, fromBinary(HostSinkMessageSchema, message)),
    );
  });
}
