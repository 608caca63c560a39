import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { writeJson } from "../canonical-json.ts";
import type { ConfigKeys } from "../config.ts";
import type { OffsetReader } from "../connector-definition.ts";
import type { Columns } from "../gen/bulkhead/plugin/v1/record_pb.ts";
import { HostSinkMessageSchema } from "../gen/bulkhead/plugin/v1/sink_pb.ts";
import {
  type Checkpoint,
  HostSourceMessageSchema,
  type Records,
  type SourceTaskMessage,
  SourceTaskMessageSchema,
} from "../gen/bulkhead/plugin/v1/source_pb.ts";
import { parseOffset } from "../host-calls.ts";
import { SinkInbox } from "../sink-inbox.ts";
import { SinkRecord } from "../sink-record.ts";
import type { SourceDefinition } from "../source.ts";
import type { SourceOffset, SourcePartition } from "../source-record.ts";
import { SourceTask } from "../source-task.ts";
import { type HarnessOptions, TaskHarness } from "./task-harness.ts";

/** A record that a source yielded, as it would be in Kafka. */
export interface ReadRecord {
  readonly topic: string;
  /** null = the host would choose. */
  readonly partition: number | null;
  readonly key: unknown;
  readonly value: unknown;
  /** null = the time of sending. */
  readonly timestamp: number | null;
  readonly headers: readonly { readonly name: string; readonly value: unknown }[];
  readonly sourcePartition: SourcePartition | null;
  readonly sourceOffset: SourceOffset | null;
}

interface Place {
  readonly partition: SourcePartition | null;
  readonly offset: SourceOffset | null;
}

type HostKind = NonNullable<MessageInitShape<typeof HostSourceMessageSchema>["kind"]>;
const plentyBytes = 2n ** 40n;

/** Reads what a source yields, only as far as it is asked for: the rest waits for credit. */
export class SourceHarness extends TaskHarness {
  /** Durable source offsets by the JSON text of their source partition. */
  readonly committed = new Map<string, SourceOffset | null>();
  readonly #definition: SourceDefinition<ConfigKeys, unknown>;
  #inbox = new SinkInbox();
  #partitions = new Map<number, string>();
  #queue: { seq: number; record: ReadRecord }[] = [];
  #given: { seq: number; record: ReadRecord }[] = [];
  #checkpoints: Checkpoint[] = [];
  /** Records of credit that the task has left; below 0 after a batch larger than its credit. */
  #credit = 0;
  #isDrained = false;

  /** @internal */
  constructor(
    definition: SourceDefinition<ConfigKeys, unknown>,
    texts: Readonly<Record<string, string>>,
    options: HarnessOptions,
  ) {
    super(texts, options);
    this.#definition = definition;
  }

