import { once } from "node:events";
import { ConfigError, type ConfigProblem, errorLine, TaskError } from "../base/error.ts";
import { startHost } from "../host.ts";
import type { RunningHost } from "../running-host.ts";
import { askedToStop } from "./asked-to-stop.ts";
import { problemsOf } from "./config-problems.ts";
import { type ConnectorFile, readConnectorFile } from "./connector-file.ts";
import { readPropertiesFile } from "./properties-file.ts";

/**
 * Runs a worker until SIGINT or SIGTERM, then drains it. A second signal ends it at once. The
 * connectors of the files start when nothing is wrong with any of them.
 * @throws ConfigError for files and values; whatever kept the host from starting.
 */
export async function standalone(workerFile: string, connectorFiles: string[]): Promise<void> {
  const worker = await readPropertiesFile(workerFile);
  const connectors: ConnectorFile[] = [];
  for (const path of connectorFiles) connectors.push(await readConnectorFile(path));
  refuseSameName(connectors);
  const asked = askedToStop();
  const host = await startHost(worker, {
    source: `the worker config file ${workerFile}`,
    // What is not a terminal is kept: a file, a pipe to a journal.
    tellPerson: (text) => void (process.stdout.isTTY && process.stdout.write(text)),
  });
  try {
    // A plugin that is started by hand may be the first to know the class.
    for (const { config } of connectors) await host.awaitClass(config, asked);
    if (!asked.aborted) await checkConnectors(host, connectors);
    for (const connector of connectors) if (!asked.aborted) await putConnector(host, connector);
    const stopped = asked.aborted ? undefined : once(asked, "abort");
    await Promise.race([stopped, host.failed]);
  } finally {
    await stop(host);
  }
}

async function putConnector(host: RunningHost, connector: ConnectorFile): Promise<void> {
  const { name, path, config, initialState } = connector;
  try {
    await host.putConnector(name, config, initialState);
  } catch (cause) {
    throw new TaskError("command.connector_failed", `cannot start connector ${name} of ${path}`, {
      cause,
    });
  }
}

/** The second would silently take the place of the first. */
function refuseSameName(connectors: readonly ConnectorFile[]): void {
  const pathOf = new Map<string, string>();
  for (const { name, path } of connectors) {
    const first = pathOf.get(name);
    if (first !== undefined) {
      throw new ConfigError(
        "config.file_invalid",
        `cannot use the connector files ${first} and ${path} together: both name the connector ${name}`,
        { hint: "give one of them another name" },
      );
    }
    pathOf.set(name, path);
  }
}

/** @throws ConfigError with the problems of all files. */
async function checkConnectors(
  host: RunningHost,
  connectors: readonly ConnectorFile[],
): Promise<void> {
  const problems: ConfigProblem[] = [];
  for (const { name, path, config } of connectors) {
    try {
      await host.checkConnector(name, config);
    } catch (error) {
      // A rule that concerns two keys is told for each of them.
      const ofKey = new Map(problemsOf(error).map(({ key, message }) => [message, key]));
      for (const [message, key] of ofKey) problems.push({ key, message: `${path}: ${message}` });
    }
  }
  if (problems.length === 0) return;
  const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
  const message = `cannot start the connectors of the command line: ${count}`;
  throw new ConfigError("config.invalid", message, { problems });
}

async function stop(host: RunningHost): Promise<void> {
  try {
    await host.stop();
  } catch (error) {
    process.stderr.write(`bulkhead: the host did not stop cleanly: ${errorLine(error)}\n`);
    process.exitCode = 3;
  }
}
