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

/** A part of a record that is only read and made where somebody looks at it. */
export type TouchedPart = "key" | "value" | "headers";

/** A class of transforms or predicates. */
export interface StageFactory<T> {
  /** In full: `org.apache.kafka.connect.transforms.Cast$Value`. */
  readonly className: string;
  /** In Connect's order; the names are without prefix. */
  readonly keys: readonly CheckedKey[];
  /** What it may look at or change, whatever its settings are. */
  readonly touches: readonly TouchedPart[];
  /** @throws ConfigError for what `configure` refuses though each key is in order by itself */
  create(settings: StageSettings): T;
}

export type TransformFactory = StageFactory<Transform>;

export type PredicateFactory = StageFactory<Predicate>;

/** Which half of a record a transform treats. */
export type Part = "key" | "value";

/** The `$Key` and `$Value` classes of a transform, which touch that part and perhaps `more`. */
export function keyAndValue(
  name: string,
  keys: readonly CheckedKey[],
  create: (part: Part, settings: StageSettings) => Transform,
  more: readonly TouchedPart[] = [],
): readonly TransformFactory[] {
  return (["key", "value"] as const).map((part) => ({
    className: `org.apache.kafka.connect.transforms.${name}$${part === "key" ? "Key" : "Value"}`,
    keys,
    touches: [part, ...more],
    create: (settings) => create(part, settings),
  }));
}

/** The settings of a transform or predicate whose keys were all found in order. */
export class StageSettings {
  readonly #checked: ReadonlyMap<string, CheckedValue>;

  /** As texts, without their prefix; also those that the class does not declare. */
  readonly submitted: Readonly<Record<string, string>>;

  constructor(
    checked: ReadonlyMap<string, CheckedValue>,
    submitted: Readonly<Record<string, string>> = {},
  ) {
    this.#checked = checked;
    this.submitted = submitted;
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
