/**
 * One transform or predicate that lives in a plugin, for many records at once: columns out, columns
 * back. Rules of proto/README.md ("Stages").
 */
import { RecordError, RetriableError } from "../base/error.ts";
import type { SinkPiece } from "../convert/converter.ts";
import { FormWriter } from "../convert/form-writer.ts";
import { RowRecords } from "../convert/row-record.ts";
import type {
  Failure,
  IdMax,
  StageOperation,
  StagePart,
  StageRun,
  StageStream,
} from "../plugin/plugin.ts";
import { type Definitions, type Form, nullForm } from "../record/columns.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { RecordRow } from "../record/record-row.ts";
import { PutBuilder } from "./put-builder.ts";
import { newPiece } from "./sink-lanes.ts";

const idMax: IdMax = 65_535;
const idGoal = idMax - 1_000;
/** The contract's limit on records in one batch. */
const batchRecordsMax = 10_000;
const batchBytesGoal = 1_048_576;
/** The contract's limit on the headers of one record. */
const headersMax = 1_000;

/** What the stage said of a record. */
export type StageVerdict =
  | { readonly at: "kept"; readonly record: ConnectRecord }
  | { readonly at: "dropped" }
  | { readonly at: "held"; readonly holds: boolean }
  | { readonly at: "failed"; readonly error: Error };

export class StageExchange {
  readonly #stream: StageStream;
  readonly #builder: PutBuilder;
  readonly #bytesMax: number;
  readonly #writer = new FormWriter();
  readonly #rows = new RowRecords();
  readonly #row = new RecordRow();
  readonly #key = newPiece();
  readonly #value = newPiece();
  readonly #headers: SinkPiece[] = [];

