/**
 * Converters between the contract's forms and the bytes in Kafka.
 *
 * A converter is asked once per form (or per schema) for a *lane*: the cheapest way to treat every
 * record of that form. Only the "typed" lane touches a record's content.
 *
 * @see reference: Kafka Connect's Converter interface and its classes in connect/api, connect/json.
 */
import type { Form } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import type { ByteSlice } from "../record/record-slice.ts";

export type SourceLane =
  /** The bytes of the arena are the bytes of the record. */
  | { at: "copy" }
  /** A null value becomes a tombstone (always so for form 0). */
  | { at: "wrap"; prefix: Uint8Array; suffix: Uint8Array }
  /**
   * Made by a function of one value; null = tombstone. Throws RecordError. The bytes are valid until the
   * converter is used again: copy them or be done with them.
   */
  | { at: "typed"; convert: (arena: Uint8Array, start: number, end: number) => Uint8Array | null };

/** How a form's values become record bytes. `nullValue` is what a null under this form becomes. */
export interface SourcePlan {
  readonly lane: SourceLane;
  /** Record bytes for a null value under this form; null = tombstone. Throws where that is refused. */
  readonly nullValue: () => Uint8Array | null;
}

/** How one value from Kafka goes to the plugin. Mutable, reused by the record path. */
export interface SinkPiece {
  form: Form;
  bytes: Uint8Array;
  /** -1 = null under `form`. */
  start: number;
  end: number;
}

/** The way of values, for records that transforms change: one by one, without lanes. */
export interface PlainConverter {
  /** A record's bytes; null = a null key or header, or a tombstone. @throws RecordError with Connect's text */
  fromConnect(data: Data): Uint8Array | null;
  /**
   * The same into a slice, where that is cheaper. The bytes are valid until the converter is used again.
   * @throws RecordError with Connect's text
   */
  fillFromConnect?(data: Data, slice: ByteSlice): void;
  /** start = -1: null. @throws RecordError with Connect's text */
  toConnect(bytes: Uint8Array, start: number, end: number): Data;
}

export interface Converter extends PlainConverter {
  /**
   * For values that a source plugin sends under `form`; `canonicalJson` = the plugin promised canonical
   * texts. @throws RecordError when it never can.
   */
  sourcePlan(form: Form, canonicalJson?: boolean): SourcePlan;
  /**
   * Reads one value of a Kafka record (start = -1: null) and says in `out` which form and bytes the
   * plugin gets. `out.form` is the same object for the same schema, so ids may be cached by identity.
   * @throws RecordError when the bytes cannot be read.
   */
  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void;
}

export interface HeaderConverter extends PlainConverter {
  sourcePlan(form: Form, canonicalJson?: boolean): SourcePlan;
  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void;
}

/** Where a converter stands; Connect tells it through `converter.type`. */
export type ConverterUse = "key" | "value" | "header";

/** Class name without prefix keys (`schemas.enable`, …). @throws ConfigError for settings. */
export interface ConverterFactory {
  readonly className: string;
  readonly aliases: readonly string[];
  create(config: Readonly<Record<string, string>>, use: ConverterUse): Converter;
}
