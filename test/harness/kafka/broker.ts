/**
 * Real Apache Kafka for tests: a broker of one's own, or the one that a whole run shares. The jars come
 * from `kafka-jars.ts`; whatever is started here ends with this process, even if that is killed.
 */
import type { ChildProcess } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../wait-for.ts";
import { askVersions } from "./ask-broker.ts";
import { type BrokerPorts, type BrokerSettings, brokerProperties } from "./broker-properties.ts";
import { testCertificates } from "./certificates.ts";
import { freePorts } from "./free-ports.ts";
import { startJvm } from "./jvm.ts";
import { type KafkaJars, kafkaJars } from "./kafka-jars.ts";
import { type SecureListener, secureConfig, secureListeners } from "./secure-listeners.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** A start takes 3 s alone on a quiet machine. */
const startMsMax = 60_000;
const shutDownMsMax = 20_000;
const startsMax = 3;

/** How a broker differs from the shared one. */
export interface BrokerOptions {
  /** Any keys of `server.properties`; they win over the harness's own. */
  config?: Readonly<Record<string, string>>;
  /** Where clients are told to connect instead: the port of a proxy. The harness and the Java tools go around it. */
  advertisedPort?: number;
  /** Put `broker.proxy` in front of it, which clients go through. */
  proxied?: boolean;
  /**
   * Open a listener of each kind in `secure-listeners.ts` too; their certificates are
   * `testCertificates()`. With `connections.max.reauth.ms` in `config` a login ends after a while.
   */
  secure?: boolean;
  heapMbMax?: number;
  /**
   * No file of it may grow beyond (`ulimit -f`), at least 11 MiB: a larger partition fails as on a full
   * disk, with KAFKA_STORAGE_ERROR and the loss of its folder. The broker has two, and lives on with the
   * other one; `start({ room: true })` after its end brings all back.
   */
  fileBytesMax?: number;
}

/** Where a node stands in its cluster. */
export interface BrokerPlace {
  id: number;
  ports: BrokerPorts;
  clusterId: string;
  voters: readonly { id: number; port: number }[];
  replicas: number;
}

/** Starts a node of its own cluster; resolves once it answers. @throws Error with the end of its log */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  for (let tries = 1; ; tries += 1) {
    const broker = await reserveBroker(options);
    try {
      await broker.start();
      return broker;
    } catch (error) {
      await broker.stop();
      // Somebody else took a port between the look and the start.
      if (tries === startsMax || !String(error).includes("Address already in use")) throw error;
    }
  }
}

/** A node of its own cluster that is to be started later: its addresses are known, and nobody is there. */
export async function reserveBroker(options: BrokerOptions = {}): Promise<Broker> {
  const [client, internal, controller] = await freePorts(3);
  const ports = { client: client!, internal: internal!, controller: controller! };
  const voters = [{ id: 1, port: ports.controller }];
  return makeBroker({ id: 1, ports, clusterId: newClusterId(), voters, replicas: 1 }, options);
}

/** What `kafka-storage random-uuid` gives. */
export function newClusterId(): string {
  return randomBytes(16).toString("base64url").replace(/^-/, "A");
}

/** A node with its files in place, not yet started. @throws Error when this machine lacks Kafka */
export async function makeBroker(place: BrokerPlace, options: BrokerOptions): Promise<Broker> {
  const { jars, missing } = await kafkaJars();
  if (jars === undefined) throw new Error(`cannot start a Kafka broker: ${missing}`);
  const folder = await mkdtemp(join(tmpdir(), "bulkhead-kafka-"));
  const data = join(folder, "data");
  const proxy = options.proxied === true ? await startTcpProxy(place.ports.client) : undefined;
  const advertisedPort = proxy?.port ?? options.advertisedPort;
  const secure = options.secure === true ? await secured() : undefined;
  const folders = [data];
  const config: Record<string, string> = { ...secure?.config };
  if (options.fileBytesMax !== undefined) {
    const [second, metadata] = [join(folder, "data-2"), join(folder, "metadata")];
    folders.push(second, metadata);
    Object.assign(config, { "log.dirs": `${data},${second}`, "metadata.log.dir": metadata });
  }
  Object.assign(config, options.config);
  const settings = { ...place, ...secure, ...options, config, data, advertisedPort };
  const broker = new Broker(jars, folder, settings, proxy);
  for (const each of folders) await format(jars, each, place);
  await writeFile(broker.propertiesFile, brokerProperties(settings));
  return broker;
}

