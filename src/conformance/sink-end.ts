import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type ColumnsSchema, Encoding } from "../plugin/gen/bulkhead/plugin/v1/record_pb.ts";
import {
  CloseReason,
  HostSinkMessageSchema,
  type PutResult,
  SinkTaskMessageSchema,
} from "../plugin/gen/bulkhead/plugin/v1/sink_pb.ts";
import type { Changes } from "./changes.ts";
import type { Call } from "./stream-end.ts";
import { TaskEnd } from "./task-end.ts";

/** How a key or value stands on the wire. */
export interface PutForm {
  readonly encoding: "bytes" | "text" | "json";
  /** As JsonConverter writes it. */
  readonly schema?: string;
}

/** One record for a sink. A null value with a form is a null of that schema, without one a tombstone. */
export interface PutRecord {
  readonly topic?: string;
  readonly partition?: number;
  readonly timestampMs?: number;
  readonly key?: string | Buffer | null;
  readonly keyForm?: PutForm;
  readonly value: string | Buffer | null;
  readonly form?: PutForm | "tombstone";
  readonly headers?: readonly { readonly name: string; readonly value: string | null }[];
}

/** A put that was sent. */
export interface SentPut {
  readonly seq: number;
  readonly costRecords: number;
  readonly costBytes: number;
  readonly count: number;
}

const encodings = { bytes: Encoding.BYTES, text: Encoding.TEXT, json: Encoding.JSON };
const plainText: PutForm = { encoding: "text" };

/** The topic of records that name none. */
export const putTopic = "conformance";

/** The host's end of a sink task: puts that are encoded as they go, and the credit account. */
export class SinkEnd extends TaskEnd<typeof SinkTaskMessageSchema, typeof HostSinkMessageSchema> {
  /** Everything the plugin ever gave. */
  grantedRecords = 0;
  grantedBytes = 0;
  spentRecords = 0;
  spentBytes = 0;
  readonly puts: SentPut[] = [];
  readonly #topics = new Map<string, number>();
  readonly #names = new Map<string, number>();
  readonly #forms = new Map<string, number>();
  readonly #nextOffsets = new Map<string, number>();
  #flushes = 0n;

  constructor(call: Call, changes: Changes) {
    super(call, changes, SinkTaskMessageSchema, HostSinkMessageSchema);
  }

  /** Whether the contract lets the host send a put now. */
  get hasCredit(): boolean {
    return this.grantedRecords > this.spentRecords && this.grantedBytes > this.spentBytes;
  }

  /** The highest epoch that the plugin has named. */
  get epoch(): bigint {
    const seen = [
      ...this.of("putResult"),
      ...this.of("flushResult"),
      ...this.of("rewind"),
      ...this.of("pause"),
    ];
    return seen.reduce((highest, { epoch }) => (epoch > highest ? epoch : highest), 0n);
  }

  open(partitions: readonly { topic: string; partition: number }[]): void {
    this.send({ case: "open", value: { partitions: [...partitions] } });
  }

  close(
    partitions: readonly { topic: string; partition: number }[],
    reason: CloseReason = CloseReason.REVOKED,
  ): void {
    this.send({ case: "close", value: { partitions: [...partitions], reason } });
  }

  put(records: readonly PutRecord[], epoch = this.epoch): SentPut {
    const columns = this.#columns(records);
    const { arena } = columns;
    const headers = columns.headerNames.length;
    const costBytes = arena.length + 64 * (records.length + headers) + 4_096;
    const put: SentPut = {
      seq: this.puts.length + 1,
      costRecords: Math.max(1, records.length),
      costBytes,
      count: records.length,
    };
    this.puts.push(put);
    this.spentRecords += put.costRecords;
    this.spentBytes += put.costBytes;
    this.send({ case: "put", value: { putSeq: BigInt(put.seq), epoch, columns } });
    return put;
  }