  /**
   * The next records.
   * @throws HarnessError when the source fails, or yields fewer in time
   */
  async read(count: number): Promise<ReadRecord[]> {
    const wanted = count - this.#queue.length - Math.max(0, this.#credit);
    if (wanted > 0) {
      const records = BigInt(wanted - Math.min(0, this.#credit));
      this.#credit += Number(records);
      this.#send({ case: "credit", value: { records, bytes: plentyBytes } });
    }
    await this.until(() => this.#queue.length >= count, `yield ${count} records`);
    const taken = this.#queue.splice(0, count);
    this.#given.push(...taken);
    return taken.map(({ record }) => record);
  }

  /** What `read` has given is in Kafka and its offsets are durable. */
  async commit(): Promise<void> {
    const given = this.#given.splice(0);
    const unread = new Set(this.#queue.map(({ seq }) => seq));
    const whole = given.filter(({ seq }) => !unread.has(seq));
    const changed = new Map<string, SourceOffset | null>();
    for (const { record } of given) {
      if (record.sourcePartition === null) continue;
      changed.set(writeJson(record.sourcePartition), record.sourceOffset);
    }
    for (const { partition, offset } of this.#checkpoints.splice(0)) {
      changed.set(partition, parseOffset(offset));
    }
    for (const [partition, offset] of changed) this.committed.set(partition, offset);
    const through = BigInt(whole.at(-1)?.seq ?? 0);
    if (through > 0n) this.#send({ case: "acked", value: { through } });
    const offsets = [...changed].map(([partition, offset]) =>
      offset === null ? { partition } : { partition, offset: writeJson(offset) },
    );
    this.#send({ case: "committed", value: { offsets } });
    // The callbacks of both run behind this turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** No new poll until `unpause`. */
  pause(): void {
    this.#send({ case: "pause", value: {} });
  }

  unpause(): void {
    this.#send({ case: "resume", value: {} });
  }

  /** The task ends in good order and starts elsewhere, perhaps with another number. */
  async rebalance(task: number = this.number): Promise<void> {
    this.#send({ case: "drain", value: {} });
    await this.until(() => this.#isDrained, "drain");
    await this.commit();
    await this.stop();
    this.number = task;
    await this.begin();
  }

  /** @internal */
  async begin(): Promise<void> {
    this.#inbox = new SinkInbox();
    this.#partitions = new Map();
    this.#queue = [];
    this.#given = [];
    this.#checkpoints = [];
    this.#credit = 0;
    this.#isDrained = false;
    await this.launch((host) => new SourceTask(host, this.#definition));
  }

  protected readonly offsets: OffsetReader = {
    offset: async (partition) => this.committed.get(writeJson(partition)) ?? null,
    offsets: async (partitions) =>
      partitions.map((one) => this.committed.get(writeJson(one)) ?? null),
  };

  protected sendStop(): void {
    this.#send({ case: "stop", value: { timeoutMs: 5_000n } });
  }

  protected onMessage(bytes: Uint8Array): void {
    const { kind } = fromBinary(SourceTaskMessageSchema, bytes);
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
      case "partition":
        this.#partitions.set(kind.value.id, kind.value.partition);
        return;
      case "records":
        this.#take(kind.value);
        return;
      case "checkpoint":
        this.#checkpoints.push(kind.value);
        return;
      case "drained":
        this.#isDrained = true;
        return;
      default:
        this.#define(kind);
    }
  }

  /** Definitions mean the same to a sink, whose code reads the values. */
  #define(kind: SourceTaskMessage["kind"]): void {
    if (kind.case === "forget") this.#partitions = new Map();
    if (
      kind.case === "topic" ||
      kind.case === "name" ||
      kind.case === "form" ||
      kind.case === "forget"
    ) {
      this.#inbox.read(sinkBytes(kind));
    }
  }

  #take({ batchSeq, columns }: Records): void {
    if (columns === undefined) return;
    this.#credit -= Math.max(1, columns.count);
    const places = placesOf(columns, this.#partitions);
    const put = { ...columns, offsets: Array<bigint>(columns.count).fill(0n) };
    const notice = this.#inbox.read(sinkBytes({ case: "put", value: { columns: put } }));
    if (notice?.at !== "work" || notice.work.at !== "put") throw new Error("no batch was read");
    const { batch } = notice.work;
    for (let at = 0; at < columns.count; at += 1) {
      const one = new SinkRecord(batch, at);
      const { partition, offset } = places[at] ?? { partition: null, offset: null };
      const record: ReadRecord = {
        topic: one.topic,
        partition: one.partition < 0 ? null : one.partition,
        key: one.key,
        value: one.value,
        timestamp: one.timestamp,
        headers: one.headers.map(({ name, value }) => ({ name, value })),
        sourcePartition: partition,
        sourceOffset: offset,
      };
      this.#queue.push({ seq: Number(batchSeq), record });
    }
  }

  #send(kind: HostKind): void {
    this.send(toBinary(HostSourceMessageSchema, create(HostSourceMessageSchema, { kind })));
  }
}

function sinkBytes(
  kind: NonNullable<MessageInitShape<typeof HostSinkMessageSchema>["kind"]>,
): Buffer {
  return Buffer.from(toBinary(HostSinkMessageSchema, create(HostSinkMessageSchema, { kind })));
}

/** Where each record was read; with offset mode `last` each source partition at its last record only. */
function placesOf(columns: Columns, texts: ReadonlyMap<number, string>): Place[] {
  const { count, sourcePartitions, offsetSizes } = columns;
  const arena = Buffer.from(columns.offsetArena);
  let at = 0;
  let last: SourceOffset | null = null;
  const offsets = offsetSizes.map((size) => {
    if (size === 0) last = null;
    if (size > 1) {
      last = parseOffset(arena.toString("utf8", at, at + size - 2));
      at += size - 2;
    }
    return last;
  });
  const partitions = sourcePartitions.map((id) => parseOffset(texts.get(id)));
  if (offsets.length === count) {
    return offsets.map((offset, row) => ({
      partition: partitions[partitions.length === 1 ? 0 : row] ?? null,
      offset,
    }));
  }
  // Which record is whose is not said then: the offsets come with the batch's last records.
  return Array.from({ length: count }, (_, row) => {
    const from = row - (count - offsets.length);
    return { partition: partitions[from] ?? null, offset: offsets[from] ?? null };
  });
}
