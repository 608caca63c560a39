import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ConfigKeys } from "../config.ts";
import type { OffsetReader } from "../connector-definition.ts";
import { OutDefinitions } from "../definitions.ts";
import type { Columns } from "../gen/bulkhead/plugin/v1/record_pb.ts";
import {
  CloseReason,
  type ErrantReport,
  HostSinkMessageSchema,
  type PutResult,
  type SinkTaskMessage,
  SinkTaskMessageSchema,
} from "../gen/bulkhead/plugin/v1/sink_pb.ts";
import { SourceTaskMessageSchema } from "../gen/bulkhead/plugin/v1/source_pb.ts";
import { Packer } from "../packer.ts";
import type { SinkDefinition, SinkPartition } from "../sink.ts";
import { SinkTask } from "../sink-task.ts";
import type { SourceRecord } from "../source-record.ts";
import { HarnessError, type HarnessOptions, messageBytesMax, TaskHarness } from "./task-harness.ts";

/** A record to put; its topic is `topic` and its partition 0 unless given. */
export type PutRecord = Partial<Omit<SourceRecord, "sourcePartition" | "sourceOffset">>;

/** A record that the sink gave up, and what it said of it. */
export interface Reported extends SinkPartition {
  readonly offset: number;
  readonly text: string;
}

type HostKind = NonNullable<MessageInitShape<typeof HostSinkMessageSchema>["kind"]>;
type Answer = Extract<
  SinkTaskMessage["kind"],
  { case: "opened" | "closed" | "putResult" | "flushResult" }
>;

interface Owned extends SinkPartition {
  readonly log: SourceRecord[];
  /** The offset of the next record to put. */
  position: number;
  isOpen: boolean;
  isPaused: boolean;
}

interface Due {
  readonly owned: Owned;
  readonly offset: number;
  readonly record: SourceRecord;
}

const putRecordsMax = 1_000;

/** Puts records into a sink as a host does: after a retry again, without what was discarded. */
export class SinkHarness extends TaskHarness {
  /** Committed offsets by `topic-partition`. */
  readonly committed = new Map<string, number>();
  readonly reported: Reported[] = [];
  readonly #definition: SinkDefinition<ConfigKeys, unknown>;
  readonly #owned = new Map<string, Owned>();
  #answers = new Map<string, Answer>();
  #rewound = new Map<string, number>();
  #packer = this.#newPacker();
  #epoch = 0n;
  #putSeq = 0n;
  #flushSeq = 0n;

  /** @internal */
  constructor(
    definition: SinkDefinition<ConfigKeys, unknown>,
    texts: Readonly<Record<string, string>>,
    options: HarnessOptions,
  ) {
    super(texts, options);
    this.#definition = definition;
  }

  /**
   * Puts records and waits until they are taken, over retries; a text or bytes stand for a record
   * with that value. Offsets are counted from 0 in each partition.
   * @throws HarnessError when the sink fails
   */
  async put(...records: readonly (PutRecord | string | Uint8Array)[]): Promise<void> {
    for (const given of records) {
      const isValue = typeof given === "string" || given instanceof Uint8Array;
      const record = { topic: "topic", ...(isValue ? { value: given } : given) };
      const owned = this.#place({ topic: record.topic, partition: record.partition ?? 0 });
      owned.log.push(record);
      if (!owned.isOpen) await this.assign(owned);
    }
    await this.#deliver();
  }

  /** These partitions are the task's from now on; `put` does it by itself. */
  async assign(...partitions: readonly SinkPartition[]): Promise<void> {
    const offsets = partitions.map((one) => {
      const owned = this.#place(one);
      const committed = this.committed.get(nameOf(one));
      owned.isOpen = true;
      owned.isPaused = false;
      owned.position = committed ?? 0;
      return { ...wire(one), ...(committed === undefined ? {} : { offset: BigInt(committed) }) };
    });
    await this.#ask("opened", { case: "open", value: { partitions: offsets } });
  }

