/** The REST server on a free port, over a herder in memory and the file connectors. */
import type { SubmittedConfig } from "../../src/config/parse.ts";
import { pluginDescText, validateConnector } from "../../src/config/validate-connector.ts";
import { logLevelsFrom } from "../../src/observe/log-levels.ts";
import { LogRings } from "../../src/observe/log-rings.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import type { RestServer } from "../../src/rest/rest.ts";
import { createRestServer, type RestOptions } from "../../src/rest/server.ts";
import { noPluginStages } from "../../src/transform/plugin-stage.ts";
import { stageClasses } from "../../src/transform/stage-lookup.ts";
import { fileCatalog, fileClasses } from "./file-catalog.ts";
import { MemoryHerder, type MemoryHerderParts } from "./memory-herder.ts";

const json = "org.apache.kafka.connect.json.JsonConverter";

/** Validation as a worker with JsonConverter would do it. */
export function validateFile(config: SubmittedConfig) {
  return validateConnector(config, {
    versions: (name) => fileCatalog.versions(name, ["source", "sink"]),
    available: () =>
      pluginDescText(fileClasses.map((each) => ({ ...each, location: each.plugin.directory }))),
    worker: {
      keyConverter: json,
      valueConverter: json,
      headerConverter: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
      converterVersion: "4.1.1",
    },
    stages: async () => stageClasses(noPluginStages),
  });
}

/** Whatever is not said is as a worker's defaults. */
export function startMemoryRest(
  options: Partial<RestOptions> = {},
  herder: Partial<MemoryHerderParts> = {},
): Promise<RestServer> {
  return createRestServer({
    herder: new MemoryHerder({ catalog: fileCatalog, validate: validateFile, ...herder }),
    catalog: fileCatalog,
    validate: validateFile,
    listeners: [{ protocol: "http", host: "127.0.0.1", port: 0 }],
    version: "4.1.1",
    commit: "0000000000000000",
    hostVersion: "0.1.0",
    log: { logger: silentLogger(), levels: logLevelsFrom("info"), rings: new LogRings() },
    ...options,
  });
}
