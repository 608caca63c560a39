import { once } from "node:events";
import { errorLine } from "../base/error.ts";
import { startHost } from "../host.ts";
import type { RunningHost } from "../running-host.ts";
import { askedToStop } from "./asked-to-stop.ts";
import { readConnectorFile } from "./connector-file.ts";
import { readPropertiesFile } from "./properties-file.ts";

/**
 * Runs a worker until SIGINT or SIGTERM, then drains it. A second signal ends it at once.
 * @throws ConfigError for files and values; whatever kept the host from starting.
 */
export async function standalone(workerFile: string, connectorFiles: string[]): Promise<void> {
  const worker = await readPropertiesFile(workerFile);
  const connectors = [];
  for (const path of connectorFiles) connectors.push(await readConnectorFile(path));
  const asked = askedToStop();
  const host = await startHost(worker);
  try {
    for (const { name, config, initialState } of connectors) {
      await host.putConnector(name, config, initialState);
    }
    const stopped = asked.aborted ? undefined : once(asked, "abort");
    await Promise.race([stopped, host.failed]);
  } finally {
    await stop(host);
  }
}

async function stop(host: RunningHost): Promise<void> {
  try {
    await host.stop();
  } catch (error) {
    process.stderr.write(`bulkhead: the host did not stop cleanly: ${errorLine(error)}\n`);
    process.exitCode = 3;
  }
}