  /** Flushes; what the sink calls safe is committed. */
  async commit(): Promise<void> {
    this.#flushSeq += 1n;
    const offsets = this.#open.map((one) => ({ ...wire(one), offset: BigInt(one.position) }));
    const value = { flushSeq: this.#flushSeq, offsets };
    const answer = await this.#ask("flushResult", { case: "flush", value });
    if (answer.case !== "flushResult") return;
    for (const one of answer.value.safe) this.committed.set(nameOf(one), Number(one.offset));
  }

  /** The partitions (all unless named) are taken away, after a commit, and given back. */
  async rebalance(...partitions: readonly SinkPartition[]): Promise<void> {
    const gone = partitions.length > 0 ? partitions : this.#open;
    await this.commit();
    await this.#close(gone, CloseReason.REVOKED);
    await this.assign(...gone);
    await this.#deliver();
  }

  /** As `rebalance`, found out too late: without a commit, what was not committed comes again. */
  async lose(...partitions: readonly SinkPartition[]): Promise<void> {
    const gone = partitions.length > 0 ? partitions : this.#open;
    await this.#close(gone, CloseReason.LOST);
    await this.assign(...gone);
    await this.#deliver();
  }

  /** So much time passes without records; `put` is called with nothing when that is due. */
  async idle(ms = 60_000): Promise<void> {
    await this.until(() => this.clock.waiting > 0, "come to rest");
    this.clock.advance(ms);
    await this.until(() => this.clock.waiting > 0, "come to rest again");
  }

  /** As a host does: commit, close, stop. */
  override async stop(): Promise<void> {
    if (this.#open.length > 0) {
      await this.commit();
      await this.#close(this.#open, CloseReason.REVOKED);
    }
    await super.stop();
  }

  /** @internal */
  async begin(): Promise<void> {
    const before = this.#open;
    for (const one of before) one.isOpen = false;
    this.#answers = new Map();
    this.#rewound = new Map();
    this.#packer = this.#newPacker();
    this.#epoch = 0n;
    await this.launch((host) => new SinkTask(host, this.#definition));
    if (before.length === 0) return;
    await this.assign(...before);
    await this.#deliver();
  }

  /** A sink has no source offsets. */
  protected readonly offsets: OffsetReader = {
    offset: async () => null,
    offsets: async (partitions) => partitions.map(() => null),
  };

  protected sendStop(): void {
    this.#send({ case: "stop", value: { timeoutMs: 5_000n } });
  }

  protected onMessage(bytes: Uint8Array): void {
    const { kind } = fromBinary(SinkTaskMessageSchema, bytes);
    switch (kind.case) {
      case "started":
        this.started();
        return;
      case "failure":
        this.failed(kind.value);
        return;
      case "stopped":
        this.failed(kind.value.failure);
        return;
      case "putResult":
      case "flushResult":
        this.#raiseEpoch(kind.value.epoch);
        this.#answers.set(kind.case, kind);
        return;
      case "opened":
      case "closed":
        this.#answers.set(kind.case, kind);
        return;
      case "rewind":
        this.#raiseEpoch(kind.value.epoch);
        for (const one of kind.value.offsets) this.#rewound.set(nameOf(one), Number(one.offset));
        return;
      case "pause":
        this.#raiseEpoch(kind.value.epoch);
        for (const one of kind.value.partitions) this.#place(one).isPaused = true;
        return;
      case "resume":
        for (const one of kind.value.partitions) this.#place(one).isPaused = false;
        return;
      case "errantReport":
        this.#onReport(kind.value);
        return;
    }
  }

  get #open(): Owned[] {
    return [...this.#owned.values()].filter(({ isOpen }) => isOpen);
  }

  #place({ topic, partition }: SinkPartition): Owned {
    const name = nameOf({ topic, partition });
    let owned = this.#owned.get(name);
    if (owned === undefined) {
      owned = { topic, partition, log: [], position: 0, isOpen: false, isPaused: false };
      this.#owned.set(name, owned);
    }
    return owned;
  }

  /** Puts what is not delivered yet, until all of it is taken or paused. */
  async #deliver(): Promise<void> {
    for (;;) {
      const due = this.#open.filter(({ isPaused }) => !isPaused).flatMap(dueOf);
      if (due.length === 0) return;
      await this.#putOnce(due.slice(0, putRecordsMax));
    }
  }

  async #putOnce(due: readonly Due[]): Promise<void> {
    const epoch = this.#epoch;
    this.#putSeq += 1n;
    const columns = this.#columnsOf(due);
    const value = { putSeq: this.#putSeq, epoch, columns };
    const answer = await this.#ask("putResult", { case: "put", value });
    if (answer.case === "putResult") this.#onResult(answer.value, due, epoch);
    for (const [name, offset] of this.#rewound) {
      const owned = this.#owned.get(name);
      if (owned?.isOpen) owned.position = offset;
    }
    this.#rewound.clear();
  }

  #onResult({ kind }: PutResult, due: readonly Due[], epoch: bigint): void {
    if (kind.case === "failure") throw new HarnessError(kind.value.text, kind.value.stack);
    if (kind.case === "retry") this.clock.advance(Number(kind.value.retryAfterMs));
    if (kind.case !== "ok" && kind.case !== "runs") return;
    for (const { owned, offset } of due) {
      const isRewound = this.#epoch > epoch && this.#rewound.has(nameOf(owned));
      if (!isRewound) owned.position = offset + 1;
    }
    if (kind.case === "ok") return;
    let at = 0;
    for (const { count, outcome } of kind.value.runs) {
      const text = outcome?.kind.case === "failed" ? outcome.kind.value.failure?.text : undefined;
      for (const { owned, offset } of text === undefined ? [] : due.slice(at, at + count)) {
        this.reported.push({ ...wire(owned), offset, text: text ?? "" });
      }
      at += count;
    }
  }

