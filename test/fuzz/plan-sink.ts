/** One task of a sink, played the planned way and the plain way. */
import assert from "node:assert/strict";
import { RecordError } from "../../src/base/error.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import type { ConverterUse, SinkPiece } from "../../src/convert/converter.ts";
import { FormData } from "../../src/convert/form-data.ts";
import { allParts } from "../../src/convert/row-record.ts";
import type { ConnectRecord, Data } from "../../src/record/connect-record.ts";
import {
  type ByteSlice,
  newRecordSlice,
  noBytes,
  type RecordSlice,
} from "../../src/record/record-slice.ts";
import { writeData } from "../../src/record/tagged-json.ts";
import { SinkChain } from "../../src/task/sink-chain.ts";
import { cursorRecord } from "../../src/task/sink-failures.ts";
import { touchedBy } from "../../src/transform/step.ts";
import type { TouchedPart } from "../../src/transform/transform.ts";
import { type Outcome, outcomeOf } from "./plan-outcome.ts";
import { partsOf, recordOf, type Scene, stepsOf } from "./plan-scene.ts";

const from = { topic: "orders", partition: 3 };

/**
 * What stands in the log in place of the bytes that the converter of this class has written. The chain may
 * touch the part or not.
 */
export type Rewriting = (converter: string, bytes: Uint8Array, isTouched: boolean) => Uint8Array;

/** What a producer has written that uses the same converters. */
class Log {
  readonly #scene: Scene;
  readonly #rewrite: Rewriting;
  readonly #touched: ReadonlySet<TouchedPart>;

  constructor(scene: Scene, rewrite: Rewriting) {
    this.#scene = scene;
    this.#rewrite = rewrite;
    this.#touched = touchedBy(stepsOf(scene.config));
  }

  /** A record batch; undefined where none of the records can be written. */
  batch(records: readonly ConnectRecord[]): Uint8Array | undefined {
    const builder = new BatchBuilder();
    for (const record of records) {
      const slice = this.#slice(record);
      if (slice !== undefined) builder.append(slice, Math.max(0, slice.timestampMs));
    }
    return builder.recordCount === 0 ? undefined : Buffer.from(builder.finish(0));
  }

  #slice({ key, value, headers, timestamp }: ConnectRecord): RecordSlice | undefined {
    const slice = newRecordSlice();
    slice.timestampMs = Number(timestamp ?? -1);
    try {
      fill(slice.key, this.#bytes("key", key));
      fill(slice.value, this.#bytes("value", value));
      slice.headers = headers.map((header) => {
        const place = { name: Buffer.from(header.name), bytes: noBytes, start: -1, end: -1 };
        fill(place, this.#bytes("header", header));
        return place;
      });
    } catch (error) {
      assert.ok(error instanceof RecordError, String((error as Error).stack));
      return undefined;
    }
    slice.headerCount = headers.length;
    return slice;
  }

  #bytes(use: ConverterUse, data: Data): Uint8Array | null {
    const { name } = this.#scene.converters[use];
    const bytes = partsOf(this.#scene)[`${use}Converter`].fromConnect(data);
    const isTouched = this.#touched.has(use === "header" ? "headers" : use);
    return bytes === null ? null : this.#rewrite(name, bytes, isTouched);
  }
}

function fill(slice: Pick<ByteSlice, "bytes" | "start" | "end">, bytes: Uint8Array | null): void {
  if (bytes === null) return;
  slice.bytes = bytes;
  slice.start = 0;
  slice.end = bytes.length;
}

/** A task, which keeps what it has learnt from batch to batch. */
export class SinkContest {
  readonly #scene: Scene;
  readonly #log: Log;
  readonly #planned: SinkChain;

  constructor(scene: Scene, rewrite: Rewriting) {
    this.#scene = scene;
    this.#log = new Log(scene, rewrite);
    this.#planned = new SinkChain(partsOf(scene), stepsOf(scene.config));
  }

  /** Plays a batch. Answers what became of its records. @throws AssertionError where the ways differ */
  compare(lines: readonly string[]): readonly Outcome[] {
    const batches = this.#log.batch(lines.map(recordOf));
    if (batches === undefined) return [];
    // Made anew, so it also tells what the other keeps and should not.
    const fresh = new SinkChain(partsOf(this.#scene), stepsOf(this.#scene.config), allParts);
    const plain = play(fresh, batches);
    play(this.#planned, batches).forEach((outcome, at) => {
      assert.equal(outcome, plain[at], "a sink");
    });
    return plain;
  }
}

function play(chain: SinkChain, batches: Uint8Array): readonly Outcome[] {
  const cursor = new RecordCursor();
  cursor.reset({ batches, firstOffset: 0 });
  const all: Outcome[] = [];
  while (cursor.next()) {
    const outcome = read(chain, cursor);
    // A record may come again.
    if (!outcome.startsWith("kept")) assert.equal(read(chain, cursor), outcome, "again");
    all.push(outcome);
  }
  return all;
}

function read(chain: SinkChain, cursor: RecordCursor): Outcome {
  return outcomeOf(
    () => (chain.read(cursor, from) ? given(chain) : false),
    () => chain.step,
    () => cursorRecord(from, cursor).letter(),
  );
}

/** What the plugin gets, as values: a part may have one form or another. */
function given(chain: SinkChain): string {
  const { topic, partition, timestampMs, key, value } = chain;
  const headers = Array.from({ length: chain.headerCount }, (_, index) => [
    chain.headerName(index),
    shown(chain.header(index)),
  ]);
  return JSON.stringify([topic, partition, timestampMs, shown(key), shown(value), headers]);
}

function shown({ form, bytes, start, end }: SinkPiece): string {
  try {
    return writeData(new FormData(form).read(bytes, start, end));
  } catch (error) {
    const text = Buffer.from(bytes.subarray(start, end)).toString("latin1");
    throw new Error(`the plugin gets ${text} as ${form.schema}`, { cause: error });
  }
}
