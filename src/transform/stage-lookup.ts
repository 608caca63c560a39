/** What the text under a `type` stands for, and what Connect says of a class that cannot stand there. */
import {
  type StageClasses,
  type StageKind,
  type StageLookup,
  stageInterfaces,
} from "../config/stage-keys.ts";
import { findConverter } from "../convert/converters.ts";
import { type PluginStage, type PluginStages, pluginStageFactory } from "./plugin-stage.ts";
import {
  findPredicate,
  findTransform,
  type Lookup,
  predicateFactories,
  transformFactories,
} from "./stage-classes.ts";
import type { PredicateFactory, StageFactory, TransformFactory } from "./transform.ts";

/** A class of transforms by what a config calls it, already trimmed. Those that are built in come first. */
export function lookUpTransform(
  name: string,
  plugins: PluginStages,
): StageLookup<TransformFactory> {
  return lookUp("transforms", name, findTransform(name), plugins);
}

/** As `lookUpTransform`. */
export function lookUpPredicate(
  name: string,
  plugins: PluginStages,
): StageLookup<PredicateFactory> {
  return lookUp("predicates", name, findPredicate(name), plugins);
}

/** All of them, for a connector's validation. */
export function stageClasses(plugins: PluginStages): StageClasses {
  return {
    names: (kind) => {
      const own = kind === "transforms" ? transformFactories : predicateFactories;
      return [...own.map(({ className }) => className), ...plugins.names(kind)].sort();
    },
    find: (kind, name) =>
      kind === "transforms" ? lookUpTransform(name, plugins) : lookUpPredicate(name, plugins),
  };
}

function lookUp<T>(
  kind: StageKind,
  name: string,
  found: Lookup<T>,
  plugins: PluginStages,
): StageLookup<StageFactory<T | PluginStage>> {
  if (found.at === "found") return { at: "found", stage: found.factory };
  const ofPlugin = found.at === "missing" ? plugins.find(kind, name) : undefined;
  if (ofPlugin !== undefined) return { at: "found", stage: pluginStageFactory(kind, ofPlugin) };
  if (found.at === "wrong") return { at: "unfit", className: name, message: found.message };
  if (interfaces.includes(name)) return { at: "unfit", className: name, message: isAbstract };
  const other = otherClass(name);
  if (other === undefined) return { at: "missing" };
  const wanted = stageInterfaces[kind];
  const message = `Class class ${other} does not implement the ${wanted} interface`;
  return { at: "unfit", className: other, message };
}

const isAbstract = "This class is abstract and cannot be created.";

const interfaces = [
  "org.apache.kafka.connect.transforms.Transformation",
  "org.apache.kafka.connect.transforms.predicates.Predicate",
];

/** The full name of a class that is there, though it is not of the kind that is asked for. */
function otherClass(name: string): string | undefined {
  if (/^java\.lang\.(Object|String|Integer|Long|Boolean)$/.test(name)) return name;
  for (const found of [findTransform(name), findPredicate(name)]) {
    if (found.at === "found") return found.factory.className;
  }
  return findConverter(name)?.className;
}
