/** Compressing a batch that is finished already. */
import { at, attribute, lengthOverhead } from "./batch-header.ts";
import { type Compression, codecId, compress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { readInt16, writeInt16, writeInt32 } from "./varint.ts";

/** The same batch with its records compressed; `batch` is one whole, uncompressed batch and stays as it is. */
export async function compressBatch(
  batch: Uint8Array,
  compression: Compression,
): Promise<Uint8Array> {
  const records = await compress(batch.subarray(at.records), compression);
  const bytes = new Uint8Array(at.records + records.length);
  bytes.set(batch.subarray(0, at.records));
  bytes.set(records, at.records);
  const attributes = readInt16(bytes, at.attributes) & ~attribute.compression;
  writeInt32(bytes, at.length, bytes.length - lengthOverhead);
  writeInt16(bytes, at.attributes, attributes | codecId(compression));
  writeInt32(bytes, at.crc, crc32c(bytes, at.attributes, bytes.length));
  return bytes;
}
