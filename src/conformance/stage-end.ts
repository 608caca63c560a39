import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type ColumnsSchema, Encoding } from "../plugin/gen/bulkhead/plugin/v1/record_pb.ts";
import {
  HostStageMessageSchema,
  StageMessageSchema,
  type StageOperation,
  type StageResult,
} from "../plugin/gen/bulkhead/plugin/v1/stage_pb.ts";
import type { Changes } from "./changes.ts";
import type { Call } from "./stream-end.ts";
import { TaskEnd } from "./task-end.ts";

/** One record for a stage; the value is JSON text without schema, or bytes. */
export interface StageRow {
  readonly value: string | Buffer;
  readonly header?: readonly [name: string, value: string];
}

/** A batch that was sent. */
export interface SentBatch {
  readonly seq: number;
  readonly count: number;
  readonly costRecords: number;
  readonly costBytes: number;
}

/** A result put together from its parts, with what is wrong with the columns of any of them. */
export interface WholeResult {
  readonly seq: number;
  readonly runs: StageResult["runs"];
  readonly columnFaults: readonly string[];
}

/** The host's end of a stage's stream: batches, results, definitions and the credit account. */
export class StageEnd extends TaskEnd<typeof StageMessageSchema, typeof HostStageMessageSchema> {
  grantedRecords = 0;
  grantedBytes = 0;
  spentRecords = 0;
  spentBytes = 0;
  /** Whole, in the order they came. */
  readonly results: WholeResult[] = [];
  readonly batches: SentBatch[] = [];
  #parts: StageResult[] = [];
  #faults: string[] = [];
  readonly #known = { topic: new Set<number>(), name: new Set<number>(), form: new Set([0]) };
  /** What this side has defined. */
  readonly #defined = new Map<string, number>();
  #topic = "conformance";

  constructor(call: Call, changes: Changes) {
    super(call, changes, StageMessageSchema, HostStageMessageSchema);
  }

  get hasCredit(): boolean {
    return this.grantedRecords > this.spentRecords && this.grantedBytes > this.spentBytes;
  }

  /** Sends a batch of records: of a source, or with `firstOffset` of a sink. */
  batch(operation: StageOperation, rows: readonly StageRow[], firstOffset?: number): SentBatch {
    const columns = this.#columns(rows, firstOffset);
    const sent: SentBatch = {
      seq: this.batches.length + 1,
      count: rows.length,
      costRecords: Math.max(1, rows.length),
      costBytes: columns.arena.length + 64 * (rows.length + columns.headerNames.length) + 4_096,
    };
    this.batches.push(sent);
    this.spentRecords += sent.costRecords;
    this.spentBytes += sent.costBytes;
    this.send({ case: "batch", value: { seq: BigInt(sent.seq), operation, columns } });
    return sent;
  }

  /** Drops every id; the next batch defines what it needs again, from 1, under another topic. */
  forget(topic: string): void {
    this.send({ case: "forget", value: {} });
    this.#defined.clear();
    this.#topic = topic;
  }

  resultOf({ seq }: SentBatch, withinMs: number): Promise<WholeResult | undefined> {
    return this.until(() => this.results.find((one) => one.seq === seq), withinMs);
  }

  protected override onMessage(message: MessageShape<typeof StageMessageSchema>): void {
    super.onMessage(message);
    const { kind } = message;
    switch (kind.case) {
      case "credit":
        this.grantedRecords += Number(kind.value.records);
        this.grantedBytes += Number(kind.value.bytes);
        return;
      case "topic":
      case "name":
      case "form":
        this.#known[kind.case].add(kind.value.id);
        return;
      case "forget":
        for (const ids of Object.values(this.#known)) ids.clear();
        this.#known.form.add(0);
        return;
      case "result":
        this.#takeResult(kind.value);
        return;
      default:
    }
  }

  #takeResult(part: StageResult): void {
    this.#parts.push(part);
    this.#faults.push(...this.#faultsOf(part));
    if (part.more) return;
    const runs = this.#parts.flatMap((one) => one.runs);
    this.results.push({ seq: Number(part.seq), runs, columnFaults: this.#faults });
    this.#parts = [];
    this.#faults = [];
  }

  /** What is wrong with the columns, as the next batch would find them. */
  #faultsOf({ runs, columns, seq }: StageResult): string[] {
    const ok = runs.reduce((sum, { verdict, count }) => sum + (verdict === 1 ? count : 0), 0);
    const count = columns?.count ?? 0;
    const faults: string[] = [];
    const of = `the result of batch ${seq}`;
    if (count !== ok) faults.push(`${of} has ${count} records, its runs say ${ok} OK`);
    if (columns === undefined || count === 0) return faults;
    const { keySizes, valueSizes, headerSizes } = columns;
    const sizes = [...keySizes, ...valueSizes, ...headerSizes];
    const sum = sizes.reduce((bytes, size) => bytes + Math.max(0, size - 1), 0);
    if (sum !== columns.arena.length) {
      faults.push(`${of} has sizes of ${sum} bytes, and an arena of ${columns.arena.length}`);
    }
    const named = [
      ["topic", columns.topics],
      ["name", columns.headerNames],
      ["form", [...columns.keyForms, ...columns.valueForms, ...columns.headerForms]],
    ] as const;
    for (const [kind, ids] of named) {
      const unknown = ids.find((id) => !this.#known[kind].has(id));
      if (unknown !== undefined) faults.push(`${of} has the ${kind} ${unknown}, not defined`);
    }
    return faults;
  }

  #columns(rows: readonly StageRow[], firstOffset: number | undefined) {
    const parts: Buffer[] = [];
    const add = (value: string | Buffer): number => {
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
      parts.push(bytes);
      return bytes.length + 1;
    };
    const made = {
      count: rows.length,
      valueSizes: [] as number[],
      valueForms: [] as number[],
      topics: [] as number[],
      headerCounts: [] as number[],
      headerNames: [] as number[],
      headerSizes: [] as number[],
      headerForms: [] as number[],
      offsets: [] as bigint[],
    };
    for (const [index, { value, header }] of rows.entries()) {
      made.topics.push(this.#id("topic", this.#topic));
      made.valueForms.push(this.#id("form", Buffer.isBuffer(value) ? "bytes" : "json"));
      made.valueSizes.push(add(value));
      made.headerCounts.push(header === undefined ? 0 : 1);
      if (firstOffset !== undefined) made.offsets.push(BigInt(index === 0 ? firstOffset : 1));
      if (header === undefined) continue;
      made.headerNames.push(this.#id("name", header[0]));
      made.headerForms.push(this.#id("form", "bytes"));
      made.headerSizes.push(add(header[1]));
    }
    const headerCounts = made.headerNames.length === 0 ? [] : made.headerCounts;
    const arena = Buffer.concat(parts);
    return { ...made, headerCounts, arena } satisfies MessageInitShape<typeof ColumnsSchema>;
  }

  #id(kind: "topic" | "name" | "form", text: string): number {
    const known = this.#defined.get(`${kind} ${text}`);
    if (known !== undefined) return known;
    const id = [...this.#defined.keys()].filter((one) => one.startsWith(`${kind} `)).length + 1;
    this.#defined.set(`${kind} ${text}`, id);
    if (kind === "topic") this.send({ case: "topic", value: { id, topic: text } });
    else if (kind === "name") this.send({ case: "name", value: { id, name: text } });
    else {
      const encoding = text === "bytes" ? Encoding.BYTES : Encoding.JSON;
      this.send({ case: "form", value: { id, encoding } });
    }
    return id;
  }
}
