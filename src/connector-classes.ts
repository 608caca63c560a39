/** The plugin catalog as those see it who start, check and show connectors: sources and sinks. */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { SubmittedConfig } from "./config/parse.ts";
import { pluginDescText } from "./config/validate-connector.ts";
import { parseVersionWish } from "./config/version-range.ts";
import type { Logger } from "./observe/logger.ts";
import type {
  AttachedPlugins,
  PluginCatalog,
  PluginClass,
  PluginProcesses,
  WantedClass,
} from "./plugin/plugin.ts";

const kinds = ["source", "sink"] as const;
/** How long a check waits for a class that nobody has, while plugins are being asked what they offer. */
const lookMsMax = 5_000;

/** By the `connector.class` and `connector.plugin.version` of a config, or by name. */
export class ConnectorClasses {
  readonly #catalog: PluginCatalog;
  readonly #attached: Pick<AttachedPlugins, "arrival" | "list"> | undefined;

  constructor(catalog: PluginCatalog, attached?: Pick<AttachedPlugins, "arrival" | "list">) {
    this.#catalog = catalog;
    this.#attached = attached;
  }

  /** The newest that the config asks for, as of the last look. */
  find(config: SubmittedConfig): PluginClass | undefined {
    const { name, wish } = wanted(config);
    return this.#catalog.find(name, kinds, wish);
  }

  /** A connector of this config will need a process soon, if nothing is wrong with it. */
  startAhead(config: SubmittedConfig, processes: Pick<PluginProcesses, "startAhead">): void {
    const found = this.find(config);
    if (found !== undefined) processes.startAhead(found.plugin);
  }

  /** The newest, as of the last look. */
  findByName(name: string): PluginClass | undefined {
    return this.#catalog.find(name, kinds);
  }

  /** Every version, the newest first, as of the last look. */
  versions(name: string): readonly PluginClass[] {
    return this.#catalog.versions(name, kinds);
  }

  /** See `PluginCatalog.look`; without a signal for a few seconds. */
  look(config: SubmittedConfig, signal = AbortSignal.timeout(lookMsMax)): Promise<void> {
    return this.#catalog.look({ ...wanted(config), signal });
  }

  /** Until it is found, no plugin that is still to attach may have it, or the signal fires. */
  async awaitClass(config: SubmittedConfig, logger: Logger, signal: AbortSignal): Promise<void> {
    for (let isTold = false; !signal.aborted && this.find(config) === undefined; isTold = true) {
      const unknown = (this.#attached?.list() ?? []).filter((one) => one.isUnknown);
      if (unknown.length === 0) return;
      const connect = unknown.map((one) => one.connect).join(" or ");
      const text = `no plugin has class ${config["connector.class"]}, but one to attach may`;
      if (!isTold) logger.info(`${text}: start it with ${connect}`);
      await this.#attached?.arrival(undefined, signal);
      await this.look(config, signal);
    }
  }

  /** For the text about an unknown class. */
  describe(): string {
    const { classes } = this.#catalog;
    const known = pluginDescText(
      classes.map((one) => ({
        ...one,
        location: one.plugin.program ?? `${one.plugin.directory}/`,
      })),
    );
    const away = (this.#attached?.list() ?? []).filter(({ state }) => state.at === "away");
    const hints = away.map(
      ({ name, connect }) => `; plugin ${name} is not attached: start it with ${connect}`,
    );
    return [known, ...hints].join("");
  }
}

function wanted(config: SubmittedConfig): Omit<WantedClass, "signal"> & { name: string } {
  const wish = parseVersionWish(config["connector.plugin.version"]);
  return { name: config["connector.class"] ?? "", kinds, wish };
}

/** `plugin.cache.dir`, or where this user's programs keep what they can find out again. */
export function pluginCacheDirectory(
  configured: string,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  return configured === "" ? ownCache("plugins", environment) : resolve(configured);
}

/** `plugin.attach.dir`, or beside the above. */
export function attachDirectory(
  configured: string,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  return configured === "" ? ownCache("attach", environment) : resolve(configured);
}

function ownCache(name: string, environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_CACHE_HOME"] ?? "";
  // A relative one is to be ignored, says the XDG base directory specification.
  return join(isAbsolute(base) ? base : join(homedir(), ".cache"), "bulkhead", name);
}
