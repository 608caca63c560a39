/** A host to measure: throw-away folder, default settings, connectors made over REST. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HostProcess, repository, startHost, type TaskView } from "../harness/host-process.ts";

export const topic = "bench";

export const pluginPath = [
  join(repository, "plugins"),
  join(repository, "test", "bench", "plugins"),
].join(",");

/** Runs the work in a folder of its own, which is removed afterwards. */
export async function inFolder<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-bench-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Runs the work on a host that keeps its data in the folder, and stops it. */
export async function withHost<T>(
  directory: string,
  worker: Readonly<Record<string, string>>,
  work: (host: HostProcess) => Promise<T>,
): Promise<T> {
  // Tests commit far more often than a worker does by default.
  const usual = { "plugin.path": pluginPath, "offset.flush.interval.ms": "60000" };
  const host = await startHost({ directory, worker: { ...usual, ...worker } });
  try {
    return await work(host);
  } finally {
    await host.stop();
  }
}

/** @throws Error with the answer when the host refuses it. */
export async function createConnector(
  host: HostProcess,
  name: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const body = { name, config: { "tasks.max": "1", ...config } };
  const answer = await host.request("POST", "/connectors", body);
  if (answer.status === 201) return;
  throw new Error(`cannot create ${name}: ${JSON.stringify(answer.body)}`);
}

/** The connector's only task. @throws Error with the end of the log when it failed. */
export async function taskOf(host: HostProcess, connector: string): Promise<TaskView | undefined> {
  const task = (await host.tasks()).find((one) => one.connector === connector);
  if (task?.state === "FAILED") throw new Error(host.log.slice(-20).join("\n"));
  return task;
}

/** A source of made-up bytes; further keys go over these. */
export function datagen(config: Readonly<Record<string, string>>): Record<string, string> {
  return {
    "connector.class": "bench.DatagenSource",
    topic,
    "value.converter": byteArrayConverter,
    ...config,
  };
}

/** A sink that counts; further keys go over these. */
export function blackhole(config: Readonly<Record<string, string>>): Record<string, string> {
  return {
    "connector.class": "bench.NullSink",
    topics: topic,
    "value.converter": byteArrayConverter,
    ...config,
  };
}

export const byteArrayConverter = "org.apache.kafka.connect.converters.ByteArrayConverter";
