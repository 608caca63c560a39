/** One task of a source, played the planned way and the plain way. */
import assert from "node:assert/strict";
import { RecordError } from "../../src/base/error.ts";
import type { Converter, SinkPiece } from "../../src/convert/converter.ts";
import { FormData } from "../../src/convert/form-data.ts";
import { FormWriter } from "../../src/convert/form-writer.ts";
import { allParts } from "../../src/convert/row-record.ts";
import { type Columns, emptyColumns, type Form, nullForm } from "../../src/record/columns.ts";
import type { ConnectRecord, Data } from "../../src/record/connect-record.ts";
import { parseExactJson } from "../../src/record/exact-json.ts";
import { RecordRow } from "../../src/record/record-row.ts";
import { newRecordSlice, type RecordSlice } from "../../src/record/record-slice.ts";
import { writeData } from "../../src/record/tagged-json.ts";
import { validateField } from "../../src/record/validate-value.ts";
import { SourceChain } from "../../src/task/source-chain.ts";
import { comparableJson } from "../harness/comparable-json.ts";
import { type Outcome, outcomeOf, recordText, wholeOf } from "./plan-outcome.ts";
import { partsOf, recordOf, type Scene, stepsOf } from "./plan-scene.ts";

/** Gives a canonical text in another spelling, or something else in its place. */
export type Respelling = (text: string) => Uint8Array;

/** How a plugin's JSON texts are, and so how much the two ways have to agree. */
export interface SourceTexts {
  readonly respell: Respelling | undefined;
  /** Each is what its form says, however it is spelt. */
  readonly areTrue: boolean;
}

/** What a plugin sends: batches under ids that it has defined. */
class Plugin {
  readonly topics: (string | undefined)[] = [undefined];
  readonly names: string[] = [""];
  readonly forms: Form[] = [nullForm];
  readonly partitions = [];
  readonly #respell: Respelling | undefined;
  readonly #writer = new FormWriter();
  readonly #piece: SinkPiece = { form: nullForm, bytes: Buffer.alloc(0), start: -1, end: -1 };

  constructor(respell: Respelling | undefined) {
    this.#respell = respell;
  }

  /** Of these records those that may be sent. */
  batch(records: readonly ConnectRecord[]): Columns {
    const sent = records.flatMap((record) => {
      const { key, value, headers } = record;
      const parts = this.#parts([key, value, ...headers]);
      return parts === undefined ? [] : [{ record, parts }];
    });
    const columns = emptyColumns();
    const numbers = (of: (each: (typeof sent)[number]) => number) => Uint32Array.from(sent, of);
    columns.count = sent.length;
    columns.topics = numbers(({ record }) => idOf(this.topics, record.topic));
    columns.partitions = numbers(({ record }) => (record.partition ?? -1) + 1);
    columns.timestamps = Float64Array.from(sent, ({ record }) =>
      Math.max(-1, Number(record.timestamp ?? -1)),
    );
    columns.keySizes = numbers(({ parts }) => sizeOf(parts[0]));
    columns.keyForms = numbers(({ parts }) => parts[0]?.form ?? 0);
    columns.valueSizes = numbers(({ parts }) => sizeOf(parts[1]));
    columns.valueForms = numbers(({ parts }) => parts[1]?.form ?? 0);
    columns.headerCounts = numbers(({ record }) => record.headers.length);
    const headers = sent.flatMap(({ parts }) => parts.slice(2));
    columns.headerSizes = Uint32Array.from(headers, sizeOf);
    columns.headerForms = Uint32Array.from(headers, ({ form }) => form);
    const names = sent.flatMap(({ record }) => record.headers.map(({ name }) => name));
    columns.headerNames = Uint32Array.from(names, (name) => idOf(this.names, name));
    const all = sent.flatMap(({ parts }) => parts.map(({ bytes }) => bytes ?? Buffer.alloc(0)));
    columns.arena = Buffer.concat(all);
    return columns;
  }

  /** Undefined for what none may send. */
  #parts(all: readonly Data[]): readonly SentPart[] | undefined {
    try {
      return all.map((data) => this.#part(data));
    } catch (error) {
      assert.ok(error instanceof RecordError, String((error as Error).stack));
      return undefined;
    }
  }

