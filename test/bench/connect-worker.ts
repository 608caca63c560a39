/** A worker to measure: this one, or Apache Kafka Connect's standalone worker, with the same connectors. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startHost } from "../harness/host-process.ts";
import { freePorts } from "../harness/kafka/free-ports.ts";
import { endJavaTool } from "../harness/kafka/java-tool.ts";
import { guard } from "../harness/kafka/jvm.ts";
import type { KafkaJars } from "../harness/kafka/kafka-jars.ts";
import { waitFor } from "../harness/wait-for.ts";
import { createConnector, pluginPath, taskOf } from "./bench-host.ts";

type Settings = Readonly<Record<string, string>>;

/** A worker that runs. */
export interface ConnectWorker {
  /** @throws Error with the worker's answer when it refuses the config */
  create(name: string, config: Settings): Promise<void>;
  /** The processes that a connector's records cost: the worker's, and its plugin's if it has one. */
  pids(name: string): Promise<readonly number[]>;
  /** @throws Error when the connector's task has failed */
  check(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one; its files go into the folder. */
export type StartWorker = (directory: string, settings: Settings) => Promise<ConnectWorker>;

/** What both are told; defaults stay as they are. */
function common(directory: string, settings: Settings): Settings {
  return {
    "offset.storage.file.filename": join(directory, "offsets"),
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    ...settings,
  };
}

/** This checkout's worker. */
export const startBulkhead: StartWorker = async (directory, settings) => {
  const usual = { "plugin.path": pluginPath, "offset.flush.interval.ms": "60000" };
  const host = await startHost({ directory, worker: { ...common(directory, settings), ...usual } });
  return {
    create: (name, config) => createConnector(host, name, config),
    pids: async (name) => [host.pid, await host.pidOf(name)],
    check: async (name) => {
      await taskOf(host, name);
    },
    stop: async () => {
      await host.stop();
    },
  };
};

/** As Connect's own script starts a JVM. */
const jvmFlags = ["-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"];
const javaFolder = fileURLToPath(new URL("java", import.meta.url));
const runFile = promisify(execFile);
const startMsMax = 120_000;

/** Apache's worker with the connectors of `java/`. */
export function startApache(jars: KafkaJars): StartWorker {
  return async (directory, settings) => {
    const classes = await compiled(directory, jars);
    const [port = 0] = await freePorts(1);
    const url = `http://127.0.0.1:${port}`;
    const file = join(directory, "apache.properties");
    const worker = { ...common(directory, settings), listeners: url };
    const lines = Object.entries(worker).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(file, lines.join(""));
    const logging = jars.jvmArgs.filter((flag) => flag.startsWith("-Dlog4j2"));
    const flags = [...jvmFlags, ...logging, "-cp", `${jars.classpath}:${classes}`];
    const args = [...flags, "org.apache.kafka.connect.cli.ConnectStandalone", file];
    const child = spawn("java", args, { stdio: ["ignore", "inherit", "inherit"] });
    guard(child);
    const apache = new ApacheWorker(child, url);
    await apache.isUp();
    return apache;
  };
}

async function compiled(directory: string, jars: KafkaJars): Promise<string> {
  const classes = join(directory, "classes");
  await mkdir(classes, { recursive: true });
  const files = ["DatagenSource", "NullSink"].map((name) =>
    join(javaFolder, "bench", `${name}.java`),
  );
  await runFile("javac", ["-cp", jars.classpath, "-d", classes, ...files]);
  return classes;
}

class ApacheWorker implements ConnectWorker {
  readonly #child: ChildProcess;
  readonly #url: string;

  constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  async isUp(): Promise<void> {
    const answers = () =>
      fetch(`${this.#url}/connectors`)
        .then(({ ok }) => ok)
        .catch(() => false);
    await waitFor(answers, { withinMs: startMsMax, everyMs: 200, what: "Apache's worker" });
  }

  async create(name: string, config: Settings): Promise<void> {
    const response = await fetch(`${this.#url}/connectors`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, config: { "tasks.max": "1", ...config } }),
    });
    if (response.status !== 201) throw new Error(`cannot create ${name}: ${await response.text()}`);
  }

  async pids(): Promise<readonly number[]> {
    return [this.#child.pid as number];
  }

  async check(name: string): Promise<void> {
    const response = await fetch(`${this.#url}/connectors/${name}/status`);
    const { tasks = [] } = (await response.json()) as {
      tasks?: { state: string; trace?: string }[];
    };
    const failed = tasks.find(({ state }) => state === "FAILED");
    if (failed !== undefined) throw new Error(`${name} failed at Apache's worker: ${failed.trace}`);
  }

  stop(): Promise<void> {
    return endJavaTool(this.#child);
  }
}
