/**
 * The planned way through a task, where parts that no transform looks at stay on their lanes, does the same
 * to any record as the plain one, where every part is read: the same bytes into Kafka, the same values to a
 * plugin, the same records dropped, the same refusals of the same step.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, RecordError } from "../../src/base/error.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import type { SinkPiece } from "../../src/convert/converter.ts";
import { createConverter } from "../../src/convert/converters.ts";
import { FormData } from "../../src/convert/form-data.ts";
import { FormWriter } from "../../src/convert/form-writer.ts";
import { allParts } from "../../src/convert/row-record.ts";
import { emptyColumns, type Form, nullForm } from "../../src/record/columns.ts";
import type { ConnectRecord, Data } from "../../src/record/connect-record.ts";
import { parseExactJson } from "../../src/record/exact-json.ts";
import { RecordRow } from "../../src/record/record-row.ts";
import { type ByteSlice, newRecordSlice, type RecordSlice } from "../../src/record/record-slice.ts";
import { readRecord, writeData } from "../../src/record/tagged-json.ts";
import { validateField } from "../../src/record/validate-value.ts";
import type { JsonObject } from "../../src/record/value.ts";
import { SinkChain } from "../../src/task/sink-chain.ts";
import { SourceChain } from "../../src/task/source-chain.ts";
import type { ConvertParts } from "../../src/task/source-way.ts";
import { createSteps } from "../../src/transform/chain.ts";
import { type Step, touchedBy } from "../../src/transform/step.ts";
import { chosenSeed, rounds } from "../harness/property.ts";
import { type Random, randomBy } from "./random-choice.ts";
import { randomRequest } from "./random-transform.ts";

const requestsUsual = 4_000;

const plainJson = ["Json", { "schemas.enable": "false" }] as const;
const choices = [["Json", {}], plainJson, ["String", {}]] as const;

function converters(random: Random): ConvertParts {
  const [name, settings] = choices[Math.floor(random() * choices.length)] ?? plainJson;
  const [keyName, keySettings] = choices[Math.floor(random() * choices.length)] ?? plainJson;
  return {
    keyConverter: createConverter(keyName, keySettings, "key"),
    valueConverter: createConverter(name, settings, "value"),
    headerConverter: createConverter("Simple", {}, "header"),
    converterClasses: { key: "K", value: "V", header: "H" },
    topicsRefused: new Set(),
  };
}

/** What a plugin would send of a record, in canonical texts. @throws RecordError for what none may send */
class Sent {
  readonly columns = emptyColumns();
  readonly forms: Form[] = [nullForm];
  readonly names: string[] = [""];
  readonly #arena: Buffer[] = [];
  readonly #writer = new FormWriter();
  readonly #piece: SinkPiece = { form: nullForm, bytes: Buffer.alloc(0), start: -1, end: -1 };

