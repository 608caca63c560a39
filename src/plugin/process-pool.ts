/** Plugin processes by who shares them: the implementation of the door's PluginProcesses. */
import { hostname } from "node:os";
import { type Clock, systemClock } from "../base/clock.ts";
import { errorLine, TaskError } from "../base/error.ts";
import { productVersion } from "../base/version.ts";
import { type LogLevels, logLevelsFrom } from "../observe/log-levels.ts";
import type { Logger } from "../observe/logger.ts";
import { AttachedSessions } from "./attached-sessions.ts";
import { Gateway } from "./gateway.ts";
import type { Hello } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { HelperProcesses, helperKey, untilAborted } from "./helper-processes.ts";
import { LaunchQueue } from "./launch-queue.ts";
import { launchSignature } from "./launch-signature.ts";
import { LaunchSweep } from "./launch-sweep.ts";
import { livenessLimits } from "./liveness.ts";
import { type Place, Places } from "./places.ts";
import type {
  ConnectorConfig,
  OffsetsAltered,
  OffsetsChange,
  PluginCalls,
  PluginClass,
  PluginManifest,
  PluginProcesses,
  ProcessLease,
  ProcessUse,
  ProcessView,
  ValidationAnswer,
} from "./plugin.ts";
import type { PluginEnd } from "./plugin-end.ts";
import { pluginLevels } from "./plugin-levels.ts";
import { PluginChild } from "./process.ts";
import { emptyPlaceView, residentView } from "./process-view.ts";
import { ProcessWatch } from "./process-watch.ts";
import { RemoteProcess } from "./remote-process.ts";
import { Resident } from "./resident.ts";
import { rejectSession, Session, type SessionOptions } from "./session.ts";

/** `plugin.process.per`: whose tasks and Connector instances live together. */
export type ProcessPer = "task" | "connector" | "plugin";

export interface PluginProcessesOptions {
  logger: Logger;
  /** Told to the plugins, and again when they change. Default: the logger's level, for ever. */
  levels?: LogLevels;
  processPer: ProcessPer;
  calls: PluginCalls;
  clock?: Clock;
  /** From the launch to Hello. */
  connectMsMax?: number;
  requestMsMax?: number;
  /** For StopConnector, for a task that did not start, and for Shutdown. */
  shutdownMsMax?: number;
  /** After Shutdown: for the end of stdin, and again for SIGTERM. */
  signalMsMax?: number;
  maxMessageBytes?: number;
  windowBytes?: number;
  /** How often a plugin shall send a heartbeat; less where the timeout asks for more. */
  heartbeatIntervalMs?: number;
  /** Silence after which a process is killed; 0 = never. */
  heartbeatTimeoutMs?: number;
  /** Of a process and all it started; more is a reason to kill it. 0 = no limit. */
  memoryBytesMax?: number;
  /** How long a helper process stays when nobody asks it anything. */
  helperWarmMsMax?: number;
  /** Plugins that are not started but waited for, by name, and the folder for their files. */
  attach?: readonly string[];
  attachDirectory?: string;
  /** Shows a text with tokens to a person at a terminal and keeps it nowhere. Default: nobody is there. */
  tellPerson?: (text: string) => void;
  /** Is there a connector of this name? What is known of others' ended processes is forgotten. */
  isConnector?: (name: string) => boolean;
}

type Options = Required<PluginProcessesOptions>;

/** Opens the socket that plugins dial; processes start as they are asked for. */
export async function createPluginProcesses(
  options: PluginProcessesOptions,
): Promise<PluginProcesses> {
  const full: Options = {
    levels: logLevelsFrom(options.logger.level),
    clock: systemClock,
    connectMsMax: 30_000,
    requestMsMax: 60_000,
    shutdownMsMax: 5_000,
    signalMsMax: 2_000,
    maxMessageBytes: 4 * 1_024 * 1_024,
    windowBytes: 4 * 1_024 * 1_024,
    heartbeatIntervalMs: 5_000,
    heartbeatTimeoutMs: 120_000,
    memoryBytesMax: 0,
    helperWarmMsMax: 60_000,
    attach: [],
    attachDirectory: "",
    tellPerson: () => {},
    isConnector: () => true,
    ...options,
  };
  const gateway = await Gateway.open({
    messageBytesMax: full.maxMessageBytes,
    windowBytes: full.windowBytes,
    helloMsMax: full.connectMsMax,
    refuse: (call) => {
      full.logger.warn("a process without a valid token dialled the host");
      rejectSession(call, "token", "the token is unknown, used or too late");
    },
  });
  const pool = new ProcessPool(full, gateway);
  try {
    await pool.open();
  } catch (error) {
    await gateway.close();
    throw error;
  }
  return pool;
}

/** What a timer and a deadline on the wire can hold: 24 days stand for "no deadline". */
const msUnlimited = 2 ** 31 - 1;

