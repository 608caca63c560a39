/** A record in messages and log lines, as Java's `toString` shows it. */
import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { moved } from "../record/java-value.ts";
import { javaTypeName, type Schema } from "../record/schema.ts";
import { shownValue } from "../record/shown-value.ts";

const timestampTypes = ["NoTimestampType", "CreateTime", "LogAppendTime"] as const;

/** Where a record of a source was read, each as Java shows a map: `{filename=a}`. */
export interface ShownSource {
  readonly partition: string;
  readonly offset: string;
}

/** `SinkRecord{…} ConnectRecord{…}` or `SourceRecord{…} ConnectRecord{…}` */
export function shownRecord(
  record: ConnectRecord,
  source: ShownSource = { partition: "{}", offset: "{}" },
): string {
  const { kind, topic, partition, offset, timestamp, timestampType, key, value } = record;
  const own =
    kind === "source"
      ? `SourceRecord{sourcePartition=${source.partition}, sourceOffset=${source.offset}}`
      : `SinkRecord{kafkaOffset=${offset}, timestampType=${timestampTypes[timestampType]}, originalTopic=${topic}, originalKafkaPartition=${partition}, originalKafkaOffset=${offset}}`;
  const headers = record.headers.map(
    ({ name, ...data }) =>
      `ConnectHeader(key=${name}, value=${shownData(data)}, schema=${shownSchema(data.schema)})`,
  );
  const list = headers.length === 0 ? "" : `[${headers.join(", ")}]`;
  return (
    `${own} ConnectRecord{topic='${topic}', kafkaPartition=${partition}, ` +
    `key=${shownData(key)}, keySchema=${shownSchema(key.schema)}, ` +
    `value=${shownData(value)}, valueSchema=${shownSchema(value.schema)}, ` +
    `timestamp=${timestamp}, headers=ConnectHeaders(headers=${list})}`
  );
}

function shownData({ schema, value }: Data): string {
  return value === null ? "null" : shownValue(moved(schema, value, null));
}

/** `Schema{STRING}`, `Schema{shop.Order:STRUCT}` */
export function shownSchema(schema: Schema | null): string {
  if (schema === null) return "null";
  const type = javaTypeName(schema);
  return schema.name === null ? `Schema{${type}}` : `Schema{${schema.name}:${type}}`;
}
