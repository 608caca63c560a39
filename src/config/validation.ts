/** The answer of `PUT …/config/validate`, field for field as Connect's ConfigInfos. */
import type { ConfigType, Importance, Width } from "./config-def.ts";

export interface ConfigKeyInfo {
  readonly name: string;
  readonly type: ConfigType;
  readonly required: boolean;
  readonly default_value: string | null;
  readonly importance: Importance;
  readonly documentation: string;
  readonly group: string | null;
  readonly width: Width;
  readonly display_name: string;
  readonly dependents: readonly string[];
  readonly order: number;
}

export interface ConfigValueInfo {
  readonly name: string;
  /** The parsed value as text; null where parsing failed. */
  readonly value: string | null;
  readonly recommended_values: readonly string[];
  readonly errors: readonly string[];
  readonly visible: boolean;
}

export interface ConfigInfos {
  readonly name: string;
  readonly error_count: number;
  readonly groups: readonly string[];
  readonly configs: readonly {
    readonly definition: ConfigKeyInfo | null;
    readonly value: ConfigValueInfo | null;
  }[];
}
