/** The part of the door that is the record path: the host's ends of task streams. */
import type { Columns, Definitions, Form } from "../record/columns.ts";
import type { Failure, Run } from "./plugin.ts";

/** The host's end of a source task's stream, after Started. */
export interface SourceStream {
  /** The plugin has the capability `canonical_json`: its JSON texts may be passed on unparsed. */
  readonly canonicalJson: boolean;
  /** The next message in stream order; undefined when the stream has ended without Stopped. */
  next(): Promise<SourceEvent | undefined>;
  /** Gives the plugin room: exactly what a batch cost, once. */
  credit(records: number, bytes: number): void;
  /** Cumulative and in order. */
  acked(through: number, runs: readonly Run[]): void;
  committed(offsets: readonly SourceOffset[]): void;
  pause(): void;
  resume(): void;
  drain(): void;
  /**
   * Sends Stop and resolves with what Stopped said. Rejects with TaskError: `plugin.request_timeout`
   * when `timeoutMs` pass, the one reason to condemn the process; `plugin.gone` when the stream ends
   * or has ended without Stopped, which leaves the process to its other tasks.
   */
  stop(timeoutMs: number): Promise<Failure | undefined>;
  /** Why the stream ended, once it has: the process's exit in words, or a protocol error. */
  readonly ended: Promise<string>;
}

/** JSON texts; a null offset removes the entry. */
export interface SourceOffset {
  readonly partition: string;
  readonly offset: string | null;
}

/** What a source task said, in stream order. */
export type SourceEvent =
  | {
      at: "records";
      batchSeq: number;
      columns: Columns;
      definitions: Definitions;
      /** "last": columns hold one offset per source partition instead of one per record. */
      offsetMode: "per-record" | "last";
      pollEnd: boolean;
      /** What credit() has to give back, with max(1, count) records. */
      sizeBytes: number;
    }
  | { at: "checkpoint"; partition: string; offset: string | null }
  | { at: "drained" }
  | { at: "failed"; failure: Failure };

/** A partition that a sink task reads. */
export interface SinkPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The next offset to read, not the last one read. */
export interface SinkOffset extends SinkPartition {
  readonly offset: number;
}

/** The host's end of a sink task's stream, after Started. */
export interface SinkStream {
  /** The id of a topic, form or header name on this stream; defines it when it is new. */
  topicId(topic: string): number;
  formId(form: Form): number;
  nameId(name: string): number;
  /** What the ids above refer to is forgotten; call it when an id passes `idMax`. */
  forget(): void;
  open(partitions: readonly SinkOffset[]): Promise<Failure | undefined>;
  close(
    partitions: readonly SinkPartition[],
    reason: "revoked" | "lost",
  ): Promise<Failure | undefined>;
  rewound(offsets: readonly SinkOffset[]): void;
  /** Resolves once both credits are above zero. */
  room(signal?: AbortSignal): Promise<void>;
  /** Sends at once; call `room` before. Results come in order. */
  put(columns: Columns, epoch: number): Promise<PutResult>;
  flush(offsets: readonly SinkOffset[]): Promise<FlushResult>;
  /** What the plugin said of its own accord, oldest first. */
  nextEvent(): Promise<SinkEvent | undefined>;
  tryEvent(): SinkEvent | undefined;
  errantReceipt(reportId: number, failure: Failure | undefined): void;
  /** An open, close, put or flush has no answer yet. */
  readonly isAsked: boolean;
  /** As a source's. */
  stop(timeoutMs: number): Promise<Failure | undefined>;
  readonly ended: Promise<string>;
}

/** Ids are 1 to this. */
export type IdMax = 65_535;

/** What became of one put; "retry" and "failed" leave its records undelivered. */
export type PutResult =
  | { at: "ok" }
  | { at: "runs"; runs: readonly Run[] }
  | { at: "retry"; retryAfterMs: number; failure: Failure; epoch: number }
  | { at: "discarded"; epoch: number }
  | { at: "failed"; failure: Failure };

/** Which of the flushed offsets may be committed (I2); an empty list commits nothing. */
export type FlushResult =
  | { at: "safe"; offsets: readonly SinkOffset[]; epoch: number }
  | { at: "failed"; failure: Failure; epoch: number };

/** What a sink task said without being asked. */
export type SinkEvent =
  | { at: "request-commit" }
  | { at: "rewind"; offsets: readonly SinkOffset[]; epoch: number }
  | { at: "pause"; partitions: readonly SinkPartition[]; epoch: number }
  | { at: "resume"; partitions: readonly SinkPartition[] }
  | {
      at: "errant";
      reportId: number;
      /** A record that was put; null for one that the task made itself, which is `own`. */
      original: SinkOffset | null;
      own?: OwnRecord;
      stage: string;
      failure: Failure;
    }
  | { at: "failed"; failure: Failure };

/** A record that a sink task made itself, to be reported. */
export interface OwnRecord {
  readonly topic: string;
  readonly partition: number | null;
  /** -1 = none. */
  readonly timestampMs: number;
  readonly key: OwnValue;
  readonly value: OwnValue;
  readonly headers: readonly { readonly name: string; readonly value: OwnValue }[];
}

export interface OwnValue {
  readonly form: Form;
  /** Null under the form. */
  readonly bytes: Uint8Array | null;
}
