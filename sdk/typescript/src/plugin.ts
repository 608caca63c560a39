import type { SinkClass } from "./sink.ts";
import type { SourceClass } from "./source.ts";
import type { StageClass } from "./stage.ts";

/** A declared connector class: made by `source` or `sink`. */
export type ConnectorClass = SourceClass | SinkClass;

/** A declared class: a connector's, or made by `transform`, `predicate`, `converter` or `headerConverter`. */
export type PluginClass = ConnectorClass | StageClass;

/** A plugin: one program with one or more classes. */
export interface Plugin {
  readonly name: string;
  readonly version: string;
  readonly classes: readonly PluginClass[];
}
