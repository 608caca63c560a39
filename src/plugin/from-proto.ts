/** Generated types to the host's own; the mirror of to-proto.ts. Pure. */
import type { Columns, Encoding, Form } from "../record/columns.ts";
import { emptyColumns, nullForm } from "../record/columns.ts";
import { transactionOf, type WireRecords } from "./columns-decode.ts";
import type { ConfigValue, ValidateResult } from "./gen/bulkhead/plugin/v1/config_pb.ts";
import {
  AlterOffsetsAnswer,
  type AlterOffsetsResult,
} from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import * as pbError from "./gen/bulkhead/plugin/v1/error_pb.ts";
import * as pbRecord from "./gen/bulkhead/plugin/v1/record_pb.ts";
import type * as pbSink from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import type * as pbSource from "./gen/bulkhead/plugin/v1/source_pb.ts";
import { printable } from "./line-reader.ts";
import type {
  Failure,
  FailureClass,
  FailureCode,
  OffsetsAltered,
  OwnRecord,
  OwnValue,
  PutResult,
  Run,
  SinkOffset,
  SinkPartition,
  ValidationAnswer,
} from "./plugin.ts";
import { protocolError } from "./protocol-error.ts";

const { FailureCode: Code, FailureClass: Class, Stage } = pbError;

/** By the generated number; what is not here is read as the word a newer contract falls back to. */
export const failureCodes: readonly [pbError.FailureCode, FailureCode][] = [
  [Code.INVALID_CONFIG, "invalid_config"],
  [Code.AUTH, "auth"],
  [Code.UNAVAILABLE, "unavailable"],
  [Code.RATE_LIMITED, "rate_limited"],
  [Code.DATA, "data"],
  [Code.INTERNAL, "internal"],
  [Code.FENCED, "fenced"],
  [Code.CANCELLED, "cancelled"],
  [Code.UNSUPPORTED, "unsupported"],
];

/** As failureCodes. */
export const failureClasses: readonly [pbError.FailureClass, FailureClass][] = [
  [Class.TRANSIENT, "transient"],
  [Class.CONFIGURATION, "configuration"],
  [Class.DATA, "data"],
  [Class.FATAL, "fatal"],
];

/** Connect's names of the pipeline steps. */
export const stageNames: readonly [pbError.Stage, string][] = [
  [Stage.TASK_POLL, "TASK_POLL"],
  [Stage.TRANSFORMATION, "TRANSFORMATION"],
  [Stage.KEY_CONVERTER, "KEY_CONVERTER"],
  [Stage.VALUE_CONVERTER, "VALUE_CONVERTER"],
  [Stage.HEADER_CONVERTER, "HEADER_CONVERTER"],
  [Stage.KAFKA_PRODUCE, "KAFKA_PRODUCE"],
  [Stage.KAFKA_CONSUME, "KAFKA_CONSUME"],
  [Stage.TASK_PUT, "TASK_PUT"],
];

/** As failureCodes. */
export const encodings: readonly [pbRecord.Encoding, Encoding][] = [
  [pbRecord.Encoding.BYTES, "bytes"],
  [pbRecord.Encoding.TEXT, "text"],
  [pbRecord.Encoding.JSON, "json"],
];

const offsetAnswers: readonly [AlterOffsetsAnswer, OffsetsAltered][] = [
  [AlterOffsetsAnswer.DONE, "done"],
  [AlterOffsetsAnswer.NOT_DONE, "not done"],
  [AlterOffsetsAnswer.UNSUPPORTED, "unsupported"],
];

function word<T>(table: readonly [number, T][], value: number, fallback: T): T {
  return table.find(([number]) => number === value)?.[1] ?? fallback;
}

/** I5: a failure goes into statuses, answers and logs. */
const textCharsMax = 8 * 1_024;
const stackCharsMax = 64 * 1_024;
const causesMax = 20;

