/** The log that a command looks into: a cluster, or the folder of an embedded log. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ConfigError } from "../base/error.ts";
import { kafkaClients, withoutPrefix } from "../config/kafka-clients.ts";
import { openEmbedded } from "../embedded/embedded.ts";
import { takeSnapshot } from "../embedded/snapshot.ts";
import type { ClientConfig, Kafka } from "../kafka/kafka.ts";
import { createLogger, type Logger } from "../observe/logger.ts";
import { readPropertiesFile } from "./properties-file.ts";

/** What the command line says of it. */
export interface LogOptions {
  /** `host:port,…` or `embedded:<folder>`; goes before the file. */
  readonly bootstrapServer?: string;
  /** A worker file, for its bootstrap.servers and how to connect. */
  readonly config?: string;
}

/** What a command wants to do with it. */
export type LogUse =
  /** A folder that holds no embedded log yet becomes one. */
  | { readonly at: "write" }
  | { readonly at: "change" }
  /** A folder that a host has open is copied, the records of these topics only. */
  | { readonly at: "look"; readonly topics?: readonly string[] };

/** An open log, and what the worker file says of its clients. */
export interface LogAccess {
  readonly kafka: Kafka;
  /** The file's `producer.*`. */
  readonly producer: ClientConfig;
  /** The file's `consumer.*`. */
  readonly consumer: ClientConfig;
}

/**
 * Opens it; close it when done.
 * @throws ConfigError where nothing says which log, or there is none
 */
export async function openLogOf(options: LogOptions, use: LogUse): Promise<LogAccess> {
  const properties = options.config === undefined ? {} : await readPropertiesFile(options.config);
  return {
    kafka: await openKafkaOf(options, properties, use),
    producer: withoutPrefix(properties, "producer."),
    consumer: withoutPrefix(properties, "consumer."),
  };
}

async function openKafkaOf(
  options: LogOptions,
  properties: Readonly<Record<string, string>>,
  use: LogUse,
): Promise<Kafka> {
  const servers = options.bootstrapServer ?? properties["bootstrap.servers"];
  if (servers === undefined || servers.trim() === "") {
    throw new ConfigError("config.invalid", "cannot tell which log is meant", {
      hint:
        "add --bootstrap-server HOST:PORT, --bootstrap-server embedded:FOLDER, " +
        "or --config with the worker file of a host",
    });
  }
  const [, folder] = /^embedded:(.+)$/.exec(servers.trim()) ?? [];
  if (folder === undefined) return openCluster(servers, properties);
  const directory = resolve(folder);
  if (use.at !== "write") await assertLog(directory);
  try {
    return await openEmbedded({ directory });
  } catch (error) {
    const isLocked = error instanceof ConfigError && error.code === "embedded.folder_locked";
    if (!isLocked || use.at !== "look") throw error;
    return openCopy(directory, use.topics);
  }
}

/** What the host had written when the copy was taken. */
async function openCopy(directory: string, topics: readonly string[] = []): Promise<Kafka> {
  const copy = await takeSnapshot(directory, topics);
  try {
    const kafka = await openEmbedded({ directory: copy.directory });
    const close = kafka.close.bind(kafka);
    kafka.close = async () => {
      await close();
      await copy.remove();
    };
    return kafka;
  } catch (error) {
    await copy.remove();
    throw error;
  }
}

/** What goes wrong comes as an error of what was asked; only what is waited for is told meanwhile. */
async function openCluster(
  bootstrapServers: string,
  properties: Readonly<Record<string, string>>,
): Promise<Kafka> {
  const { openKafka } = await import("../kafka/open-kafka.ts");
  const { worker } = kafkaClients(properties);
  const config = { "default.api.timeout.ms": "15000", ...worker };
  return openKafka({ bootstrapServers, config, clientId: "bulkhead", logger: waitLogger() });
}

/** Says on stderr what a command waits for once that lasts some seconds. */
function waitLogger(): Logger {
  const write = (line: string) => {
    const { msg, lastedMs, err, reason = err?.message } = JSON.parse(line);
    if (lastedMs === undefined) return;
    process.stderr.write(`${msg} (for ${Math.round(lastedMs / 1_000)} s): ${reason}\n`);
  };
  return createLogger({ level: "warn", destination: { write } });
}

async function assertLog(directory: string): Promise<void> {
  const found = await stat(join(directory, "topics")).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new ConfigError(
    "embedded.folder_unusable",
    `cannot look into ${directory}: there is no embedded log in it`,
    { hint: "name the folder that the worker file's bootstrap.servers=embedded:<folder> names" },
  );
}