async function format(jars: KafkaJars, data: string, place: BrokerPlace): Promise<void> {
  await cp(jars.formatted, data, { recursive: true });
  const meta = { version: 1, "node.id": place.id, "cluster.id": place.clusterId };
  const lines = Object.entries({ ...meta, "directory.id": newClusterId() });
  const text = lines.map(([key, value]) => `${key}=${value}\n`).join("");
  await writeFile(join(data, "meta.properties"), text);
}

async function secured(): Promise<Required<Pick<BrokerSettings, "listeners" | "config">>> {
  const names = Object.keys(secureListeners) as SecureListener[];
  const ports = await freePorts(names.length);
  const listeners = names.map((name, index) => [
    name,
    { port: ports[index]!, protocol: secureListeners[name] },
  ]);
  return {
    listeners: Object.fromEntries(listeners),
    config: secureConfig(await testCertificates()),
  };
}

type Settings = BrokerSettings & Omit<BrokerOptions, "advertisedPort">;

/** A node. It can be ended and started again on the same ports with the same data. */
export class Broker {
  readonly id: number;
  readonly ports: BrokerPorts;
  /** What a client is configured with: through the proxy, if there is one. */
  readonly bootstrap: string;
  /** Around any proxy: for tools and for looking. */
  readonly direct: string;
  readonly folder: string;
  /** `log.dirs`, or the first of two with `fileBytesMax`. */
  readonly data: string;
  readonly logFile: string;
  readonly propertiesFile: string;
  readonly #listeners: NonNullable<BrokerSettings["listeners"]>;
  readonly #jars: KafkaJars;
  readonly #heapMbMax: number;
  readonly #fileBytesMax: number | undefined;
  readonly #proxy: TcpProxy | undefined;
  #child: ChildProcess | undefined;
  #isFrozen = false;

  constructor(jars: KafkaJars, folder: string, settings: Settings, proxy: TcpProxy | undefined) {
    const { id, ports, advertisedPort, data, heapMbMax = 256 } = settings;
    this.#proxy = proxy;
    this.#listeners = settings.listeners ?? {};
    this.id = id;
    this.ports = ports;
    this.bootstrap = `127.0.0.1:${advertisedPort ?? ports.client}`;
    this.direct = `127.0.0.1:${ports.internal}`;
    this.folder = folder;
    this.data = data;
    this.logFile = join(folder, "broker.log");
    this.propertiesFile = join(folder, "server.properties");
    this.#jars = jars;
    this.#heapMbMax = heapMbMax;
    this.#fileBytesMax = settings.fileBytesMax;
  }

