/**
 * A sink plugin's stream and a group's consumer as object literals would have them, honest to their
 * contracts: the plugin discards puts of an old epoch and answers in order, the consumer reads real
 * record batches and remembers what was committed.
 */
import assert from "node:assert/strict";
import { deferred } from "../../src/base/deferred.ts";
import { TaskError } from "../../src/base/error.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import type { Fetched, SinkConsumer, SinkConsumerOptions } from "../../src/kafka/kafka.ts";
import type {
  Failure,
  FlushResult,
  PutResult,
  SinkEvent,
  SinkOffset,
  SinkStream,
} from "../../src/plugin/plugin.ts";
import type { Columns } from "../../src/record/columns.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";

export const transient: Failure = {
  code: "unavailable",
  class: "transient",
  text: "try later",
  hint: "",
  exceptionClass: "",
  stack: "",
  causes: [],
};

/** What the fake does at each put and flush; a test scripts it. */
export interface SinkScript {
  onPut?(
    offsets: readonly SinkOffset[],
  ): "ok" | "retry" | "rewind" | "hang" | "pause and hang" | "one failed" | "report" | Failure;
  /** A list is what the plugin calls safe. */
  onFlush?(offsets: readonly SinkOffset[]): "ok" | "fail" | "rewind" | "hang" | SinkOffset[];
  onOpen?(): "ok" | "hang";
  onStop?(): "ok" | "late";
}

export class FakeSinkStream implements SinkStream {
  /** Every record that put took, in order. */
  readonly taken: SinkOffset[] = [];
  readonly calls: string[] = [];
  readonly ended: Promise<string>;
  readonly #script: SinkScript;
  readonly #topics: string[] = [""];
  readonly #events: SinkEvent[] = [];
  #wake = deferred();
  #epoch = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #outstanding = 0;
  #gone = false;
  #isOpening = false;
  readonly #end = deferred<string>();

  constructor(script: SinkScript) {
    this.#script = script;
    this.ended = this.#end.promise;
  }

  /** How often the host began again with new ids. */
  forgotten = 0;
  /** Pretends that this many form ids are taken. */
  formIdsTaken = 0;

  topicId(topic: string): number {
    const known = this.#topics.indexOf(topic);
    return known > 0 ? known : this.#topics.push(topic) - 1;
  }

  formId(): number {
    return this.formIdsTaken + 1;
  }

  nameId(): number {
    return 1;
  }

  forget(): void {
    this.forgotten += 1;
    this.formIdsTaken = 0;
  }

  get isAsked(): boolean {
    return this.#isOpening || this.#outstanding > 0;
  }

