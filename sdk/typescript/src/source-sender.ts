import { inspect } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { writeJson } from "./canonical-json.ts";
import type { Credit } from "./credit.ts";
import { type Deferred, deferred } from "./deferred.ts";
import { OutDefinitions } from "./definitions.ts";
import { TaskActivity } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { SourceTaskMessageSchema } from "./gen/bulkhead/plugin/v1/source_pb.ts";
import type { OffsetMode } from "./offset-columns.ts";
import { Packer } from "./packer.ts";
import { DataError } from "./plugin-error.ts";
import type { SourceItem } from "./source.ts";
import type { SourceOffsets } from "./source-offsets.ts";
import { Checkpoint, type SourceRecord } from "./source-record.ts";
import type { TaskMeter } from "./task-meter.ts";
import type { TaskStream } from "./task-stream.ts";

export interface SenderOptions {
  stream: TaskStream;
  credit: Credit;
  meter: TaskMeter;
  offsets: SourceOffsets;
  messageBytesMax: number;
  offsetMode: OffsetMode;
  /** Wants to know which records went in which batch. */
  onSent: ((seq: number, records: readonly SourceRecord[]) => void) | undefined;
}

// Records wait so long for others while more keep coming; after a quiet spell they go at once.
const lingerMs = 5;
// A generator that never waits must not keep the event loop from everyone else.
const breathMs = 10;
const checkpointsMax = 1_000;

/**
 * Between the generator and the stream: packs what was polled, sends a batch when it is full, when
 * nothing more comes at once, or when it has lingered; never without credit.
 */
