import type { SinkClass } from "./sink.ts";
import type { SourceClass } from "./source.ts";

/** A declared connector class: made by `source` or `sink`. */
export type PluginClass = SourceClass | SinkClass;

/** A plugin: one program with one or more classes. */
export interface Plugin {
  readonly name: string;
  readonly version: string;
  readonly classes: readonly PluginClass[];
}
