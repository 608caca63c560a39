/** A plugin's records through a chain that has stages of plugins: a whole batch of them, step by step. */
import { RecordError, RetriableError } from "../base/error.ts";
import { allParts, RowRecords } from "../convert/row-record.ts";
import { type Columns, type Definitions, emptyColumns } from "../record/columns.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { RecordRow } from "../record/record-row.ts";
import type { RecordSlice } from "../record/record-slice.ts";
import type { RecordStep } from "./record-failures.ts";
import { SourceChain } from "./source-chain.ts";
import { converterStep } from "./source-lanes.ts";
import type { ConvertParts } from "./source-way.ts";
import type { ChainOutcome, StageChain } from "./stage-chain.ts";

export class StagedSource extends SourceChain {
  readonly #parts: ConvertParts;
  readonly #chain: StageChain;
  readonly #rows = new RowRecords();
  #columns: Columns = emptyColumns();
  #definitions: Definitions | undefined;
  /** By the record's index; undefined = it has to go through the chain (again). */
  #outcomes: (ChainOutcome | undefined)[] = [];
  #failed: RecordStep | undefined;

  constructor(parts: ConvertParts, chain: StageChain) {
    super(parts, [], false, allParts);
    this.#parts = parts;
    this.#chain = chain;
  }

  override get step(): RecordStep {
    return this.#failed ?? super.step;
  }

  override begin(columns: Columns, definitions: Definitions): void {
    super.begin(columns, definitions);
    this.#columns = columns;
    this.#definitions = definitions;
    this.#outcomes = new Array(columns.count).fill(undefined);
  }

  override async prepare(signal: AbortSignal): Promise<boolean> {
    const indexes: number[] = [];
    const records: ConnectRecord[] = [];
    const row = new RecordRow();
    row.reset(this.#columns);
    while (row.next()) {
      if (this.#outcomes[row.index] !== undefined) continue;
      const record = this.#read(row);
      if (record === undefined) continue;
      indexes.push(row.index);
      records.push(record);
    }
    if (records.length === 0) return true;
    const outcomes = await this.#chain.run(records, signal);
    outcomes?.forEach((outcome, n) => {
      this.#outcomes[indexes[n] as number] = outcome;
    });
    return outcomes !== undefined;
  }

  #read(row: RecordRow): ConnectRecord | undefined {
    try {
      return this.#rows.read(row, this.#definitions as Definitions);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      const step = converterStep(this.#rows.part, this.#parts);
      this.#outcomes[row.index] = { at: "failed", error, step };
      return undefined;
    }
  }

  override fill(row: RecordRow, record: RecordSlice): boolean {
    const outcome = this.#outcomes[row.index] as ChainOutcome;
    this.#failed = undefined;
    if (outcome.at === "dropped") return false;
    if (outcome.at === "failed") {
      this.#failed = outcome.step;
      if (outcome.error instanceof RetriableError) this.#outcomes[row.index] = undefined;
      throw outcome.error;
    }
    this.store(outcome.record, row, record);
    return true;
  }
}
