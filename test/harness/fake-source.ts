/** A source plugin's stream that a test feeds, and a producer whose outcomes a test decides. */
import { deferred } from "../../src/base/deferred.ts";
import type { Producer, Receipt } from "../../src/kafka/kafka.ts";
import type {
  Failure,
  Run,
  SourceEvent,
  SourceOffset,
  SourceStream,
} from "../../src/plugin/plugin.ts";
import { emptyColumns, nullForm, sizeOf } from "../../src/record/columns.ts";
import type { RecordSlice } from "../../src/record/record-slice.ts";

export class FakeSourceStream implements SourceStream {
  readonly canonicalJson = true;
  /** What the host said, in order. */
  readonly calls: string[] = [];
  readonly ended: Promise<string>;
  readonly #events: (SourceEvent | undefined)[] = [];
  #wake = deferred();
  readonly #end = deferred<string>();
  #batchSeq = 0;
  #drained = false;

  constructor() {
    this.ended = this.#end.promise;
  }

  /**
   * A batch of text values, all for topic t or each for its own; the offset of record n is its value's
   * place in the stream.
   */
  records(
    values: readonly string[],
    firstOffset: number,
    pollEnd = true,
    topics: readonly string[] = ["t"],
  ): void {
    const names = [...new Set(topics)];
    const columns = emptyColumns();
    columns.count = values.length;
    columns.arena = Buffer.from(values.join(""));
    columns.valueSizes = Uint32Array.from(values, (value) => value.length + 1);
    columns.valueForms = Uint32Array.of(1);
    columns.topics = Uint32Array.from(topics, (topic) => names.indexOf(topic) + 1);
    columns.sourcePartitions = Uint32Array.of(1);
    const offsets = values.map((_, index) => `{"n":${firstOffset + index + 1}}`);
    columns.offsetSizes = Uint32Array.from(offsets, (offset) => offset.length + 2);
    columns.offsetArena = Buffer.from(offsets.join(""));
    const definitions = {
      topics: [undefined, ...names],
      names: [],
      forms: [nullForm, { encoding: "text" as const, schema: null }],
      partitions: [undefined, '{"p":1}'],
    };
    this.#batchSeq += 1;
    this.push({
      at: "records",
      batchSeq: this.#batchSeq,
      columns,
      definitions,
      offsetMode: "per-record",
      pollEnd,
      sizeBytes: sizeOf(columns),
    });
  }

  push(event: SourceEvent): void {
    this.#events.push(event);
    this.#wake.resolve();
  }

  die(reason: string): void {
    this.#end.resolve(reason);
    this.#events.push(undefined);
    this.#wake.resolve();
  }

  async next(): Promise<SourceEvent | undefined> {
    while (this.#events.length === 0) {
      await this.#wake.promise;
      this.#wake = deferred();
    }
    return this.#events.shift();
  }

  credit(records: number, bytes: number): void {
    this.calls.push(`credit ${records} ${bytes}`);
  }

  acked(through: number, runs: readonly Run[]): void {
    this.calls.push(
      `acked ${through} (${runs.map((run) => `${run.count} ${run.outcome}`).join()})`,
    );
  }

  committed(offsets: readonly SourceOffset[]): void {
    if (offsets.length > 0) this.calls.push(`committed ${offsets.map((one) => one.offset).join()}`);
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  drain(): void {
    this.calls.push("drain");
    if (!this.#drained) this.push({ at: "drained" });
    this.#drained = true;
  }

  async stop(): Promise<Failure | undefined> {
    this.calls.push("stop");
    return undefined;
  }
}

/** Keeps what was sent; `settle` gives the outcomes. */
export class FakeProducer implements Producer {
  readonly values: string[] = [];
  readonly #open: { receipt: Receipt; index: number; topic: string }[] = [];
  /** Gives every record its outcome at once. */
  automatic = true;
  closed = false;

  send({ topic, value }: RecordSlice, receipt: Receipt, index: number): void {
    this.values.push(Buffer.from(value.bytes).toString("utf8", value.start, value.end));
    this.#open.push({ receipt, index, topic });
    if (this.automatic) setImmediate(() => this.settle(1));
  }

  /** The oldest `count` records are stored, or fail. */
  settle(count: number, error?: Error): void {
    for (const { receipt, index, topic } of this.#open.splice(0, count)) {
      if (error !== undefined) receipt.failed([index], 0, 1, error);
      else {
        const at = { topic, partition: 0, baseOffset: 0, logAppendTimeMs: -1 };
        receipt.stored([index], 0, 1, at);
      }
    }
  }

  /** Set it to make the buffer full until it resolves. */
  full: Promise<void> | undefined;

  async room(): Promise<void> {
    await this.full;
  }

  async flush(): Promise<void> {
    this.settle(this.#open.length);
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.automatic) this.settle(this.#open.length);
    else this.settle(this.#open.length, new Error("closed before it was stored"));
  }
}