class ProcessPool implements PluginProcesses {
  readonly #options: Options;
  readonly #gateway: Gateway;
  readonly #watch: ProcessWatch;
  readonly #sweep = new LaunchSweep();
  readonly #launches: LaunchQueue;
  readonly #helpers: HelperProcesses;
  readonly #places: Places;
  /** Those that take new work, by who may share them. */
  readonly #open = new Map<string, Resident>();
  /** Every one that has not ended, also those that take no new work. */
  readonly #all = new Set<Resident>();
  readonly #unlisten: () => void;
  #attached!: AttachedSessions;
  #closing: Promise<void> | undefined;

  constructor(options: Options, gateway: Gateway) {
    this.#options = options;
    this.#gateway = gateway;
    const { heartbeatIntervalMs, heartbeatTimeoutMs, clock, isConnector, helperWarmMsMax } =
      options;
    const liveness = livenessLimits(heartbeatIntervalMs, heartbeatTimeoutMs);
    this.#watch = new ProcessWatch({ ...options, liveness });
    this.#unlisten = options.levels.onChange(() => {
      for (const { spawned } of this.#all) spawned?.session?.tellLogLevels();
      this.#attached.tellLogLevels();
    });
    this.#launches = new LaunchQueue({ clock });
    this.#places = new Places(isConnector);
    this.#helpers = new HelperProcesses({
      launch: (plugin) => this.#launch(helperKey(plugin), "helper", plugin),
      remote: async (resident) => {
        const child = await resident.child;
        return this.#remote(child, resident.plugin, (reason) => child.kill(reason));
      },
      warmMsMax: helperWarmMsMax,
    });
  }

  /** To be called once, before all else. @throws TaskError `plugin.attach_unusable` */
  async open(): Promise<void> {
    const { attach: names, attachDirectory: directory, maxMessageBytes } = this.#options;
    this.#attached = await AttachedSessions.open({
      ...this.#options,
      names,
      directory,
      gateway: this.#gateway,
      messageBytesMax: maxMessageBytes,
      stalledAfterMs: this.#watch.limits.stalledAfterMs,
      openSession: (...args) => this.#openSession(...args),
      remote: (end, plugin, condemn) =>
        this.#remote(end, plugin, condemn, { requestMsMax: msUnlimited, startMsMax: msUnlimited }),
    });
  }

  get attached(): AttachedSessions {
    return this.#attached;
  }

  async acquire(use: ProcessUse, signal: AbortSignal): Promise<ProcessLease> {
    const { plugin, connector } = use;
    if (this.#attached.has(plugin)) return this.#attached.acquire(use);
    const signature = await launchSignature(plugin);
    signal.throwIfAborted();
    const key = this.#keyOf(use);
    const open = this.#open.get(key);
    const resident = open?.takesWork ? open : this.#settle(key, plugin, signature);
    const share = resident.share(connector);
    try {
      const child = await untilAborted(resident.child, signal);
      return resident.lease(share, child, (condemn) => this.#remote(child, plugin, condemn));
    } catch (error) {
      await resident.release(share, "its start failed or was cancelled");
      throw error;
    }
  }

  startAhead(plugin: PluginManifest): void {
    const isShared = this.#options.processPer === "plugin";
    const key = this.#keyOf({ plugin, connector: "" });
    if (this.#closing || this.#attached.has(plugin)) return;
    if (isShared && this.#open.get(key)?.takesWork) return;
    void this.#helpers.start(plugin);
  }

  async validate(
    { className, plugin }: PluginClass,
    config: ConnectorConfig,
    signal: AbortSignal,
  ): Promise<ValidationAnswer> {
    if (this.#attached.has(plugin) && this.#attached.isAway(plugin)) return { values: [] };
    return this.#ask(plugin, config["name"] ?? "", signal, (remote) =>
      remote.validate(className, config, signal),
    );
  }

  describe(plugin: PluginManifest, signal: AbortSignal): Promise<PluginManifest> {
    return this.#helpers.ask(plugin, "", signal, (remote) => remote.describe(signal));
  }

  alterOffsets(
    plugin: PluginManifest,
    change: OffsetsChange,
    signal: AbortSignal,
  ): Promise<OffsetsAltered> {
    return this.#ask(plugin, change.connector, signal, (remote) =>
      remote.alterOffsets(change, signal),
    );
  }

  #ask<T>(
    plugin: PluginManifest,
    connector: string,
    signal: AbortSignal,
    ask: (remote: RemoteProcess) => Promise<T>,
  ): Promise<T> {
    const answerer = this.#attached.has(plugin) ? this.#attached : this.#helpers;
    return answerer.ask(plugin, connector, signal, ask);
  }

  processes(): readonly ProcessView[] {
    const nowMs = this.#options.clock.elapsedMs();
    const living = [...this.#all].map((resident) => residentView(resident, nowMs));
    const empty = this.#places.empty().map(emptyPlaceView);
    return [...living, ...this.#attached.views(nowMs), ...empty];
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#unlisten();
    const ends = [...this.#all].map((resident) => resident.end("the host shuts down"));
    await Promise.all([...ends, this.#attached.close()]);
    await this.#sweep.idle();
    await this.#gateway.close();
  }

  #keyOf({ plugin, connector, task }: ProcessUse): string {
    const { processPer } = this.#options;
    // One folder may hold several programs of one version.
    const parts = [plugin.directory, ...plugin.command, plugin.version];
    if (processPer !== "plugin") parts.push(connector);
    if (processPer === "task") parts.push(task === undefined ? "connector" : `task ${task}`);
    return JSON.stringify(parts);
  }

  /** A process for a new place: the helper of the same program, else a new one. */
  #settle(key: string, plugin: PluginManifest, signature: string): Resident {
    const resident = this.#helpers.adopt(plugin, signature);
    if (resident === undefined) {
      const launched = this.#launch(key, "connector", plugin);
      this.#open.set(key, launched);
      return launched;
    }
    this.#places.leave(resident.place, null, []);
    resident.place = this.#places.enter(key, "connector", plugin);
    resident.plugin = plugin;
    // One that has no pid yet is counted when it has.
    if (resident.spawned !== undefined) resident.place.starts += 1;
    this.#open.set(key, resident);
    return resident;
  }

  #launch(key: string, use: Place["use"], plugin: PluginManifest): Resident {
    if (this.#closing) {
      throw new TaskError(
        "plugin.closed",
        `cannot start plugin ${plugin.name}: the host shuts down`,
      );
    }
    const { clock, shutdownMsMax } = this.#options;
    const resident = new Resident({
      plugin,
      place: this.#places.enter(key, use, plugin),
      startedMs: clock.elapsedMs(),
      condemnedMsMax: shutdownMsMax,
      launch: (mine, signal) => this.#launches.run(() => this.#start(mine, signal), signal),
      onRetired: (mine) => this.#retire(mine),
    });
    this.#all.add(resident);
    void this.#untilGone(resident);
    return resident;
  }

  #start(resident: Resident, signal: AbortSignal): Promise<PluginChild> {
    const { logger, levels, clock, maxMessageBytes } = this.#options;
    const { connectMsMax, shutdownMsMax, signalMsMax, windowBytes } = this.#options;
    return PluginChild.launch(
      {
        plugin: resident.plugin,
        gateway: this.#gateway,
        logger,
        levels,
        clock,
        watch: this.#watch,
        sweep: this.#sweep,
        connectors: () => resident.connectors,
        connectMsMax,
        shutdownMsMax,
        signalMsMax,
        messageBytesMax: maxMessageBytes,
        windowBytes,
        onSpawn: (child) => {
          resident.spawned = child;
          resident.place.starts += 1;
        },
        openSession: (...args) => this.#openSession(resident, ...args),
      },
      signal,
    );
  }

  #openSession(
    resident: Pick<Resident, "connectors" | "owns" | "plugin">,
    call: ByteStream,
    hello: Hello,
    rest: Pick<SessionOptions, "logger" | "onHeartbeat" | "onLog" | "whyGone">,
  ): Session {
    const { calls, levels, maxMessageBytes } = this.#options;
    return new Session(call, hello, {
      ...rest,
      calls,
      owns: (connector) => resident.owns(connector),
      messageBytesMax: maxMessageBytes,
      heartbeatMs: this.#watch.limits.heartbeatMs,
      logLevels: () => pluginLevels(levels, resident.plugin.name, resident.connectors),
      hostName: hostname(),
      hostVersion: productVersion,
    });
  }

  /** A process that is gone takes no new work; what is known of its end stays with its place. */
  async #untilGone(resident: Resident): Promise<void> {
    let failure: unknown;
    try {
      await (await resident.child).exited;
    } catch (error) {
      // Whoever waits for the launch gets its error.
      failure = error;
    }
    const { place, spawned, connectors } = resident;
    const exit = await spawned?.exited;
    this.#retire(resident);
    this.#all.delete(resident);
    const text = exit?.text ?? errorLine(failure);
    const at = new Date(this.#options.clock.nowMs()).toISOString();
    const isTold =
      exit === undefined ? !resident.isGivenUp : !exit.expected || place.use !== "helper";
    this.#places.leave(place, isTold ? { text, at } : null, connectors);
  }

  #retire(resident: Resident): void {
    const { key } = resident.place;
    if (this.#open.get(key) === resident) this.#open.delete(key);
    this.#helpers.forget(resident);
  }

  #remote(
    end: PluginEnd,
    plugin: PluginManifest,
    condemn: ProcessLease["condemn"],
    limits: { requestMsMax?: number; startMsMax?: number } = {},
  ): RemoteProcess {
    const { requestMsMax, shutdownMsMax, maxMessageBytes } = this.#options;
    return new RemoteProcess(end, {
      requestMsMax,
      ...limits,
      gateway: this.#gateway,
      plugin,
      stopMsMax: shutdownMsMax,
      messageBytesMax: maxMessageBytes,
      condemn,
    });
  }
}