export class SourceSender {
  readonly #options: SenderOptions;
  readonly #packer: Packer;
  readonly #checkpoints = new Map<string, string | null>();
  #batchRecords: SourceRecord[] = [];
  #batchSeq = 0;
  #sentAtMs = 0;
  #breathedAtMs = performance.now();
  #stopLinger: (() => void) | undefined;
  #due = false;
  #waitingForPoll = false;
  #midPoll = false;
  #paused: Deferred<void> | undefined;
  #closed = false;
  /** The last error came from packing a record, not from the generator. */
  refused = false;
  sentRecords = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { stream, messageBytesMax, offsetMode } = options;
    const definitions = new OutDefinitions((message) => stream.write(message));
    this.#packer = new Packer(definitions, { messageBytesMax, offsetMode });
  }

  /** What to wait for before the next poll; undefined = nothing. */
  turn(): Promise<void> | undefined {
    const mustSend = this.#holds && (this.#due || !this.#maySend);
    if (this.#paused !== undefined || mustSend) return this.#waitForTurn();
    if (performance.now() - this.#breathedAtMs > breathMs) return this.#breathe();
    return undefined;
  }

  /** Whether a poll is under way: only then a batch may be sent between two turns. */
  waiting(waiting: boolean): void {
    this.#waitingForPoll = waiting;
    if (waiting && this.#holds && this.#stopLinger === undefined) this.#linger();
  }

  /** Packs what one poll returned. */
  take(items: SourceItem | readonly SourceItem[]): Promise<void> | undefined {
    if (Array.isArray(items)) {
      this.#options.meter.recordsIn += items.length;
      const at = this.#pack(items, 0);
      if (at < items.length) return this.#takeRest(items, at);
      if (items.length === 0) return this.#breathe();
    } else {
      const only = [items as SourceItem];
      this.#options.meter.recordsIn += 1;
      if (this.#pack(only, 0) < 1) return this.#takeRest(only, 0);
    }
    return this.#endPoll();
  }

  /** Sends what is packed, when there is credit for it. */
  async flush(pollEnd: boolean): Promise<void> {
    if (!this.#holds) return;
    const { credit, meter, stream } = this.#options;
    while (!this.#maySend && !this.#closed) {
      meter.now(TaskActivity.IDLE);
      await credit.wait();
    }
    if (this.#closed) return;
    this.#sendBatch(pollEnd);
    await (stream.drained ?? this.#breathe());
  }

  /** At the end: what has no credit is dropped. */
  sendWhatHasCredit(): void {
    if (!this.#closed && this.#holds && this.#maySend) {
      this.#sendBatch(!this.#midPoll);
    }
  }

  onCredit(): void {
    if (this.#due) this.#sendIfIdle();
  }

  pause(): void {
    this.#paused ??= deferred();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Nothing is sent any more; whoever waits goes on. */
  close(): void {
    this.#closed = true;
    this.#stopLingering();
    this.resume();
    this.#options.credit.wake();
  }

  get #holds(): boolean {
    return this.#packer.count > 0 || this.#checkpoints.size > 0;
  }

  /** Credit is for records; a checkpoint only keeps its place behind them. */
  get #maySend(): boolean {
    return this.#packer.count === 0 || this.#options.credit.available;
  }

  async #waitForTurn(): Promise<void> {
    // Also when paused: what was polled before is sent to its end.
    await this.flush(true);
    while (this.#paused !== undefined && !this.#closed) {
      this.#options.meter.now(TaskActivity.PAUSED);
      await this.#paused.promise;
    }
  }

  /** Packs from `start` on; gives the place of the first item that has to wait for a batch to go. */
  #pack(items: readonly SourceItem[], start: number): number {
    const wanted = this.#options.onSent !== undefined;
    this.#midPoll = true;
    for (let at = start; at < items.length; at += 1) {
      const item = items[at]!;
      if (item instanceof Checkpoint) {
        if (this.#checkpoints.size >= checkpointsMax) return at;
        this.#addCheckpoint(item);
        continue;
      }
      // A checkpoint keeps its place behind the records before it.
      if (this.#packer.full || this.#checkpoints.size > 0) return at;
      if (!this.#add(item)) return at;
      if (wanted) this.#batchRecords.push(item);
    }
    return items.length;
  }

  #add(record: SourceRecord): boolean {
    try {
      return this.#packer.add(record);
    } catch (error) {
      this.refused = true;
      throw misfit(record) ?? error;
    }
  }

  #addCheckpoint(item: Checkpoint): void {
    const offset = item.sourceOffset === null ? null : writeJson(item.sourceOffset);
    this.#checkpoints.set(writeJson(item.sourcePartition), offset);
  }

  async #takeRest(items: readonly SourceItem[], start: number): Promise<void> {
    for (let at = start; at < items.length && !this.#closed; ) {
      await this.flush(false);
      if (!this.#closed) at = this.#pack(items, at);
    }
    if (!this.#closed) await this.#endPoll();
  }

  #endPoll(): Promise<void> | undefined {
    this.#midPoll = false;
    return this.#packer.full ? this.flush(true) : undefined;
  }

  #linger(): void {
    const quietMs = performance.now() - this.#sentAtMs;
    if (quietMs >= lingerMs) {
      const soon = setImmediate(() => this.#onLingered());
      this.#stopLinger = () => clearImmediate(soon);
    } else {
      const later = setTimeout(() => this.#onLingered(), lingerMs - quietMs);
      this.#stopLinger = () => clearTimeout(later);
    }
  }

  #onLingered(): void {
    this.#stopLinger = undefined;
    this.#due = true;
    this.#sendIfIdle();
  }

  #sendIfIdle(): void {
    if (this.#waitingForPoll && !this.#closed && this.#holds && this.#maySend) {
      this.#sendBatch(true);
    }
  }

  #stopLingering(): void {
    this.#stopLinger?.();
    this.#stopLinger = undefined;
  }

  #sendBatch(pollEnd: boolean): void {
    const { stream, credit, meter, offsets, onSent } = this.#options;
    this.#stopLingering();
    this.#due = false;
    this.#sentAtMs = performance.now();
    meter.progress();
    if (this.#packer.count > 0) {
      this.#batchSeq += 1;
      const batch = this.#packer.finish(this.#batchSeq, pollEnd);
      credit.spend(batch.costRecords, batch.costBytes);
      stream.write(batch.message);
      for (const [partition, offset] of batch.lastOffsets) offsets.sent(partition, offset);
      this.sentRecords += batch.count;
      meter.recordsOut += batch.count;
      if (onSent !== undefined) {
        onSent(this.#batchSeq, this.#batchRecords);
        this.#batchRecords = [];
      }
    }
    for (const [partition, offset] of this.#checkpoints) {
      offsets.sent(partition, offset);
      const value = { partition, ...(offset === null ? {} : { offset }) };
      const kind = { case: "checkpoint", value } as const;
      stream.write(toBinary(SourceTaskMessageSchema, create(SourceTaskMessageSchema, { kind })));
    }
    this.#checkpoints.clear();
  }

  async #breathe(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#breathedAtMs = performance.now();
  }
}

/** Why this is no record; undefined = it is one. */
function misfit(item: unknown): DataError | undefined {
  const shown = () => inspect(item, { customInspect: false, depth: 0, maxStringLength: 100 });
  if (typeof item !== "object" || item === null) {
    return new DataError(`read yielded ${shown()}, which is no record`, {
      hint: "yield { topic, value, … }, checkpoint(…), or an array of them",
    });
  }
  const { topic } = item as Partial<SourceRecord>;
  if (typeof topic === "string") return undefined;
  return new DataError(`a record has no topic: read yielded ${shown()}`);
}