  constructor(stream: StageStream, messageBytesMax: number) {
    this.#stream = stream;
    this.#bytesMax = messageBytesMax;
    this.#builder = new PutBuilder({
      recordsMax: batchRecordsMax,
      bytesMax: messageBytesMax,
      arenaBytesGoal: Math.min(batchBytesGoal, messageBytesMax / 2),
    });
  }

  /**
   * A verdict for each record, in their order; fewer when the signal fires. A record that no form can carry
   * has failed.
   * @throws TaskError when the stage has failed as a whole or is gone
   */
  async run(
    operation: Extract<StageOperation, "apply" | "test">,
    records: readonly ConnectRecord[],
    signal: AbortSignal,
  ): Promise<StageVerdict[]> {
    const verdicts: StageVerdict[] = [];
    while (verdicts.length < records.length) {
      await this.#stream.room(signal);
      if (signal.aborted) break;
      const batch = this.#fill(records, verdicts.length);
      const columns = this.#builder.columns();
      const answer = batch.sent.length === 0 ? undefined : this.#stream.run(operation, columns);
      this.#builder.clear();
      const answers = answer === undefined ? [] : this.#verdicts(await answer, batch.sent);
      for (const refused of batch.refused)
        verdicts.push(refused ?? (answers.shift() as StageVerdict));
    }
    return verdicts;
  }

  /** From that record on: those that are in the builder, and of each that was looked at why it is not. */
  #fill(records: readonly ConnectRecord[], from: number) {
    const sent: ConnectRecord[] = [];
    const refused: (StageVerdict | undefined)[] = [];
    for (let index = from; index < records.length; index += 1) {
      const record = records[index] as ConnectRecord;
      try {
        if (!this.#add(record)) break;
        sent.push(record);
        refused.push(undefined);
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        refused.push({ at: "failed", error });
      }
    }
    return { sent, refused };
  }

  /** False when there is no room for it. @throws RecordError before anything of it is in the builder */
  #add(record: ConnectRecord): boolean {
    const { headers } = record;
    this.#writer.write(record.key, this.#key);
    this.#writer.write(record.value, this.#value);
    headers.forEach((header, index) => {
      this.#headers[index] ??= newPiece();
      this.#writer.write(header, this.#headers[index]);
    });
    const size = this.#sizeOf(headers.length);
    const builder = this.#builder;
    if (!builder.fits(size, headers.length)) return false;
    const ids = this.#idsOf(record) ?? this.#renewedIdsOf(record);
    if (ids === undefined) return false;
    const { partition, offset, timestamp, timestampType } = record;
    const timestampMs = timestamp === null ? -1 : Number(timestamp);
    builder.record(ids.topic, partition ?? -1, Number(offset), timestampMs, timestampType);
    const [key, value] = [this.#key, this.#value];
    builder.key(ids.key, key.bytes, key.start, key.end);
    builder.value(ids.value, value.bytes, value.start, value.end);
    headers.forEach((header, index) => {
      const { form, bytes, start, end } = this.#headers[index] as SinkPiece;
      builder.header(this.#stream.nameId(header.name), this.#formId(form), bytes, start, end);
    });
    return true;
  }

  /** @throws RecordError for more than a message or a plugin takes */
  #sizeOf(headerCount: number): number {
    let size = sizeOf(this.#key) + sizeOf(this.#value);
    for (let index = 0; index < headerCount; index += 1) {
      size += sizeOf(this.#headers[index] as SinkPiece);
    }
    if (headerCount <= headersMax && size + 64 * (1 + headerCount) + 4_096 <= this.#bytesMax) {
      return size;
    }
    throw new RecordError(
      "record.too_large",
      `the record has ${size} bytes and ${headerCount} headers, more than a message to the plugin may carry ` +
        `(plugin.message.bytes.max = ${this.#bytesMax}, ${headersMax} headers)`,
    );
  }

  /** Undefined when one is past the contract's last. */
  #idsOf(record: ConnectRecord) {
    const topic = this.#stream.topicId(record.topic);
    const key = this.#formId(this.#key.form);
    const value = this.#formId(this.#value.form);
    let highest = Math.max(topic, key, value);
    for (const { name } of record.headers) highest = Math.max(highest, this.#stream.nameId(name));
    return highest <= idGoal ? { topic, key, value } : undefined;
  }

  /** Ids begin anew only behind the batches that use the old ones. */
  #renewedIdsOf(record: ConnectRecord) {
    if (this.#builder.count > 0) return undefined;
    this.#stream.forget();
    return this.#idsOf(record);
  }

  #formId(form: Form): number {
    return form === nullForm ? 0 : this.#stream.formId(form);
  }

  #verdicts(parts: readonly StagePart[], sent: readonly ConnectRecord[]): StageVerdict[] {
    const verdicts: StageVerdict[] = [];
    for (const { runs, columns, definitions } of parts) {
      this.#row.reset(columns);
      for (const run of runs) {
        for (let n = 0; n < run.count; n += 1) {
          const before = sent[verdicts.length] as ConnectRecord;
          verdicts.push(this.#verdict(run, before, definitions));
        }
      }
    }
    return verdicts;
  }

  #verdict(run: StageRun, before: ConnectRecord, definitions: Definitions): StageVerdict {
    switch (run.verdict) {
      case "ok":
        return this.#kept(before, definitions);
      case "filtered":
        return { at: "dropped" };
      case "failed":
        return { at: "failed", error: errorOf(run.failure) };
      default:
        return { at: "held", holds: run.verdict === "true" };
    }
  }

  /** Where it was read stays with the host. */
  #kept(before: ConnectRecord, definitions: Definitions): StageVerdict {
    this.#row.next();
    try {
      const { kind, offset, timestampType } = before;
      const after = this.#rows.read(this.#row, definitions);
      return { at: "kept", record: { ...after, kind, offset, timestampType } };
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return { at: "failed", error };
    }
  }
}

function sizeOf({ start, end }: SinkPiece): number {
  return start < 0 ? 0 : end - start;
}

/** What may pass is tried again by `errors.retry.*`; all else is the record's. */
function errorOf({ class: kind, text, hint, exceptionClass }: Failure): Error {
  const options = {
    ...(hint === "" ? {} : { hint }),
    ...(exceptionClass === "" ? {} : { javaClass: exceptionClass }),
  };
  if (kind === "transient") return new RetriableError("plugin.stage_failed", text, options);
  return new RecordError("plugin.stage_failed", text, options);
}
