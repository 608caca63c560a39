import type { RecordCursor } from "../batch/decode.ts";
import type { SinkPiece } from "../convert/converter.ts";
import type { Fetched, TopicPartition } from "../kafka/kafka.ts";
import type { RecordStep } from "./record-failures.ts";

/** How records from the log become a plugin's: by bytes (`SinkLanes`) or by values (`SinkChain`). */
export interface SinkWay {
  /**
   * Where there is something to wait for: called before the records of what was fetched are read, and again
   * for one that is to be tried again. False when the signal fired before all are ready.
   */
  prepare?(fetched: Fetched, signal: AbortSignal): Promise<boolean>;
  /**
   * Reads the record at the cursor. False: a transform dropped it. What it reads into is good until the
   * next call.
   * @throws RecordError, RetriableError for what the connector's `errors.*` decide; `step` was being done
   */
  read(cursor: RecordCursor, from: TopicPartition): boolean;
  /** How many headers the record has, and an upper bound of their bytes. */
  readonly headerCount: number;
  headerBytes(): number;
  headerName(index: number): string;
  /** Good until the next one. @throws as `read` */
  header(index: number): SinkPiece;
  readonly key: SinkPiece;
  readonly value: SinkPiece;
  /** Where transforms say it belongs. */
  readonly topic: string;
  /** -1 = nowhere. */
  readonly partition: number;
  readonly timestampMs: number;
  /** The plugin hears where records were read, beside where they belong. */
  readonly mayMove: boolean;
  readonly step: RecordStep;
}
