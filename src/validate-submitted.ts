import { connectVersion } from "./base/version.ts";
import type { SubmittedConfig } from "./config/parse.ts";
import { validateConnector } from "./config/validate-connector.ts";
import type { ConfigInfos } from "./config/validation.ts";
import type { WorkerConfig } from "./config/worker-config.ts";
import type { ConnectorClasses } from "./connector-classes.ts";
import type { PluginCatalog, PluginProcesses } from "./plugin/plugin.ts";
import { pluginStagesOf } from "./plugin-stages.ts";

/** What must be known of a worker to judge a connector's config. */
export interface ValidationScene {
  readonly config: Pick<WorkerConfig, "keyConverter" | "valueConverter" | "headerConverter">;
  readonly catalog: PluginCatalog;
  readonly classes: ConnectorClasses;
  readonly processes: Pick<PluginProcesses, "validate">;
  readonly signal: AbortSignal;
}

/** As every create and change is checked. @throws RequestError (400) for an unknown class */
export async function validateSubmitted(
  submitted: SubmittedConfig,
  { catalog, config, classes, processes, signal }: ValidationScene,
): Promise<ConfigInfos> {
  const { keyConverter, valueConverter, headerConverter } = config;
  await classes.look(submitted);
  return validateConnector(submitted, {
    versions: (name) => classes.versions(name),
    available: () => classes.describe(),
    worker: {
      keyConverter: keyConverter.className,
      valueConverter: valueConverter.className,
      headerConverter: headerConverter.className,
      converterVersion: connectVersion,
    },
    stages: async () =>
      (await import("./transform/stage-lookup.ts")).stageClasses(pluginStagesOf(catalog)),
    validatePlugin: (found, given) => processes.validate(found, given, signal),
  });
}
