import { pluginKindOrder } from "../config/plugin-kind.ts";
import { compareVersions, meetsWish } from "../config/version-range.ts";
import type { PluginCatalog, PluginClass, PluginKind, UnusablePlugin } from "./plugin.ts";

/** What is known at one moment. */
export type CatalogSnapshot = Omit<PluginCatalog, "look">;

const suffixes: Record<PluginKind, string> = {
  sink: "Connector",
  source: "Connector",
  transformation: "Transformation",
  predicate: "Predicate",
  converter: "Converter",
  header_converter: "HeaderConverter",
};

/** Finds classes by every name that Connect accepts; of several versions the newest. */
export function createCatalog(
  found: readonly PluginClass[],
  unusable: readonly UnusablePlugin[],
): CatalogSnapshot {
  const classes = [...found].sort(byKindAndName);
  const byName = new Map<string, PluginClass[]>();
  for (const one of classes) add(byName, one.className, one);
  const byAlias = new Map<string, Set<string>>();
  for (const one of classes) {
    for (const alias of aliasesOf(one)) {
      const names = byAlias.get(alias) ?? new Set();
      byAlias.set(alias, names.add(one.className));
    }
  }
  const versions = (name: string, kinds?: readonly PluginKind[]) => {
    const className = byName.has(name) ? name : onlyOne(byAlias.get(name));
    const found = byName.get(className ?? "") ?? [];
    return found.filter((one) => kinds === undefined || kinds.includes(one.kind));
  };
  return {
    classes,
    unusable,
    versions,
    find(name, kinds, wish = { at: "any" }) {
      return versions(name, kinds).find((one) => meetsWish(one.version, wish));
    },
  };
}

/** A plugin and the file that says so. */
export interface FoundPlugin {
  readonly path: string;
  readonly classes: readonly PluginClass[];
}

/** Of a class that is there twice in one version the first counts; the other is told. */
export function withoutTwins(plugins: readonly FoundPlugin[]): {
  classes: readonly PluginClass[];
  unusable: readonly UnusablePlugin[];
} {
  const places = new Map<string, { one: PluginClass; path: string }[]>();
  const classes: PluginClass[] = [];
  const unusable: UnusablePlugin[] = [];
  for (const { path, classes: offered } of plugins) {
    for (const one of offered) {
      const known = places.get(one.className) ?? [];
      const twin = known.find((each) => compareVersions(each.one.version, one.version) === 0);
      if (twin === undefined) {
        places.set(one.className, [...known, { one, path }]);
        classes.push(one);
      } else {
        const what = `${one.className} ${one.version}`.trim();
        const reason = `class ${what} is in ${twin.path} already, which is the one that is used`;
        unusable.push({ path, reason });
      }
    }
  }
  return { classes, unusable };
}

function byKindAndName(a: PluginClass, b: PluginClass): number {
  const order = pluginKindOrder.indexOf(a.kind) - pluginKindOrder.indexOf(b.kind);
  if (order !== 0) return order;
  if (a.className !== b.className) return a.className < b.className ? -1 : 1;
  return compareVersions(b.version, a.version);
}

function add(byName: Map<string, PluginClass[]>, name: string, one: PluginClass): void {
  const known = byName.get(name);
  if (known === undefined) byName.set(name, [one]);
  else known.push(one);
}

/** An alias of several classes is nobody's. */
function onlyOne(names: ReadonlySet<string> | undefined): string | undefined {
  return names?.size === 1 ? [...names][0] : undefined;
}

/** The simple name (of a nested class the inner one), the same without its suffix, and its own. */
function aliasesOf({ className, kind, aliases }: PluginClass): string[] {
  const simple = /[^.$]*$/.exec(className)?.[0] ?? className;
  const at = simple.lastIndexOf(suffixes[kind]);
  const short = at > 0 ? simple.slice(0, at) : simple;
  return [simple, short, ...aliases].filter((alias) => alias !== "" && alias !== className);
}