  #part(data: Data): SentPart {
    const piece = this.#piece;
    this.#writer.write(data, piece);
    const form = idOf(this.forms, piece.form);
    if (piece.start < 0) return { form: piece.form === nullForm ? 0 : form, bytes: null };
    const bytes = Buffer.from(piece.bytes.subarray(piece.start, piece.end));
    // Who promises canonical texts also promises that they are what their schema says.
    const { schema, value } = new FormData(piece.form).read(bytes, 0, bytes.length);
    if (schema !== null) validateField("it", schema, value);
    if (this.#respell === undefined || piece.form.encoding !== "json") return { form, bytes };
    return { form, bytes: this.#respell(bytes.toString("utf8")) };
  }
}

interface SentPart {
  readonly form: number;
  readonly bytes: Uint8Array | null;
}

function sizeOf(part: SentPart | undefined): number {
  return part?.bytes ? part.bytes.length + 1 : 0;
}

function idOf<T>(all: T[], wanted: T): number {
  const known = all.indexOf(wanted);
  return known < 0 ? all.push(wanted) - 1 : known;
}

/** A task, which keeps what it has learnt from batch to batch. */
export class SourceContest {
  readonly #scene: Scene;
  readonly #texts: SourceTexts;
  readonly #plugin: Plugin;
  readonly #planned: SourceChain;
  /** Of a plugin that promises canonical texts. */
  readonly #trusting: SourceChain;

  constructor(scene: Scene, texts: SourceTexts) {
    this.#scene = scene;
    this.#texts = texts;
    this.#plugin = new Plugin(texts.respell);
    this.#planned = new SourceChain(partsOf(scene), stepsOf(scene.config), false);
    this.#trusting = new SourceChain(partsOf(scene), stepsOf(scene.config), true);
  }

  /** Plays a batch. Answers what became of its records. @throws AssertionError where the ways differ */
  compare(lines: readonly string[]): readonly Outcome[] {
    const columns = this.#plugin.batch(lines.map(recordOf));
    const { config } = this.#scene;
    // Made anew, so it also tells what the others keep and should not.
    const fresh = new SourceChain(partsOf(this.#scene), stepsOf(config), false, allParts);
    const plain = this.#play(fresh, columns);
    const { respell, areTrue } = this.#texts;
    this.#play(this.#planned, columns).forEach((outcome, at) => {
      const expected = plain[at] as Played;
      if (!areTrue && isLeftUnread(outcome, expected)) return;
      assert.equal(outcome.outcome, expected.outcome, "a source");
    });
    if (!areTrue) return plain.map(({ outcome }) => outcome);
    this.#play(this.#trusting, columns).forEach((outcome, at) => {
      const { outcome: bytes, value } = plain[at] as Played;
      if (respell === undefined) assert.equal(outcome.outcome, bytes, "a canonical source");
      else assert.equal(outcome.value, value, "a source that promises canonical texts");
    });
    return plain.map(({ outcome }) => outcome);
  }

  #play(chain: SourceChain, columns: Columns): readonly Played[] {
    const row = new RecordRow();
    const record = newRecordSlice();
    row.reset(columns);
    chain.begin(columns, this.#plugin);
    const all: Played[] = [];
    while (row.next()) {
      const played = this.#fill(chain, row, record);
      // A row may come again.
      if (!played.outcome.startsWith("kept")) {
        assert.equal(this.#fill(chain, row, record).outcome, played.outcome, "again");
      }
      all.push(played);
    }
    return all;
  }

  #fill(chain: SourceChain, row: RecordRow, record: RecordSlice): Played {
    let value = "";
    const outcome = outcomeOf(
      () => {
        if (!chain.fill(row, record)) return false;
        if (this.#texts.areTrue) value = this.#valueOf(record);
        return recordText(record);
      },
      () => chain.step,
      () => ({ original: null, timestampMs: -1, key: null, value: null, headers: [] }),
    );
    return { outcome, value: outcome.startsWith("kept") ? value : outcome };
  }

  /** What a reader of the topic would find. */
  #valueOf(record: RecordSlice): string {
    const { keyConverter, valueConverter, headerConverter } = partsOf(this.#scene);
    const { topic, partition, timestampMs, key, value, headers, headerCount } = record;
    const read = headers
      .slice(0, headerCount)
      .map((header) => [String(header.name), dataText(headerConverter, wholeOf(header))]);
    const parts = [dataText(keyConverter, wholeOf(key)), dataText(valueConverter, wholeOf(value))];
    return JSON.stringify([topic, partition, timestampMs, parts, read]);
  }
}

interface Played {
  readonly outcome: Outcome;
  /** What was kept, however its bytes are spelt. */
  readonly value: string;
}

/** A part that nobody looked at may be no value, as long as its record goes nowhere. */
function isLeftUnread(planned: Played, plain: Played): boolean {
  return planned.outcome === "dropped" && /^refused (KEY|VALUE|HEADER)_/.test(plain.outcome);
}

function dataText(converter: Pick<Converter, "toConnect">, bytes: Buffer | null): string {
  try {
    const data = converter.toConnect(
      bytes ?? Buffer.alloc(0),
      bytes === null ? -1 : 0,
      bytes?.length ?? -1,
    );
    return comparableJson(parseExactJson(writeData(data)));
  } catch (error) {
    // Not all that is written can be read again.
    return `${error instanceof RecordError ? error.message : error} ${bytes?.toString("latin1")}`;
  }
}