  constructor({ topic, partition, timestamp, key, value, headers }: ConnectRecord) {
    const { columns } = this;
    columns.count = 1;
    columns.topics = Uint32Array.of(1);
    columns.partitions = Uint32Array.of((partition ?? -1) + 1);
    columns.timestamps = Float64Array.of(Math.max(-1, Number(timestamp ?? -1)));
    this.topics = [undefined, topic];
    const [keySize, keyForm] = this.#add(key);
    const [valueSize, valueForm] = this.#add(value);
    columns.keySizes = Uint32Array.of(keySize);
    columns.keyForms = Uint32Array.of(keyForm);
    columns.valueSizes = Uint32Array.of(valueSize);
    columns.valueForms = Uint32Array.of(valueForm);
    const parts = headers.map((header) => this.#add(header));
    columns.headerCounts = Uint32Array.of(parts.length);
    columns.headerSizes = Uint32Array.from(parts, ([size]) => size);
    columns.headerForms = Uint32Array.from(parts, ([, form]) => form);
    columns.headerNames = Uint32Array.from(headers, ({ name }) => this.names.push(name) - 1);
    columns.arena = Buffer.concat(this.#arena);
  }

  readonly topics: (string | undefined)[];

  #add(data: Data): readonly [size: number, form: number] {
    const piece = this.#piece;
    this.#writer.write(data, piece);
    const id = piece.form === nullForm ? 0 : this.forms.push(piece.form) - 1;
    if (piece.start < 0) return [0, id];
    const bytes = Buffer.from(piece.bytes.subarray(piece.start, piece.end));
    // Who promises canonical texts also promises that they are what their schema says.
    const { schema, value } = new FormData(piece.form).read(bytes, 0, bytes.length);
    if (schema !== null) validateField("it", schema, value);
    this.#arena.push(bytes);
    return [bytes.length + 1, id];
  }
}

function sentOf(record: ConnectRecord): Sent | undefined {
  try {
    return new Sent(record);
  } catch (error) {
    assert.ok(error instanceof RecordError, String((error as Error).stack));
    return undefined;
  }
}

/** What a chain made of the record, as a text. */
function produced(chain: SourceChain, sent: Sent, record: RecordSlice): string {
  const row = new RecordRow();
  row.reset(sent.columns);
  row.next();
  const { topics, names, forms } = sent;
  chain.begin(sent.columns, { topics, names, forms, partitions: [] });
  try {
    if (!chain.fill(row, record)) return "dropped";
  } catch (error) {
    return refusal(error, chain.step);
  }
  const headers = record.headers
    .slice(0, record.headerCount)
    .map(({ name, ...slice }) => [text({ bytes: name, start: 0, end: name.length }), text(slice)]);
  const { topic, partition, timestampMs, key, value } = record;
  return JSON.stringify([topic, partition, timestampMs, text(key), text(value), headers]);
}

function refusal(error: unknown, step: object): string {
  assert.ok(error instanceof RecordError, `another kind of error: ${(error as Error).stack}`);
  return `refused ${JSON.stringify(step)} ${error.message}`;
}

type Run = Pick<ByteSlice, "bytes" | "start" | "end"> & Partial<ByteSlice>;

function text({ bytes, start, end, prefix, suffix }: Run): string {
  if (start < 0) return "null";
  const empty = Buffer.alloc(0);
  const all = [prefix ?? empty, bytes.subarray(start, end), suffix ?? empty];
  return Buffer.concat(all).toString("latin1");
}

/** What the plugin gets of a record in Kafka, as values: a part may have one form or another. */
function given(chain: SinkChain, cursor: RecordCursor): string {
  try {
    if (!chain.read(cursor, { topic: "orders", partition: 3 })) return "dropped";
    const headers = Array.from({ length: chain.headerCount }, (_, index) => [
      chain.headerName(index),
      shown(chain.header(index)),
    ]);
    const { topic, partition, timestampMs, key, value } = chain;
    return JSON.stringify([topic, partition, timestampMs, shown(key), shown(value), headers]);
  } catch (error) {
    return refusal(error, chain.step);
  }
}

function shown({ form, bytes, start, end }: SinkPiece): string {
  return writeData(new FormData(form).read(bytes, start, end));
}

function cursorOn(record: RecordSlice): RecordCursor {
  const builder = new BatchBuilder();
  builder.append(record, Math.max(0, record.timestampMs));
  const cursor = new RecordCursor();
  cursor.reset({ batches: Buffer.from(builder.finish(0, {})), firstOffset: 0 });
  assert.ok(cursor.next());
  return cursor;
}

function stepsOf(request: JsonObject): readonly Step[] {
  try {
    return createSteps(Object.fromEntries(request.get("transforms") as Map<string, string>));
  } catch (error) {
    assert.ok(error instanceof ConfigError, `another kind of error: ${error}`);
    return [];
  }
}

/** A task's chains, which keep what they have learnt from record to record. */
class Contest {
  readonly #sources: readonly SourceChain[];
  readonly #plainSource: SourceChain;
  readonly #sink: SinkChain;
  readonly #plainSink: SinkChain;
  readonly #slices = [newRecordSlice(), newRecordSlice()];
  readonly #plainSlice = newRecordSlice();

  constructor(parts: ConvertParts, steps: readonly Step[]) {
    this.#sources = [true, false].map((canonical) => new SourceChain(parts, steps, canonical));
    this.#plainSource = new SourceChain(parts, steps, true, allParts);
    this.#sink = new SinkChain(parts, steps);
    this.#plainSink = new SinkChain(parts, steps, allParts);
  }

  /** Plays the record in both directions. Answers whether it came through the chain of the source. */
  compare(sent: Sent): boolean {
    const plain = produced(this.#plainSource, sent, this.#plainSlice);
    this.#sources.forEach((source, at) => {
      const planned = produced(source, sent, this.#slices[at] as RecordSlice);
      assert.equal(planned, plain, "a source");
    });
    if (!plain.startsWith("[")) return false;
    const cursor = cursorOn(this.#plainSlice);
    assert.equal(given(this.#sink, cursor), given(this.#plainSink, cursor), "a sink");
    return true;
  }
}

const recordsPerChain = 4;

test("the planned chain and the plain chain do the same to any record", () => {
  const seed = chosenSeed();
  const requests = requestsUsual * rounds();
  const random = randomBy(seed);
  let planned = 0;
  let contest: Contest | undefined;
  for (let round = 0; round < requests; round += 1) {
    const line = randomRequest(random);
    const request = parseExactJson(line) as JsonObject;
    if (round % recordsPerChain === 0) {
      const steps = stepsOf(request);
      const isPlanned = steps.length > 0 && touchedBy(steps).size < 3;
      contest = isPlanned ? new Contest(converters(random), steps) : undefined;
    }
    const sent = sentOf(readRecord(request.get("record") ?? null));
    if (contest === undefined || sent === undefined) continue;
    try {
      if (contest.compare(sent)) planned += 1;
    } catch (error) {
      const { message } = error as Error;
      const text = `BULKHEAD_SEED=${seed} request ${round}: ${message}\n${line}`;
      throw new Error(text, { cause: error });
    }
  }
  assert.ok(planned > requests / 8, `only ${planned} of ${requests} came through a chain`);
});
