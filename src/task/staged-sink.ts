/** Records from the log through a chain that has stages of plugins: all that was fetched, step by step. */
import { RecordError, RetriableError } from "../base/error.ts";
import { RecordCursor } from "../batch/decode.ts";
import { allParts } from "../convert/row-record.ts";
import type { Fetched, TopicPartition } from "../kafka/kafka.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { CursorRecords } from "./cursor-records.ts";
import type { RecordStep } from "./record-failures.ts";
import { SinkChain } from "./sink-chain.ts";
import { converterStep } from "./source-lanes.ts";
import type { ChainOutcome, StageChain } from "./stage-chain.ts";
import type { RecordConverters } from "./task.ts";

export class StagedSink extends SinkChain {
  readonly #parts: RecordConverters;
  readonly #chain: StageChain;
  readonly #records: CursorRecords;
  /** By offset, of what was fetched; without those that have to go through the chain (again). */
  #outcomes = new Map<number, ChainOutcome>();
  #fetched: Fetched | undefined;
  #failed: RecordStep | undefined;

  constructor(parts: RecordConverters, chain: StageChain) {
    super(parts, [], allParts);
    this.#parts = parts;
    this.#chain = chain;
    this.#records = new CursorRecords(parts);
  }

  override get step(): RecordStep {
    return this.#failed ?? super.step;
  }

  override async prepare(fetched: Fetched, signal: AbortSignal): Promise<boolean> {
    if (this.#fetched !== fetched) this.#outcomes = new Map();
    this.#fetched = fetched;
    const offsets: number[] = [];
    const records: ConnectRecord[] = [];
    const cursor = new RecordCursor();
    cursor.reset(fetched);
    while (cursor.next()) {
      if (this.#outcomes.has(cursor.offset)) continue;
      const record = this.#convert(cursor, fetched);
      if (record === undefined) continue;
      offsets.push(cursor.offset);
      records.push(record);
    }
    if (records.length === 0) return true;
    const outcomes = await this.#chain.run(records, signal);
    outcomes?.forEach((outcome, n) => {
      this.#outcomes.set(offsets[n] as number, outcome);
    });
    return outcomes !== undefined;
  }

  #convert(cursor: RecordCursor, from: TopicPartition): ConnectRecord | undefined {
    try {
      return this.#records.read(cursor, from);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      const step = converterStep(this.#records.part, this.#parts);
      this.#outcomes.set(cursor.offset, { at: "failed", error, step });
      return undefined;
    }
  }

  override read(cursor: RecordCursor): boolean {
    const outcome = this.#outcomes.get(cursor.offset) as ChainOutcome;
    this.#failed = undefined;
    if (outcome.at === "dropped") return false;
    if (outcome.at === "failed") {
      this.#failed = outcome.step;
      if (outcome.error instanceof RetriableError) this.#outcomes.delete(cursor.offset);
      throw outcome.error;
    }
    this.present(outcome.record);
    return true;
  }
}
