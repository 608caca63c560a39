/** Transforms and predicates that live in plugins, as a chain knows them. */
import type { CheckedKey } from "../config/parse.ts";
import type { StageKind } from "../config/stage-keys.ts";
import type { StageFactory, StageSettings } from "./transform.ts";

/** A class that a plugin offers. */
export interface PluginStageClass {
  readonly className: string;
  readonly keys: readonly CheckedKey[];
}

/** What the plugins offer; asked when a config is read. */
export interface PluginStages {
  names(kind: StageKind): readonly string[];
  find(kind: StageKind, name: string): PluginStageClass | undefined;
}

export const noPluginStages: PluginStages = { names: () => [], find: () => undefined };

/** One of a chain's; whoever runs the chain asks the plugin, for many records at once. */
export class PluginStage {
  readonly kind: StageKind;
  readonly className: string;
  /** Its own keys as they were submitted. */
  readonly config: Readonly<Record<string, string>>;

  constructor(kind: StageKind, className: string, config: Readonly<Record<string, string>>) {
    this.kind = kind;
    this.className = className;
    this.config = config;
  }

  apply(): never {
    throw this.#alone();
  }

  test(): never {
    throw this.#alone();
  }

  #alone(): Error {
    return new Error(`${this.className} lives in a plugin and is never asked for one record`);
  }
}

/** As the classes that are built in. */
export function pluginStageFactory(
  kind: StageKind,
  { className, keys }: PluginStageClass,
): StageFactory<PluginStage> {
  return {
    className,
    keys,
    // Nobody knows what a plugin's code looks at.
    touches: ["key", "value", "headers"],
    create: (settings: StageSettings) => new PluginStage(kind, className, settings.submitted),
  };
}