/** A plugin's text as a status can show it: of bounded length, control characters spelled out. */
function shown(text: string, charsMax: number): string {
  const over = text.length - charsMax;
  const kept = (over > 0 ? text.slice(0, charsMax) : text).split("\n").map(printable).join("\n");
  return over > 0 ? `${kept} … (${over} more characters)` : kept;
}

export function failureFromProto(failure: pbError.Failure): Failure {
  return {
    code: word(failureCodes, failure.code, "internal"),
    class: word(failureClasses, failure.failureClass, "fatal"),
    text: shown(failure.text, textCharsMax),
    hint: shown(failure.hint, textCharsMax),
    exceptionClass: shown(failure.exceptionClass, textCharsMax),
    stack: shown(failure.stack, stackCharsMax),
    causes: failure.causes.slice(0, causesMax).map(({ exceptionClass, text }) => ({
      exceptionClass: shown(exceptionClass, textCharsMax),
      text: shown(text, textCharsMax),
    })),
  };
}

/** A failure message that must be there: its absence is a fault of the plugin of its own. */
export function failureOrUnnamed(failure: pbError.Failure | undefined): Failure {
  if (failure !== undefined) return failureFromProto(failure);
  return {
    code: "internal",
    class: "fatal",
    text: "the plugin reported a failure without saying which",
    hint: "",
    exceptionClass: "",
    stack: "",
    causes: [],
  };
}

export function stageFromProto(stage: number): string {
  return word(stageNames, stage, "UNKNOWN");
}

/** @throws TaskError `plugin.protocol_error` unless the runs add up to `count`. */
export function runsFromProto(runs: readonly pbError.Run[], count: number): Run[] {
  let sum = 0;
  const result = runs.map((run): Run => {
    sum += run.count;
    const kind = run.outcome?.kind;
    if (kind?.case === undefined) throw protocolError("a run has no outcome");
    if (kind.case !== "failed") return { count: run.count, outcome: kind.case };
    const { stage, failure } = kind.value;
    return {
      count: run.count,
      outcome: "failed",
      stage: stageFromProto(stage),
      failure: failureOrUnnamed(failure),
    };
  });
  if (sum !== count) throw protocolError(`runs add up to ${sum} instead of ${count} records`);
  return result;
}

/** @throws TaskError `plugin.protocol_error` when it is none, or its runs do not add up to the count */
export function putResultFromProto(message: pbSink.PutResult, count: number): PutResult {
  const epoch = Number(message.epoch);
  const { kind } = message;
  switch (kind.case) {
    case "ok":
      return { at: "ok" };
    case "runs":
      return { at: "runs", runs: runsFromProto(kind.value.runs, count) };
    case "retry": {
      const failure = failureOrUnnamed(kind.value.failure);
      return { at: "retry", retryAfterMs: Number(kind.value.retryAfterMs), failure, epoch };
    }
    case "discarded":
      return { at: "discarded", epoch };
    case "failure":
      return { at: "failed", failure: failureFromProto(kind.value) };
    default:
      throw protocolError(`the result of put ${message.putSeq} says nothing`);
  }
}

export function formFromProto(form: pbRecord.FormDef): Form {
  const encoding = encodings.find(([number]) => number === form.encoding)?.[1];
  if (encoding === undefined) {
    throw protocolError(`form ${form.id} has the unknown encoding ${form.encoding}`);
  }
  return { encoding, schema: form.schema ?? null };
}

/** @throws TaskError `plugin.protocol_error` without an offset: only Open may leave one out. */
export function sinkOffsetFromProto(what: string, offset: pbSink.PartitionOffset): SinkOffset {
  const { topic, partition } = offset;
  if (offset.offset === undefined || offset.offset < 0n) {
    const found = offset.offset === undefined ? "no offset" : `the offset ${offset.offset}`;
    throw protocolError(`a ${what} has ${found} for ${topic}-${partition}`);
  }
  return { topic, partition, offset: Number(offset.offset) };
}

