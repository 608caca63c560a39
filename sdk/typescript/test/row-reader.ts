import assert from "node:assert/strict";
import type { Records } from "../src/gen/bulkhead/plugin/v1/source_pb.ts";
import type { SourceEnd } from "./host-end.ts";
import { type Row, Unpacker } from "./unpack.ts";

/** Takes batches until there are as many rows; in stream order with their definitions. */
export class RowReader {
  readonly #task: SourceEnd;
  readonly #unpacker = new Unpacker();
  readonly batches: Records[] = [];
  readonly rows: Row[] = [];
  /** Mode last: the newest offset of each source partition. */
  readonly lastOffsets = new Map<string, string | null>();

  constructor(task: SourceEnd) {
    this.#task = task;
  }

  async until(rows: number): Promise<string[]> {
    while (this.rows.length < rows) await this.batch();
    return this.rows.map((row) => row.value.text ?? "null");
  }

  async batch(): Promise<Records> {
    for (;;) {
      const message = await this.#task.inbox.first([
        "topic",
        "name",
        "form",
        "partition",
        "forget",
        "records",
      ]);
      if (this.#unpacker.define(message)) continue;
      const records = message.kind.value as Records;
      assert.equal(records.batchSeq, BigInt(this.batches.length + 1));
      this.batches.push(records);
      const { columns } = records;
      assert.ok(columns);
      this.rows.push(...this.#unpacker.rows(columns));
      for (const [partition, offset] of this.#unpacker.lastOffsets(columns)) {
        this.lastOffsets.set(partition, offset);
      }
      return records;
    }
  }
}
