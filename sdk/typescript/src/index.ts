export { Double } from "./canonical-json.ts";
export { type ConfigKey, type ConfigKeys, type ConfigOf, config } from "./config.ts";
export type { ConfigTexts } from "./config-parse.ts";
export type {
  ClassDefinition,
  ConnectorContext,
  ConnectorDefinition,
  MonitorContext,
  OffsetReader,
  TaskConfigsContext,
  TaskContext,
  ValidateContext,
} from "./connector-definition.ts";
export { Decimal } from "./decimal.ts";
export { type ExactJson, readExact } from "./exact-json.ts";
export { javaDouble, javaFloat } from "./java-number.ts";
export type { Log, LogDetails } from "./log.ts";
export type { Counter, Gauge, MetricOptions, Metrics } from "./metrics.ts";
export type { PluginClass } from "./plugin.ts";
export {
  AuthError,
  ConfigError,
  DataError,
  RecordErrors,
  type RecordFault,
  RetriableError,
} from "./plugin-error.ts";
export { type RunOptions, run } from "./run.ts";
export {
  type Schema,
  type SchemaField,
  type SchemaOptions,
  type SchemaType,
  schema,
} from "./schema.ts";
export { Secret } from "./secret.ts";
export {
  type SinkClass,
  type SinkContext,
  type SinkDefinition,
  type SinkOffset,
  type SinkPartition,
  sink,
} from "./sink.ts";
export type { SinkHeader, SinkRecord } from "./sink-record.ts";
export {
  type SourceClass,
  type SourceContext,
  type SourceDefinition,
  type SourceItem,
  source,
} from "./source.ts";
export {
  type Checkpoint,
  checkpoint,
  type Header,
  type SourceOffset,
  type SourcePartition,
  type SourceRecord,
} from "./source-record.ts";
export {
  type ConnectData,
  type ConvertedData,
  type ConverterDefinition,
  converter,
  type HeaderConverterDefinition,
  headerConverter,
  type KafkaData,
  type KafkaHeader,
  type PredicateDefinition,
  predicate,
  type StageClass,
  type StageContext,
  type StageDefinition,
  type TransformDefinition,
  transform,
} from "./stage.ts";
export type { RecordChanges, StageRecord } from "./stage-record.ts";
