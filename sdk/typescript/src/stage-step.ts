import type { ConfigKeys } from "./config.ts";
import { StageOperation } from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import type { Schema } from "./schema.ts";
import { SinkRecord } from "./sink-record.ts";
import type { Header, SourceRecord } from "./source-record.ts";
import type {
  ConvertedData,
  ConverterDefinition,
  HeaderConverterDefinition,
  KafkaHeader,
  StageClass,
  StageContext,
} from "./stage.ts";
import type { StageBatch } from "./stage-inbox.ts";
import { StageRecord } from "./stage-record.ts";
import type { StageResults } from "./stage-results.ts";

type Context = StageContext<ConfigKeys, unknown>;

/** Does one record of a batch; a promise only where user code gives one. */
export type StageStep = (
  batch: StageBatch,
  index: number,
  results: StageResults,
) => void | Promise<void>;

/** What a class does with a record for an operation. @throws Error where it has no such operation */
export function stageStep(
  found: StageClass,
  context: Context,
  operation: StageOperation,
): StageStep {
  const { kind } = found;
  if (kind === "transformation" && operation === StageOperation.APPLY) {
    return (batch, at, results) =>
      now(found.definition.apply(recordOf(batch, at), context), (record) =>
        applied(record, results),
      );
  }
  if (kind === "predicate" && operation === StageOperation.TEST) {
    return (batch, at, results) =>
      now(found.definition.test(recordOf(batch, at), context), (yes) => tested(yes, results));
  }
  const toConnect = operation === StageOperation.TO_CONNECT;
  if (toConnect || operation === StageOperation.FROM_CONNECT) {
    if (kind === "converter") return convertStep(found.definition, context, toConnect);
    if (kind === "header_converter") return headersStep(found.definition, context, toConnect);
  }
  throw new Error(`a ${kind} was asked for operation ${operation}, which it does not have`);
}

/** At once where user code has answered at once. */
function now<T>(made: T | Promise<T>, take: (value: T) => void): void | Promise<void> {
  return isPromise(made) ? made.then(take) : take(made);
}

function isPromise<T>(made: T | Promise<T>): made is Promise<T> {
  return typeof (made as { then?: unknown } | null | undefined)?.then === "function";
}

function recordOf({ rows }: StageBatch, at: number): StageRecord {
  return new StageRecord(rows, new SinkRecord(rows, at));
}

function applied(record: unknown, results: StageResults): void {
  if (record === null) results.filtered();
  else if (record instanceof StageRecord) results.ok(record.outgoing());
  else {
    throw new TypeError(
      `apply returned ${record === undefined ? "nothing" : `a ${typeof record}`}: it has to return the record, record.with(…), or null to drop it`,
    );
  }
}

function tested(yes: unknown, results: StageResults): void {
  if (typeof yes !== "boolean") {
    throw new TypeError(
      `test returned ${yes === undefined ? "nothing" : `a ${typeof yes}`}: it has to return true or false`,
    );
  }
  results.tested(yes);
}

function convertStep(
  definition: ConverterDefinition<ConfigKeys, unknown>,
  context: Context,
  toConnect: boolean,
): StageStep {
  return ({ rows }, at, results) => {
    const row = new SinkRecord(rows, at);
    const headers: KafkaHeader[] = row.headers.map(({ name, value }) => ({
      name,
      value: bytesIn(value, `header ${name}`),
    }));
    const { topic } = row;
    const send = (value: unknown, schema: Schema | null) =>
      results.ok({ topic, value, valueSchema: schema, headers });
    if (toConnect) {
      const data = { topic, value: bytesIn(row.value, "a value"), headers };
      return now(definition.toConnect(data, context), (made) => {
        const { value, schema } = converted(made);
        send(value, schema);
      });
    }
    const data = { topic, value: row.value, schema: row.valueSchema, headers };
    return now(definition.fromConnect(data, context), (made) => send(bytesOut(made), null));
  };
}

/** Header by header, one after the other. */
function headersStep(
  definition: HeaderConverterDefinition<ConfigKeys, unknown>,
  context: Context,
  toConnect: boolean,
): StageStep {
  return async ({ rows }, at, results) => {
    const { topic, headers } = new SinkRecord(rows, at);
    const made: Header[] = [];
    for (const { name, value, schema } of headers) {
      if (toConnect) {
        const data = { topic, name, value: bytesIn(value, `header ${name}`) };
        made.push({ name, ...converted(await definition.toConnect(data, context)) });
      } else {
        const data = { topic, name, value, schema };
        made.push({ name, value: bytesOut(await definition.fromConnect(data, context)) });
      }
    }
    const record: SourceRecord = { topic, headers: made };
    results.ok(record);
  };
}

function bytesIn(value: unknown, what: string): Uint8Array | null {
  if (value === null || value instanceof Uint8Array) return value;
  throw new TypeError(`${what} came as ${typeof value} where bytes were due`);
}

function bytesOut(made: unknown): Uint8Array | null {
  if (typeof made === "string") return Buffer.from(made);
  if (made === null || made instanceof Uint8Array) return made;
  const what = made === undefined ? "nothing" : `a ${typeof made}`;
  throw new TypeError(`fromConnect returned ${what}: it has to return bytes, a string or null`);
}

function converted(made: ConvertedData | undefined | null): {
  value: unknown;
  schema: Schema | null;
} {
  if (typeof made !== "object" || made === null) {
    throw new TypeError(
      `toConnect returned ${made === undefined ? "nothing" : `a ${typeof made}`}: it has to return { value, schema }`,
    );
  }
  return { value: made.value, schema: made.schema ?? null };
}
