/** From a record of the log to the record that transforms see. */
import type { RecordCursor } from "../batch/decode.ts";
import { allParts, notRead } from "../convert/row-record.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import { type ConnectRecord, type Header, headerOf } from "../record/connect-record.ts";
import type { HeaderSlice } from "../record/record-slice.ts";
import { decodeUtf8 } from "../record/utf8.ts";
import type { RecordConverters } from "./task.ts";

export class CursorRecords {
  readonly #converters: RecordConverters;
  /** Which part `read` is at, and where it stands when it throws. */
  part: "key" | "value" | "header" = "key";

  constructor(converters: RecordConverters) {
    this.#converters = converters;
  }

  /** In Connect's order: of two parts that fail the first is told. What is not `wanted` is null. @throws RecordError, RetriableError */
  read(
    cursor: RecordCursor,
    { topic, partition }: TopicPartition,
    wanted = allParts,
  ): ConnectRecord {
    const { keyConverter, valueConverter, headerConverter } = this.#converters;
    const { bytes, offset, timestampMs, timestampType } = cursor;
    this.part = "key";
    const key = wanted.has("key")
      ? keyConverter.toConnect(bytes, cursor.keyStart, cursor.keyEnd)
      : notRead();
    this.part = "value";
    const value = wanted.has("value")
      ? valueConverter.toConnect(bytes, cursor.valueStart, cursor.valueEnd)
      : notRead();
    this.part = "header";
    const count = wanted.has("headers") ? cursor.headerCount : 0;
    const headers: Header[] = [];
    for (let nth = 0; nth < count; nth += 1) {
      const { name, bytes, start, end } = cursor.headers[nth] as HeaderSlice;
      const data = headerConverter.toConnect(bytes, start, end);
      headers.push(headerOf(decodeUtf8(name, 0, name.length), data));
    }
    return {
      kind: "sink",
      topic,
      partition,
      offset,
      timestamp: timestampMs < 0 ? null : timestampMs,
      timestampType: timestampType === 2 ? 2 : 1,
      key,
      value,
      headers,
    };
  }
}