/** A record that a task made itself. @throws TaskError `plugin.protocol_error` for an unknown encoding */
export function ownRecordFromProto(own: pbSink.OwnRecord): OwnRecord {
  return {
    topic: own.topic,
    partition: own.partition ?? null,
    timestampMs: own.timestamp === undefined ? -1 : Number(own.timestamp),
    key: ownValueFromProto(own.key),
    value: ownValueFromProto(own.value),
    headers: own.headers.map(({ name, value }) => ({ name, value: ownValueFromProto(value) })),
  };
}

function ownValueFromProto(value: pbSink.OwnValue | undefined): OwnValue {
  if (value === undefined) return { form: nullForm, bytes: null };
  const found = encodings.find(([number]) => number === value.encoding);
  // A null without schema needs no encoding.
  if (found === undefined && value.data !== undefined) {
    throw protocolError(`a record of the task's own has the unknown encoding ${value.encoding}`);
  }
  const form = found && { encoding: found[1], schema: value.schema ?? null };
  return { form: form ?? nullForm, bytes: value.data ?? null };
}

export function sinkPartitionFromProto(partition: pbSink.TopicPartition): SinkPartition {
  return { topic: partition.topic, partition: partition.partition };
}

/** A result's epoch, put, and so on: never near 2^53. */
export function countFromProto(value: bigint): number {
  return Number(value);
}

export function validationFromProto(result: ValidateResult): ValidationAnswer {
  return {
    values: result.values.map((value: ConfigValue) => ({
      name: value.name,
      value: value.value ?? null,
      errors: value.errors,
      recommendedValues: value.recommendedValues,
      visible: value.visible,
    })),
  };
}

/** @throws TaskError `plugin.protocol_error` for an answer that says nothing */
export function offsetsAlteredFromProto({ answer }: AlterOffsetsResult): OffsetsAltered {
  const said = offsetAnswers.find(([number]) => number === answer)?.[1];
  if (said === undefined) throw protocolError(`AlterOffsets was answered with ${answer}`);
  return said;
}

/** The slow way of columns-decode.ts, for messages in unusual pieces. */
export function recordsFromProto(records: pbSource.Records): WireRecords {
  return {
    batchSeq: countFromProto(records.batchSeq),
    columns: columnsFromProto(records.columns),
    pollEnd: records.pollEnd,
    transaction: transactionOf(records.transaction),
  };
}

export function columnsFromProto(columns: pbRecord.Columns | undefined): Columns {
  const result = emptyColumns();
  if (columns === undefined) return result;
  result.count = columns.count;
  result.arena = columns.arena;
  result.keySizes = Uint32Array.from(columns.keySizes);
  result.valueSizes = Uint32Array.from(columns.valueSizes);
  result.keyForms = Uint32Array.from(columns.keyForms);
  result.valueForms = Uint32Array.from(columns.valueForms);
  result.topics = Uint32Array.from(columns.topics);
  result.partitions = Uint32Array.from(columns.partitions);
  result.timestamps = sumsOf(columns.timestamps);
  result.headerCounts = Uint32Array.from(columns.headerCounts);
  result.headerNames = Uint32Array.from(columns.headerNames);
  result.headerSizes = Uint32Array.from(columns.headerSizes);
  result.headerForms = Uint32Array.from(columns.headerForms);
  result.sourcePartitions = Uint32Array.from(columns.sourcePartitions);
  result.offsetSizes = Uint32Array.from(columns.offsetSizes);
  result.offsetArena = columns.offsetArena;
  result.offsets = sumsOf(columns.offsets);
  result.timestampTypes = Uint32Array.from(columns.timestampTypes);
  result.originalTopics = Uint32Array.from(columns.originalTopics);
  result.originalPartitions = Uint32Array.from(columns.originalPartitions);
  return result;
}

function sumsOf(deltas: readonly bigint[]): Float64Array {
  let sum = 0n;
  return Float64Array.from(deltas, (delta) => {
    sum = BigInt.asIntN(64, sum + delta);
    return Number(sum);
  });
}
