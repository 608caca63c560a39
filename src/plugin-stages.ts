/** The transforms and predicates of plugins, between the catalogue and the chains that name them. */
import type { StageKind } from "./config/stage-keys.ts";
import type { PluginCatalog, PluginClass, PluginKind } from "./plugin/plugin.ts";
import type { PluginStages } from "./transform/plugin-stage.ts";

const pluginKinds: Readonly<Record<StageKind, PluginKind>> = {
  transforms: "transformation",
  predicates: "predicate",
};

/** What the catalogue has now, each time it is asked. */
export function pluginStagesOf(catalog: Pick<PluginCatalog, "find" | "classes">): PluginStages {
  return {
    names: (kind) => {
      const classes = catalog.classes.filter((each) => each.kind === pluginKinds[kind]);
      return [...new Set(classes.map(({ className }) => className))];
    },
    find: (kind, name) => {
      const found = pluginStageClass(catalog, kind, name);
      return found && { className: found.className, keys: found.config };
    },
  };
}

/** The class with the plugin that has it. */
export function pluginStageClass(
  catalog: Pick<PluginCatalog, "find">,
  kind: StageKind,
  name: string,
): PluginClass | undefined {
  return catalog.find(name, [pluginKinds[kind]]);
}