  /** Names the given offset of partition 0; undefined: no partition. */
  flush(offset?: number): bigint {
    this.#flushes += 1n;
    const offsets =
      offset === undefined ? [] : [{ topic: putTopic, partition: 0, offset: BigInt(offset) }];
    this.send({ case: "flush", value: { flushSeq: this.#flushes, offsets } });
    return this.#flushes;
  }

  /** Drops every id; the next put defines what it needs again, from 1. */
  forget(): void {
    this.send({ case: "forget", value: {} });
    for (const ids of [this.#topics, this.#names, this.#forms]) ids.clear();
  }

  resultOf(seq: number): PutResult | undefined {
    return this.of("putResult").find(({ putSeq }) => putSeq === BigInt(seq));
  }

  resultsWithin(count: number, withinMs: number): Promise<PutResult[] | undefined> {
    const enough = () => (this.of("putResult").length >= count ? this.of("putResult") : undefined);
    return this.until(enough, withinMs);
  }

  protected override onMessage(message: MessageShape<typeof SinkTaskMessageSchema>): void {
    super.onMessage(message);
    if (message.kind.case !== "credit") return;
    this.grantedRecords += Number(message.kind.value.records);
    this.grantedBytes += Number(message.kind.value.bytes);
  }

  #columns(records: readonly PutRecord[]) {
    const parts: Buffer[] = [];
    const size = (value: string | Buffer | null | undefined): number => {
      if (value === null || value === undefined) return 0;
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
      parts.push(bytes);
      return bytes.length + 1;
    };
    const made = {
      count: records.length,
      keySizes: [] as number[],
      valueSizes: [] as number[],
      keyForms: [] as number[],
      valueForms: [] as number[],
      topics: [] as number[],
      partitions: [] as number[],
      timestamps: [] as bigint[],
      headerCounts: [] as number[],
      headerNames: [] as number[],
      headerSizes: [] as number[],
      headerForms: [] as number[],
      offsets: [] as bigint[],
    };
    for (const record of records) {
      const { topic = putTopic, partition = 0, headers = [] } = record;
      made.topics.push(this.#topicId(topic));
      made.partitions.push(partition + 1);
      made.timestamps.push(BigInt(record.timestampMs ?? 1_700_000_000_000));
      made.offsets.push(BigInt(this.#takeOffset(topic, partition)));
      made.keyForms.push(record.key == null ? 0 : this.#formId(record.keyForm ?? plainText));
      made.keySizes.push(size(record.key));
      const form = record.form ?? plainText;
      made.valueForms.push(form === "tombstone" ? 0 : this.#formId(form));
      made.valueSizes.push(size(record.value));
      made.headerCounts.push(headers.length);
      for (const header of headers) {
        made.headerNames.push(this.#nameId(header.name));
        made.headerForms.push(header.value === null ? 0 : this.#formId(plainText));
        made.headerSizes.push(size(header.value));
      }
    }
    return {
      ...made,
      timestamps: deltas(made.timestamps),
      offsets: deltas(made.offsets),
      headerCounts: made.headerNames.length === 0 ? [] : made.headerCounts,
      arena: Buffer.concat(parts),
    } satisfies MessageInitShape<typeof ColumnsSchema>;
  }

  #takeOffset(topic: string, partition: number): number {
    const key = `${topic}-${partition}`;
    const offset = this.#nextOffsets.get(key) ?? 0;
    this.#nextOffsets.set(key, offset + 1);
    return offset;
  }

  #topicId(topic: string): number {
    return idOf(this.#topics, topic, (id) => this.send({ case: "topic", value: { id, topic } }));
  }

  #nameId(name: string): number {
    return idOf(this.#names, name, (id) => this.send({ case: "name", value: { id, name } }));
  }

  #formId({ encoding, schema }: PutForm): number {
    return idOf(this.#forms, `${encoding} ${schema ?? ""}`, (id) =>
      this.send({
        case: "form",
        value: { id, encoding: encodings[encoding], ...(schema !== undefined && { schema }) },
      }),
    );
  }
}

function idOf(ids: Map<string, number>, text: string, define: (id: number) => void): number {
  const known = ids.get(text);
  if (known !== undefined) return known;
  const id = ids.size + 1;
  ids.set(text, id);
  define(id);
  return id;
}

/** The first as it is, then the difference to the one before. */
function deltas(values: readonly bigint[]): bigint[] {
  return values.map((value, index) => value - (index === 0 ? 0n : values[index - 1]!));
}