  /** @throws Error unless it was started with `proxied` */
  get proxy(): TcpProxy {
    if (this.#proxy === undefined) throw new Error(`broker ${this.id} has no proxy`);
    return this.#proxy;
  }

  /** Where clients of a secure listener connect. @throws Error unless it was started with `secure` */
  secureBootstrap(listener: SecureListener): string {
    const port = this.#listeners[listener]?.port;
    if (port === undefined) throw new Error(`broker ${this.id} has no listener ${listener}`);
    return `127.0.0.1:${port}`;
  }

  /** Between `freeze` and `thaw`. */
  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, or starts it again, and waits until it answers. @throws Error with the end of its log */
  async start(how: { room?: boolean } = {}): Promise<void> {
    this.begin(how);
    await this.answers();
  }

  /** Starts the process only: the nodes of a cluster wait for each other. */
  begin({ room = false }: { room?: boolean } = {}): void {
    if (this.#child !== undefined) throw new Error(`broker ${this.id} is already running`);
    const heap = [`-Xms${this.#heapMbMax}m`, `-Xmx${this.#heapMbMax}m`];
    const flags = [...heap, "-Dtest.log.level=info", ...this.#jars.jvmArgs];
    const child = startJvm([...flags, "kafka.Kafka", this.propertiesFile], {
      logFile: this.logFile,
      folder: this.folder,
      fileBytesMax: room ? undefined : this.#fileBytesMax,
    });
    this.#child = child;
    child.once("exit", () => {
      if (this.#child === child) this.#child = undefined;
    });
    child.once("error", () => {
      if (this.#child === child) this.#child = undefined;
    });
  }

  /** Resolves once a request is answered. @throws Error with the end of its log */
  async answers(): Promise<void> {
    const deadline = performance.now() + startMsMax;
    for (;;) {
      if (this.#child === undefined)
        throw new Error(`broker ${this.id} ended:\n${await this.log()}`);
      const answer = await Promise.allSettled([
        askVersions(this.ports.client),
        new Promise((resolve) => setTimeout(resolve, 50)),
      ]);
      if (answer[0].status === "fulfilled") return;
      if (performance.now() < deadline) continue;
      throw new Error(`broker ${this.id} does not answer:\n${await this.log()}`);
    }
  }

  /** The end of what it logged. */
  async log(): Promise<string> {
    return (await readFile(this.logFile, "utf8").catch(() => "")).slice(-8_000);
  }

  /** Puts a file into its throw-away folder; the answer is its path. */
  async write(name: string, text: string): Promise<string> {
    const file = join(this.folder, name);
    await writeFile(file, text);
    return file;
  }

  /** SIGTERM: it hands its partitions over and leaves; `start` brings it back. */
  async shutDown(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.thaw();
    child.kill("SIGTERM");
    await ended(child, shutDownMsMax).catch(() => this.kill());
  }

  /** SIGKILL; `start` brings it back. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill("SIGKILL");
    this.#isFrozen = false;
    await ended(child, shutDownMsMax);
  }

  /** SIGSTOP: its sockets stay open and nothing answers, from when this resolves. */
  async freeze(): Promise<void> {
    this.#isFrozen = this.#child?.kill("SIGSTOP") ?? false;
    if (!this.#isFrozen || process.platform !== "linux") return;
    // The signal reaches its threads one by one, and one may still answer.
    await waitFor(() => threadStates(this.pid!).every((state) => state === "T"), {
      withinMs: 20_000,
      what: "all threads of the broker to stop",
    });
  }

  /** SIGCONT. */
  thaw(): void {
    this.#isFrozen = false;
    this.#child?.kill("SIGCONT");
  }

  /** Ends it for good and removes what it wrote. */
  async stop(): Promise<void> {
    await this.kill();
    await this.#proxy?.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function ended(child: ChildProcess, withinMs: number): Promise<void> {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  await waitFor(isOver, { withinMs, what: `the end of broker process ${child.pid}` });
}

/** The Kafka that tests share. */
export interface SharedKafka {
  /** Of clients, and of tools too. */
  bootstrap: string;
  /** Why there is none, for a test's `skip`; then `bootstrap` is empty. */
  missing: string | undefined;
}

/** Of the broker that a whole run shares: nobody ends it, so a busy machine must not make it look dead. */
export const sharedBrokerOptions: BrokerOptions = {
  heapMbMax: 384,
  config: { "broker.session.timeout.ms": "30000" },
};

let shared: Promise<SharedKafka> | undefined;

/**
 * The cluster at `KAFKA_BOOTSTRAP`, which the runner sets for all its files; without, a broker of this
 * process, which ends with it. Tests share it and take names of their own from `uniqueName`.
 */
export function sharedKafka(): Promise<SharedKafka> {
  shared ??= findShared();
  return shared;
}

async function findShared(): Promise<SharedKafka> {
  const given = process.env["KAFKA_BOOTSTRAP"] ?? "";
  if (given !== "") return { bootstrap: given, missing: undefined };
  const { missing } = await kafkaJars();
  if (missing !== undefined) return { bootstrap: "", missing };
  const broker = await startBroker(sharedBrokerOptions);
  return { bootstrap: broker.bootstrap, missing: undefined };
}

/** A name for a topic, group or transactional id that no other test has. */
export function uniqueName(what: string): string {
  return `${what}-${randomUUID().slice(0, 13)}`;
}

/** The letters of /proc; those of threads that end meanwhile are left out. */
function threadStates(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).flatMap((thread) => {
    try {
      const stat = readFileSync(join(folder, thread, "stat"), "utf8");
      return [stat.slice(stat.lastIndexOf(")") + 2)[0] ?? ""];
    } catch {
      return [];
    }
  });
}
