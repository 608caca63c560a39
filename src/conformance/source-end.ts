import type { MessageShape } from "@bufbuild/protobuf";
import {
  HostSourceMessageSchema,
  OffsetMode,
  SourceTaskMessageSchema,
} from "../plugin/gen/bulkhead/plugin/v1/source_pb.ts";
import type { Changes } from "./changes.ts";
import {
  costBytesOf,
  Definitions,
  isEncoding,
  readSourceBatch,
  type SourceBatch,
  type SourceRow,
} from "./source-batch.ts";
import type { Call } from "./stream-end.ts";
import { TaskEnd } from "./task-end.ts";

/** The host's end of a source task: what came, read, and the credit account. */
export class SourceEnd extends TaskEnd<
  typeof SourceTaskMessageSchema,
  typeof HostSourceMessageSchema
> {
  readonly batches: SourceBatch[] = [];
  /** What breaks section 8. */
  readonly faults: string[] = [];
  /** Batches that came though one of the credits was not above zero. */
  readonly overdrafts: string[] = [];
  creditRecords = 0;
  creditBytes = 0;
  readonly #definitions = new Definitions();
  #mode: OffsetMode = OffsetMode.PER_RECORD;
  #replenishing = false;
  #given = false;
  #ackedThrough = 0;

  constructor(call: Call, changes: Changes) {
    super(call, changes, SourceTaskMessageSchema, HostSourceMessageSchema);
  }

  get rows(): SourceRow[] {
    return this.batches.flatMap(({ rows }) => rows);
  }

  get perRecord(): boolean {
    return this.#mode !== OffsetMode.LAST;
  }

  give(records: number, bytes: number): void {
    this.#given = true;
    this.creditRecords += records;
    this.creditBytes += bytes;
    this.send({ case: "credit", value: { records: BigInt(records), bytes: BigInt(bytes) } });
  }

  /** Gives credit, and from now on gives back what each batch cost as soon as it came. */
  keepFed(records = 1_000, bytes = 1024 * 1024): void {
    this.#replenishing = true;
    this.give(records, bytes);
  }

  stopFeeding(): void {
    this.#replenishing = false;
  }

  /** Tells the plugin that everything through a batch is stored, one run for all of it. */
  ack(through: number): void {
    const count = this.batches
      .filter(({ seq }) => seq > this.#ackedThrough && seq <= through)
      .reduce((sum, { rows }) => sum + rows.length, 0);
    this.#ackedThrough = through;
    const runs =
      count === 0 ? [] : [{ count, outcome: { kind: { case: "stored" as const, value: {} } } }];
    this.send({ case: "acked", value: { through: BigInt(through), runs } });
  }

  /** Tells it that the offsets through a batch are durable; the answer is what they are. */
  commit(through: number): Map<string, string> {
    const offsets = new Map<string, string>();
    for (const batch of this.batches.filter(({ seq }) => seq <= through)) {
      for (const [partition, offset] of batch.offsets) {
        if (offset !== null) offsets.set(partition, offset);
      }
    }
    const list = [...offsets].map(([partition, offset]) => ({ partition, offset }));
    this.send({ case: "committed", value: { offsets: list } });
    return offsets;
  }

  protected override onMessage(message: MessageShape<typeof SourceTaskMessageSchema>): void {
    super.onMessage(message);
    const { kind } = message;
    const { topics, names, forms, partitions } = this.#definitions;
    const define = this.#definitions.define.bind(this.#definitions);
    switch (kind.case) {
      case "hello":
        this.#mode = kind.value.offsetMode;
        return;
      case "topic":
        define(topics, "topic", kind.value.id, kind.value.topic, this.faults);
        return;
      case "name":
        define(names, "name", kind.value.id, kind.value.name, this.faults);
        return;
      case "form": {
        const { id, encoding } = kind.value;
        if (!isEncoding(encoding)) this.faults.push(`form ${id} has no known encoding`);
        define(forms, "form", id, encoding, this.faults);
        return;
      }
      case "partition":
        define(partitions, "partition", kind.value.id, kind.value.partition, this.faults);
        return;
      case "forget":
        this.#definitions.forget();
        return;
      case "records": {
        const batch = readSourceBatch(kind.value, this.#definitions, this.#mode, this.faults);
        this.batches.push(batch);
        this.#charge(batch);
        return;
      }
      case "dropped":
        this.#charge({ costRecords: 1, costBytes: costOfDropped, seq: 0 });
        return;
      default:
    }
  }

  #charge({ seq, costRecords, costBytes }: Pick<SourceBatch, "seq" | "costRecords" | "costBytes">) {
    // A batch before any credit is one rule, one beyond the credit another.
    if (this.#given && (this.creditRecords <= 0 || this.creditBytes <= 0)) {
      const left = `${this.creditRecords} records and ${this.creditBytes} bytes`;
      this.overdrafts.push(`batch ${seq} came with a credit of ${left}`);
    }
    this.creditRecords -= costRecords;
    this.creditBytes -= costBytes;
    if (this.#replenishing) this.give(costRecords, costBytes);
  }
}

/** At least; the kit asks no plugin to run a chain. */
const costOfDropped = costBytesOf({
  count: 0,
  arena: new Uint8Array(),
  offsetArena: new Uint8Array(),
  headerCounts: [] as number[],
} as Parameters<typeof costBytesOf>[0]);
