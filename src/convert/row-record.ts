/** From a row of a source's batch to the record that transforms see. */
import { TaskError } from "../base/error.ts";
import { type Definitions, nullForm } from "../record/columns.ts";
import type { ConnectRecord, Data, Header } from "../record/connect-record.ts";
import type { RecordRow } from "../record/record-row.ts";
import { FormData } from "./form-data.ts";

/** Which part of a record could not be read; `record`: what stands beside its parts. */
export type RowPart = "key" | "value" | "header" | "record";

/** Parts of a record; the others are not read, and null in it. */
export type WantedParts = ReadonlySet<"key" | "value" | "headers">;

export const allParts: WantedParts = new Set(["key", "value", "headers"] as const);

/** What stands for a part that is not wanted. */
export const notRead = (): Data => ({ schema: null, value: null });

/** Keeps what it has learnt of a stream's definitions. */
export class RowRecords {
  #definitions: Definitions | undefined;
  #forms: (FormData | undefined)[] = [];
  /** What `read` is at, and where it stands when it throws. */
  part: RowPart = "key";

  /**
   * The row as a record; its parts are new objects, so they may be changed.
   * @throws RecordError for a part that is not what its form says, TaskError for an unknown id
   */
  read(row: RecordRow, definitions: Definitions, wanted = allParts): ConnectRecord {
    if (this.#definitions !== definitions) {
      this.#definitions = definitions;
      this.#forms = [];
    }
    const { arena } = row;
    this.part = "record";
    const timestampMs = row.timestampMs();
    const topic = definitions.topics[row.topicId];
    if (topic === undefined) throw undefinedId("topic", row.topicId);
    this.part = "header";
    const hasHeaders = row.headerCount > 0 && wanted.has("headers");
    const headers = hasHeaders ? this.#headers(row, definitions) : [];
    this.part = "key";
    const key = wanted.has("key")
      ? this.#data(definitions, row.keyForm, arena, row.keyStart, row.keyEnd)
      : notRead();
    this.part = "value";
    const value = wanted.has("value")
      ? this.#data(definitions, row.valueForm, arena, row.valueStart, row.valueEnd)
      : notRead();
    return {
      kind: "source",
      topic,
      partition: row.partition < 0 ? null : row.partition,
      offset: 0,
      timestamp: timestampMs < 0 ? null : timestampMs,
      timestampType: 0,
      key,
      value,
      headers,
    };
  }

  #headers(row: RecordRow, definitions: Definitions): Header[] {
    const headers: Header[] = [];
    row.firstHeader();
    while (row.nextHeader()) {
      const name = definitions.names[row.headerName];
      if (name === undefined) throw undefinedId("header name", row.headerName);
      const { headerForm, arena, headerStart, headerEnd } = row;
      const { schema, value } = this.#data(definitions, headerForm, arena, headerStart, headerEnd);
      headers.push({ name, schema, value });
    }
    return headers;
  }

  #data(definitions: Definitions, id: number, arena: Uint8Array, start: number, end: number): Data {
    const known = this.#forms[id];
    if (known !== undefined) return known.read(arena, start, end);
    const form = id === 0 ? nullForm : definitions.forms[id];
    if (form === undefined) throw undefinedId("form", id);
    const made = new FormData(form);
    this.#forms[id] = made;
    return made.read(arena, start, end);
  }
}

/** The plugin broke the contract: no policy for records concerns it. */
export function undefinedId(kind: string, id: number): TaskError {
  return new TaskError(
    "plugin.protocol_error",
    `the plugin sent a record with ${kind} id ${id}, which it has not defined`,
  );
}
