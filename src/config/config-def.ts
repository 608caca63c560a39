/** A config key as Kafka Connect's ConfigDef knows it. Data only; `parse.ts` has the rules. */

export type ConfigType =
  | "BOOLEAN"
  | "STRING"
  | "INT"
  | "SHORT"
  | "LONG"
  | "DOUBLE"
  | "LIST"
  | "CLASS"
  | "PASSWORD";

export type Importance = "HIGH" | "MEDIUM" | "LOW";

export type Width = "NONE" | "SHORT" | "MEDIUM" | "LONG";

/** What can be checked without code of the plugin. Messages are Java's (reference: ConfigDef). */
export type Validator =
  | { at: "range"; min?: number; max?: number }
  | { at: "one-of"; values: readonly string[]; caseInsensitive?: boolean }
  | { at: "non-empty" }
  | { at: "pattern"; regex: string };

export interface ConfigKey {
  readonly name: string;
  readonly type: ConfigType;
  /** Without a default value: the key must be given. */
  readonly required: boolean;
  /** Text as in a config file; null where the default is null or the key is required. */
  readonly defaultValue: string | null;
  readonly importance: Importance;
  readonly documentation: string;
  readonly group: string | null;
  /** -1 outside a group. */
  readonly order: number;
  readonly width: Width;
  readonly displayName: string;
  readonly dependents: readonly string[];
  readonly validator: Validator | null;
}
