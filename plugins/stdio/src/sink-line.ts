import { DataError, type SinkRecord } from "@bulkhead/sdk";
import { base64, jsonText } from "./plain-json.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A record's value as a line of `format=text`, without its end: text as it is, JSON data as JSON, null
 * as nothing.
 * @throws DataError where it is no line
 */
export function textLine(record: SinkRecord): string {
  const text = valueText(record);
  if (/[\r\n]/.test(text)) {
    throw new DataError(
      "its value has a line break, which ends a line: use format=json or records",
    );
  }
  return text;
}

/** A record's value as a line of `format=json`; bytes as base64 text. */
export function jsonLine(record: SinkRecord): string {
  const { valueBytes: bytes, valueEncoding } = record;
  if (bytes === null) return "null";
  if (valueEncoding === "bytes") return `"${base64(bytes)}"`;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  // Between the members of a JSON text a line break means nothing, and within a text there is none.
  return valueEncoding === "text" ? JSON.stringify(text) : text.replaceAll(/[\r\n]+/g, " ");
}

/** A whole record as a line of `format=records`. */
export function recordLine(record: SinkRecord, id: number): string {
  const { topic, partition, offset, timestamp, headers } = record;
  let line = `{"id":${id},"topic":${JSON.stringify(topic)},"partition":${partition},"offset":${offset}`;
  if (timestamp !== null) line += `,"timestamp":${timestamp}`;
  line += member("key", record.key);
  line +=
    record.valueSize >= 0 && record.valueEncoding === "bytes"
      ? `,"valueBase64":${jsonLine(record)}`
      : `,"value":${jsonLine(record)}`;
  if (headers.length > 0) {
    const each = headers.map(
      ({ name, value }) => `{"name":${JSON.stringify(name)}${member("value", value)}}`,
    );
    line += `,"headers":[${each.join(",")}]`;
  }
  return `${line}}`;
}

function member(name: string, value: unknown): string {
  return value instanceof Uint8Array
    ? `,"${name}Base64":"${base64(value)}"`
    : `,"${name}":${jsonText(value)}`;
}

function valueText(record: SinkRecord): string {
  const { valueBytes: bytes, valueEncoding } = record;
  if (bytes === null) return "";
  if (valueEncoding === "json") return jsonLine(record);
  try {
    return utf8.decode(bytes);
  } catch {
    throw new DataError(
      "its value is not UTF-8 text: use format=json or records, which write base64",
    );
  }
}