  #onReport({ reportId, record, failure }: ErrantReport): void {
    if (record.case === "original") {
      const { topic, partition, offset } = record.value;
      const text = failure?.text ?? "";
      this.reported.push({ topic, partition, offset: Number(offset), text });
    }
    setImmediate(() => this.#send({ case: "errantReceipt", value: { reportId } }));
  }

  async #close(gone: readonly SinkPartition[], reason: CloseReason): Promise<void> {
    for (const one of gone) this.#place(one).isOpen = false;
    await this.#ask("closed", { case: "close", value: { partitions: gone.map(wire), reason } });
  }

  async #ask(name: Answer["case"], kind: HostKind): Promise<Answer> {
    this.#answers.delete(name);
    this.#send(kind);
    await this.until(() => this.#answers.has(name), `answer ${kind.case}`);
    const answer = this.#answers.get(name) as Answer;
    const failure = answer.case === "putResult" ? undefined : answer.value.failure;
    if (failure !== undefined) throw new HarnessError(failure.text, failure.stack);
    return answer;
  }

  /** Packed by the code of a source; the two sides differ in a few columns only. */
  #columnsOf(due: readonly Due[]): Columns {
    for (const { record } of due) {
      if (!this.#packer.add(record))
        throw new HarnessError("the records do not fit into a message");
    }
    const { kind } = fromBinary(SourceTaskMessageSchema, this.#packer.finish(1, true).message);
    const columns = kind.case === "records" ? kind.value.columns : undefined;
    if (columns === undefined) throw new Error("no batch was packed");
    const before = [0, ...due.map(({ offset }) => offset)];
    columns.sourcePartitions = [];
    columns.offsetSizes = [];
    columns.offsetArena = new Uint8Array();
    columns.partitions = due.map(({ owned }) => owned.partition + 1);
    columns.offsets = due.map(({ offset }, at) => BigInt(offset - before[at]!));
    return columns;
  }

  #newPacker(): Packer {
    const definitions = new OutDefinitions((bytes) => {
      const { kind } = fromBinary(SourceTaskMessageSchema, bytes);
      if (kind.case === "topic" || kind.case === "name" || kind.case === "form") this.#send(kind);
      else if (kind.case === "forget") this.#send({ case: "forget", value: {} });
    });
    return new Packer(definitions, { messageBytesMax, offsetMode: "per-record" });
  }

  #raiseEpoch(epoch: bigint): void {
    if (epoch > this.#epoch) this.#epoch = epoch;
  }

  #send(kind: HostKind): void {
    this.send(toBinary(HostSinkMessageSchema, create(HostSinkMessageSchema, { kind })));
  }
}

function dueOf(owned: Owned): Due[] {
  return owned.log.slice(owned.position).map((record, at) => ({
    owned,
    offset: owned.position + at,
    record,
  }));
}

function wire({ topic, partition }: SinkPartition): SinkPartition {
  return { topic, partition };
}

function nameOf({ topic, partition }: SinkPartition): string {
  return `${topic}-${partition}`;
}
