import { RecordError } from "../base/error.ts";
import type { RecordSlice } from "../record/record-slice.ts";
import { at } from "./batch-header.ts";
import { sizeUpperBound } from "./encode.ts";

/**
 * At least what the record takes in a batch (`sizeUpperBound`).
 * @throws RecordError `record.too_large` in Kafka's words when a batch of it alone is over the limit
 *   that a key sets
 */
export function fittingSize(record: RecordSlice, bytesMax: number, key: string): number {
  const sizeBound = sizeUpperBound(record);
  if (at.records + sizeBound <= bytesMax) return sizeBound;
  throw new RecordError(
    "record.too_large",
    `cannot write a record to topic ${record.topic}: the message is ` +
      `${at.records + sizeBound} bytes when serialized which is larger than ` +
      `${bytesMax}, which is the value of the ${key} configuration`,
  );
}
