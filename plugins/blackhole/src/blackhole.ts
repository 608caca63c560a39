import { closeSync, openSync, writeSync } from "node:fs";
import { config, type SinkRecord, sink } from "@bulkhead/sdk";

export const blackhole = sink({
  class: "bench.NullSink",
  config: {
    "count.file": config.string({
      required: true,
      doc: "Task i writes its counts to this path with .i at the end.",
    }),
    "touch.field": config.string({
      default: "",
      doc: "An int64 field that is read from each struct and summed up.",
    }),
  },
  taskConfigs: ({ texts, tasksMax }) => Array.from({ length: tasksMax }, () => texts),
  start: ({ config, task }) =>
    new Counter(`${config["count.file"]}.${task}`, config["touch.field"]),
  put(records, { state: counter }) {
    if (records.length > 0) counter.count(records);
  },
  stop: ({ state: counter }) => counter.close(),
});

/** Counts records and writes the counts to a file: three big-endian int64 at its beginning. */
export class Counter {
  readonly #file: number;
  readonly #field: string;
  readonly #counts = Buffer.alloc(24);
  #records = 0;
  #bytes = 0;
  #sum = 0n;

  constructor(path: string, field: string) {
    this.#field = field;
    this.#file = openSync(path, "w");
  }

  count(records: readonly SinkRecord[]): void {
    this.#records += records.length;
    for (const record of records) {
      if (record.valueEncoding !== "json") this.#bytes += Math.max(0, record.valueSize);
      if (this.#field !== "") this.#touch(record.value);
    }
    this.#counts.writeBigInt64BE(BigInt(this.#records), 0);
    this.#counts.writeBigInt64BE(BigInt(this.#bytes), 8);
    this.#counts.writeBigInt64BE(BigInt.asIntN(64, this.#sum), 16);
    writeSync(this.#file, this.#counts, 0, this.#counts.length, 0);
  }

  close(): void {
    closeSync(this.#file);
  }

  #touch(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    const field = (value as Readonly<Record<string, unknown>>)[this.#field];
    if (typeof field === "bigint") this.#sum += field;
    else if (Number.isSafeInteger(field)) this.#sum += BigInt(field as number);
  }
}