  async open(partitions: readonly SinkOffset[]): Promise<undefined> {
    assert.equal(this.#outstanding, 0, "open with a put or flush outstanding");
    this.calls.push(`open ${partitions.map(text).join(" ")}`);
    this.#isOpening = true;
    if (this.#script.onOpen?.() === "hang") await this.#never();
    this.#isOpening = false;
    return undefined;
  }

  async close(
    partitions: readonly { topic: string; partition: number }[],
    reason: "revoked" | "lost",
  ): Promise<undefined> {
    assert.equal(this.#outstanding, 0, "close with a put or flush outstanding");
    const names = partitions.map((one) => `${one.topic}/${one.partition}`).join(" ");
    this.calls.push(`close ${names}${reason === "lost" ? " lost" : ""}`);
  }

  rewound(offsets: readonly SinkOffset[]): void {
    assert.equal(this.#outstanding, 0, "rewound with a put or flush outstanding");
    this.calls.push(`rewound ${offsets.map(text).join(" ")}`);
  }

  /** Room for a few puts, as credit would give. */
  async room(signal?: AbortSignal): Promise<void> {
    while (this.#outstanding > 4 && !signal?.aborted) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  put(columns: Columns, epoch: number): Promise<PutResult> {
    const offsets = this.#offsetsOf(columns);
    return this.#inTurn((): PutResult | Promise<never> => {
      if (epoch < this.#epoch) return { at: "discarded", epoch: this.#epoch };
      const answer = this.#script.onPut?.(offsets) ?? "ok";
      const first = offsets[0] as SinkOffset;
      if (typeof answer !== "string") return { at: "failed", failure: answer };
      if (answer === "hang") return this.#never();
      if (answer === "pause and hang") {
        this.#epoch += 1;
        this.#tell({ at: "pause", partitions: [first], epoch: this.#epoch });
        return this.#never();
      }
      if (answer === "retry") {
        this.#epoch += 1;
        return { at: "retry", retryAfterMs: 1, failure: transient, epoch: this.#epoch };
      }
      if (answer === "one failed") {
        const failed = {
          count: 1,
          outcome: "failed" as const,
          stage: "TASK_PUT",
          failure: transient,
        };
        return { at: "runs", runs: [failed, { count: offsets.length - 1, outcome: "stored" }] };
      }
      this.taken.push(...offsets);
      if (answer === "rewind") this.#rewind(first);
      if (answer === "report") {
        const report = { reportId: 1, original: first, stage: "TASK_PUT", failure: transient };
        this.#tell({ at: "errant", ...report });
      }
      return { at: "ok" };
    });
  }

  flush(offsets: readonly SinkOffset[]): Promise<FlushResult> {
    return this.#inTurn((): FlushResult | Promise<never> => {
      this.calls.push(`flush ${offsets.map(text).join(" ")}`);
      const answer = this.#script.onFlush?.(offsets) ?? "ok";
      if (answer === "hang") return this.#never();
      if (typeof answer !== "string") return { at: "safe", offsets: answer, epoch: this.#epoch };
      if (answer === "rewind") this.#rewind({ ...(offsets[0] as SinkOffset), offset: 0 });
      if (answer !== "fail") return { at: "safe", offsets, epoch: this.#epoch };
      this.#epoch += 1;
      return { at: "failed", failure: transient, epoch: this.#epoch };
    });
  }

  async nextEvent(): Promise<SinkEvent | undefined> {
    while (this.#events.length === 0 && !this.#gone) {
      await this.#wake.promise;
      this.#wake = deferred();
    }
    return this.#events.shift();
  }

  tryEvent(): SinkEvent | undefined {
    return this.#events.shift();
  }

  /** Of each report; undefined = its record is safe. */
  readonly receipts: (Failure | undefined)[] = [];

  errantReceipt(_reportId: number, failure: Failure | undefined): void {
    this.receipts.push(failure);
  }

  async stop(): Promise<undefined> {
    if (this.#gone) throw new TaskError("plugin.gone", "the stream is gone");
    this.calls.push("stop");
    if (this.#script.onStop?.() === "late") {
      throw new TaskError("plugin.request_timeout", "it did not stop in time");
    }
    this.die("stopped");
    return undefined;
  }

  /** The process is gone: nothing is answered any more. */
  die(reason: string): void {
    this.#gone = true;
    this.#end.resolve(reason);
    this.#wake.resolve();
  }

  #rewind(to: SinkOffset): void {
    this.#epoch += 1;
    this.calls.push(`rewind ${text(to)}`);
    this.#tell({ at: "rewind", offsets: [to], epoch: this.#epoch });
  }

  /** Goes on until the process is gone. */
  async #never(): Promise<never> {
    throw new TaskError("plugin.gone", await this.ended);
  }

  #tell(event: SinkEvent): void {
    this.#events.push(event);
    this.#wake.resolve();
  }

  /** One user thread: everything runs in stream order, and takes a moment. */
  #inTurn<T>(work: () => T | Promise<never>): Promise<T> {
    this.#outstanding += 1;
    const result = this.#queue.then(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#gone) throw new TaskError("plugin.gone", "the process is gone");
      try {
        return await work();
      } finally {
        this.#outstanding -= 1;
      }
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  #offsetsOf(columns: Columns): SinkOffset[] {
    return [...columns.offsets].map((offset, index) => ({
      topic: this.#topics[columns.topics[columns.topics.length === 1 ? 0 : index] as number] ?? "?",
      partition: (columns.partitions[columns.partitions.length === 1 ? 0 : index] as number) - 1,
      offset,
    }));
  }
}

/**
 * A consumer that owns every partition of one topic with `length` records each, and `gap` offsets
 * without a record behind them, as compaction leaves them.
 */
export class FakeConsumer implements SinkConsumer {
  readonly committedOffsets = new Map<number, number>();
  /** How often it was asked for records. */
  polls = 0;
  readonly #options: SinkConsumerOptions;
  readonly #positions: number[];
  readonly #paused = new Set<number>();
  #length: number;
  readonly #gap: number;
  #joined = false;
  #reset: number | undefined;

  constructor(options: SinkConsumerOptions, partitions: number, length: number, gap = 0) {
    this.#gap = gap;
    this.#options = options;
    this.#positions = new Array<number>(partitions).fill(0);
    this.#length = length;
  }

  async poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    this.polls += 1;
    if (!this.#joined) {
      this.#joined = true;
      await this.#options.listener.assigned(
        this.assignment().map((one) => ({ ...one, offset: 0 })),
      );
    }
    const fetched: Fetched[] = [];
    this.#tellReset(fetched);
    for (const [partition, position] of this.#positions.entries()) {
      if (this.#paused.has(partition) || position >= this.#length + this.#gap) continue;
      if (position >= this.#length) {
        fetched.push(emptyFetch(partition, position, this.#length + this.#gap));
        this.#positions[partition] = this.#length + this.#gap;
        continue;
      }
      const end = Math.min(this.#length, position + 7);
      fetched.push(batchesOf(partition, position, end));
      this.#positions[partition] = end;
    }
    if (fetched.length === 0 && !signal?.aborted) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(timeoutMs, 2)));
    }
    return fetched;
  }

  /** The log of partition 0 is another one: reading goes on at `to` of it by itself. */
  replaceLog(to: number, length: number): void {
    this.#reset = to;
    this.#length = length;
  }

  #tellReset(fetched: Fetched[]): void {
    if (this.#reset === undefined) return;
    fetched.push(emptyFetch(0, this.#positions[0] ?? 0, this.#reset));
    this.#positions[0] = this.#reset;
    this.#reset = undefined;
  }

  /** The group has thrown it out, and it does not know yet. */
  isOut = false;

  assignment() {
    return this.isOut ? [] : this.#all();
  }

  #all() {
    return this.#positions.map((_, partition) => ({ topic: "t", partition }));
  }

  seek({ partition }: { partition: number }, offset: number): void {
    this.#positions[partition] = offset;
  }

  pause(partitions: readonly { partition: number }[]): void {
    for (const { partition } of partitions) this.#paused.add(partition);
  }

  resume(partitions: readonly { partition: number }[]): void {
    for (const { partition } of partitions) this.#paused.delete(partition);
  }

  async commit(offsets: readonly SinkOffset[]): Promise<void> {
    for (const { partition, offset } of offsets) this.committedOffsets.set(partition, offset);
  }

  async committed(): Promise<(number | null)[]> {
    return [];
  }

  async close(): Promise<void> {
    if (this.#joined) await this.#options.listener.revoked(this.#all());
  }
}

function emptyFetch(partition: number, firstOffset: number, nextOffset: number): Fetched {
  const batches = new Uint8Array(0);
  return { topic: "t", partition, batches, firstOffset, nextOffset, recordCount: 0 };
}

function batchesOf(partition: number, from: number, to: number): Fetched {
  const builder = new BatchBuilder();
  const record = newRecordSlice();
  for (let offset = from; offset < to; offset += 1) {
    const value = Buffer.from(`${partition}:${offset}`);
    record.value = { ...record.value, bytes: value, start: 0, end: value.length };
    builder.append(record, 1_000);
  }
  return {
    topic: "t",
    partition,
    batches: Uint8Array.from(builder.finish(from)),
    firstOffset: from,
    nextOffset: to,
    recordCount: to - from,
  };
}

function text({ topic, partition, offset }: SinkOffset): string {
  return `${topic}/${partition}@${offset}`;
}
