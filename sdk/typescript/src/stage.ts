import type { ConfigKeys, ConfigOf } from "./config.ts";
import type { ConfigTexts } from "./config-parse.ts";
import type { ClassDefinition, Starting } from "./connector-definition.ts";
import type { Log } from "./log.ts";
import type { Schema } from "./schema.ts";
import type { StageRecord } from "./stage-record.ts";

/** What every function of a transform, predicate or converter is given. */
export interface StageContext<Keys extends ConfigKeys, State = undefined> {
  /** The connector and the task whose records come through. */
  readonly connector: string;
  readonly task: number;
  /** Its name in the connector's config; empty for a converter. */
  readonly alias: string;
  /** A converter that is the key's. */
  readonly isKey: boolean;
  /** The declared keys, parsed and checked. */
  readonly config: ConfigOf<Keys>;
  /** All its keys as they were written, without what stands before them in the connector's config. */
  readonly texts: ConfigTexts;
  /** Fires when the work shall end: stop what you are waiting for. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** What `start` returned. */
  readonly state: State;
}

/** What all stages have in common. What is thrown for a record fails that record only. */
export interface StageDefinition<Keys extends ConfigKeys, State> extends ClassDefinition<Keys> {
  /** Opens what the stage needs; what it returns is `state` afterwards. */
  start?(context: Starting<StageContext<Keys, unknown>>): State | Promise<State>;
  /** Closes what `start` opened; runs last. */
  stop?(context: StageContext<Keys, State>): void | Promise<void>;
}

export interface TransformDefinition<Keys extends ConfigKeys, State>
  extends StageDefinition<Keys, State> {
  /** The record as it is, `record.with` what is to be different, or null to drop it. */
  apply(
    record: StageRecord,
    context: StageContext<Keys, State>,
  ): StageRecord | null | Promise<StageRecord | null>;
}

export interface PredicateDefinition<Keys extends ConfigKeys, State>
  extends StageDefinition<Keys, State> {
  test(record: StageRecord, context: StageContext<Keys, State>): boolean | Promise<boolean>;
}

/** A header as it stands in Kafka. */
export interface KafkaHeader {
  readonly name: string;
  readonly value: Uint8Array | null;
}

/** Data for Kafka; what it was made from says what it is. */
export interface ConnectData {
  readonly topic: string;
  readonly value: unknown;
  readonly schema: Schema | null;
}

/** Bytes from Kafka. */
export interface KafkaData {
  readonly topic: string;
  readonly value: Uint8Array | null;
}

/** What a converter makes of bytes; without schema the value is sent as a source's would be. */
export interface ConvertedData {
  readonly value: unknown;
  readonly schema?: Schema | null;
}

type MaybePromise<T> = T | Promise<T>;

export interface ConverterDefinition<Keys extends ConfigKeys, State>
  extends StageDefinition<Keys, State> {
  /** Kafka's bytes for a key or value; a string as UTF-8. What is added to `headers` goes with the record. */
  fromConnect(
    data: ConnectData & { readonly headers: KafkaHeader[] },
    context: StageContext<Keys, State>,
  ): MaybePromise<Uint8Array | string | null>;
  /** What the bytes of a key or value say. */
  toConnect(
    data: KafkaData & { readonly headers: KafkaHeader[] },
    context: StageContext<Keys, State>,
  ): MaybePromise<ConvertedData>;
}

export interface HeaderConverterDefinition<Keys extends ConfigKeys, State>
  extends StageDefinition<Keys, State> {
  /** Kafka's bytes for one header; a string as UTF-8. */
  fromConnect(
    data: ConnectData & { readonly name: string },
    context: StageContext<Keys, State>,
  ): MaybePromise<Uint8Array | string | null>;
  toConnect(
    data: KafkaData & { readonly name: string },
    context: StageContext<Keys, State>,
  ): MaybePromise<ConvertedData>;
}

/** A declared transform, predicate, converter or header converter, for `run`. */
export type StageClass =
  | {
      readonly kind: "transformation";
      readonly definition: TransformDefinition<ConfigKeys, unknown>;
    }
  | { readonly kind: "predicate"; readonly definition: PredicateDefinition<ConfigKeys, unknown> }
  | { readonly kind: "converter"; readonly definition: ConverterDefinition<ConfigKeys, unknown> }
  | {
      readonly kind: "header_converter";
      readonly definition: HeaderConverterDefinition<ConfigKeys, unknown>;
    };

type NoKeys = Record<never, never>;

/** Declares a transform: see `TransformDefinition`. */
export function transform<const Keys extends ConfigKeys = NoKeys, State = undefined>(
  definition: TransformDefinition<Keys, State>,
): StageClass {
  return { kind: "transformation", definition: definition as never };
}

/** Declares a predicate: see `PredicateDefinition`. */
export function predicate<const Keys extends ConfigKeys = NoKeys, State = undefined>(
  definition: PredicateDefinition<Keys, State>,
): StageClass {
  return { kind: "predicate", definition: definition as never };
}

/** Declares a converter of keys and values: see `ConverterDefinition`. */
export function converter<const Keys extends ConfigKeys = NoKeys, State = undefined>(
  definition: ConverterDefinition<Keys, State>,
): StageClass {
  return { kind: "converter", definition: definition as never };
}

/** Declares a converter of headers: see `HeaderConverterDefinition`. */
export function headerConverter<const Keys extends ConfigKeys = NoKeys, State = undefined>(
  definition: HeaderConverterDefinition<Keys, State>,
): StageClass {
  return { kind: "header_converter", definition: definition as never };
}
