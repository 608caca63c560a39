/**
 * Transforms and predicates: what they are, how they are made, how their settings are read.
 *
 * @see reference: Kafka Connect's Transformation and Predicate interfaces (connect/api), its own classes
 * in connect/transforms.
 */
import type { CheckedKey, CheckedValue } from "../config/parse.ts";
import type { ConnectRecord } from "../record/connect-record.ts";

/** One step of a chain. Made for one task; it may keep what it has learnt. */
export interface Transform {
  /**
   * Changes the record in place; false drops it. What it has changed before it throws does not count.
   * @throws RecordError with Connect's text
   */
  apply(record: ConnectRecord): boolean;
}

/** Says for which records a transform is meant. */
export interface Predicate {
  /** @throws RecordError with Connect's text */
  test(record: ConnectRecord): boolean;
}

/** A class of transforms or predicates. */
export interface StageFactory<T> {
  /** In full: `org.apache.kafka.connect.transforms.Cast$Value`. */
  readonly className: string;
  /** In Connect's order; the names are without prefix. */
  readonly keys: readonly CheckedKey[];
  /** @throws ConfigError for what `configure` refuses though each key is in order by itself */
  create(settings: StageSettings): T;
}

export type TransformFactory = StageFactory<Transform>;

export type PredicateFactory = StageFactory<Predicate>;

/** Which half of a record a transform treats. */
export type Part = "key" | "value";

/** The `$Key` and `$Value` classes of a transform. */
export function keyAndValue(
  name: string,
  keys: readonly CheckedKey[],
  create: (part: Part, settings: StageSettings) => Transform,
): readonly TransformFactory[] {
  const base = `org.apache.kafka.connect.transforms.${name}`;
  return [
    { className: `${base}$Key`, keys, create: (settings) => create("key", settings) },
    { className: `${base}$Value`, keys, create: (settings) => create("value", settings) },
  ];
}

/** The settings of a transform or predicate whose keys were all found in order. */
export class StageSettings {
  readonly #checked: ReadonlyMap<string, CheckedValue>;

  constructor(checked: ReadonlyMap<string, CheckedValue>) {
    this.#checked = checked;
  }

  text(name: string): string {
    return this.textOrNull(name) ?? "";
  }

  textOrNull(name: string): string | null {
    const value = this.#checked.get(name)?.value ?? null;
    return value === null ? null : String(value);
  }

  flag(name: string): boolean {
    return this.#checked.get(name)?.value === true;
  }

  integerOrNull(name: string): number | null {
    const value = this.#checked.get(name)?.value ?? null;
    return value === null ? null : Number(value);
  }

  list(name: string): readonly string[] {
    const value = this.#checked.get(name)?.value ?? null;
    return Array.isArray(value) ? value : [];
  }
}
