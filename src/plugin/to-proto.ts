/** The host's own types to generated ones; the mirror of from-proto.ts. Pure. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Form } from "../record/columns.ts";
import { encodings, failureClasses, failureCodes, stageNames } from "./from-proto.ts";
import * as pbConnector from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import { StartTaskRequestSchema } from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import type { FailureSchema, RunSchema } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import type { FormDefSchema } from "./gen/bulkhead/plugin/v1/record_pb.ts";
import type { PartitionOffsetSchema } from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import type { CommittedOffsetSchema } from "./gen/bulkhead/plugin/v1/source_pb.ts";
import type {
  ConnectorConfig,
  Failure,
  OffsetsChange,
  Run,
  SinkOffset,
  SourceOffset,
  StageStart,
  TaskStart,
} from "./plugin.ts";

function number<N, T>(table: readonly [N, T][], word: T): N | 0 {
  return table.find(([, known]) => known === word)?.[0] ?? 0;
}

export function failureToProto(failure: Failure): MessageInitShape<typeof FailureSchema> {
  return {
    code: number(failureCodes, failure.code),
    failureClass: number(failureClasses, failure.class),
    text: failure.text,
    hint: failure.hint,
    exceptionClass: failure.exceptionClass,
    stack: failure.stack,
    causes: failure.causes.map(({ exceptionClass, text }) => ({ exceptionClass, text })),
  };
}

export function runToProto(run: Run): MessageInitShape<typeof RunSchema> {
  if (run.outcome !== "failed") {
    return { count: run.count, outcome: { kind: { case: run.outcome, value: {} } } };
  }
  const value = { stage: number(stageNames, run.stage), failure: failureToProto(run.failure) };
  return { count: run.count, outcome: { kind: { case: "failed", value } } };
}

export function formToProto(id: number, form: Form): MessageInitShape<typeof FormDefSchema> {
  const encoding = number(encodings, form.encoding);
  return form.schema === null ? { id, encoding } : { id, encoding, schema: form.schema };
}

/** An offset below 0 says that none is committed. */
export function sinkOffsetToProto(
  offset: SinkOffset,
): MessageInitShape<typeof PartitionOffsetSchema> {
  const { topic, partition } = offset;
  return offset.offset < 0
    ? { topic, partition }
    : { topic, partition, offset: BigInt(offset.offset) };
}

export function sourceOffsetToProto(
  offset: SourceOffset,
): MessageInitShape<typeof CommittedOffsetSchema> {
  const { partition } = offset;
  return offset.offset === null ? { partition } : { partition, offset: offset.offset };
}

/** A null offset is left out, which asks for its removal. */
export function alterOffsetsToProto(
  change: OffsetsChange,
): MessageInitShape<typeof pbConnector.AlterOffsetsRequestSchema> {
  const { className, config } = change;
  const source = change.source?.map(({ partition, offset }) =>
    offset === null ? { partition } : { partition, offset },
  );
  const sink = change.sink?.map(({ topic, partition, offset }) =>
    offset === null ? { topic, partition } : { topic, partition, offset: BigInt(offset) },
  );
  return {
    className,
    config: configToProto(config),
    source: source ?? [],
    sink: sink ?? [],
  };
}

/** A copy that protobuf may keep. */
export function configToProto(config: ConnectorConfig): Record<string, string> {
  return { ...config };
}

export function openStageToProto(
  start: StageStart,
  stageId: string,
  ticket: string,
): pbConnector.OpenStageRequest {
  const { task, alias, className, config, isKey } = start;
  return create(pbConnector.OpenStageRequestSchema, {
    stageId,
    task,
    alias,
    className,
    config: configToProto(config),
    isKey,
    ticket,
  });
}

/** The host runs the converters; there are no transactions in this version. */
export function startTaskToProto(start: TaskStart, ticket: string): pbConnector.StartTaskRequest {
  return create(StartTaskRequestSchema, {
    task: start.task,
    className: start.className,
    taskClass: start.taskClass,
    taskConfig: configToProto(start.taskConfig),
    connectorConfig: configToProto(start.connectorConfig),
    chainRunner: pbConnector.ChainRunner.HOST,
    errantRecordReporter: start.errantRecordReporter,
    ticket,
    offsetFlushIntervalMs: BigInt(start.offsetFlushIntervalMs),
  });
}
