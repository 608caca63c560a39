/** Plugin processes by who shares them: the implementation of the door's PluginProcesses. */
import { hostname } from "node:os";
import { type Clock, systemClock } from "../base/clock.ts";
import { TaskError } from "../base/error.ts";
import { productVersion } from "../base/version.ts";
import { type LogLevels, logLevelsFrom } from "../observe/log-levels.ts";
import type { Logger } from "../observe/logger.ts";
import { Gateway } from "./gateway.ts";
import { LaunchSweep } from "./launch-sweep.ts";
import { livenessLimits } from "./liveness.ts";
import type {
  ConnectorConfig,
  PluginCalls,
  PluginClass,
  PluginManifest,
  PluginProcesses,
  ProcessLease,
  ProcessUse,
  ProcessView,
  ValidationAnswer,
} from "./plugin.ts";
import { pluginLevels } from "./plugin-levels.ts";
import { PluginChild } from "./process.ts";
import { fareOf } from "./process-fare.ts";
import { ProcessWatch } from "./process-watch.ts";
import { RemoteProcess } from "./remote-process.ts";
import { rejectSession, Session } from "./session.ts";

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
  return new ProcessPool(full, gateway);
}

/** One process and who lives in it. */
interface Resident {
  readonly key: string;
  readonly plugin: PluginManifest;
  readonly use: ProcessView["use"];
  readonly startedMs: number;
  readonly child: Promise<PluginChild>;
  /** From the moment it has a pid. */
  spawned: PluginChild | undefined;
  readonly cancel: AbortController;
  /** How often each connector is held. */
  readonly connectors: Map<string, number>;
  holders: number;
}

class ProcessPool implements PluginProcesses {
  readonly #options: Options;
  readonly #gateway: Gateway;
  readonly #watch: ProcessWatch;
  readonly #sweep = new LaunchSweep();
  /** Those that take new work, by who may share them. */
  readonly #open = new Map<string, Resident>();
  /** Every one that has not ended, also those that take no new work. */
  readonly #all = new Set<Resident>();
  readonly #unlisten: () => void;
  #closing: Promise<void> | undefined;

  constructor(options: Options, gateway: Gateway) {
    this.#options = options;
    this.#gateway = gateway;
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = options;
    const liveness = livenessLimits(heartbeatIntervalMs, heartbeatTimeoutMs);
    this.#watch = new ProcessWatch({ ...options, liveness });
    this.#unlisten = options.levels.onChange(() => {
      for (const { spawned } of this.#all) spawned?.session?.tellLogLevels();
    });
  }

  async acquire(use: ProcessUse, signal: AbortSignal): Promise<ProcessLease> {
    signal.throwIfAborted();
    const key = this.#keyOf(use);
    const resident = this.#open.get(key) ?? this.#launch(key, use.plugin);
    hold(resident, use.connector, 1);
    try {
      const child = await untilAborted(resident.child, signal);
      return this.#lease(resident, child, use);
    } catch (error) {
      await this.#release(resident, use.connector, "its start failed or was cancelled");
      throw error;
    }
  }

  validate(
    { className, plugin }: PluginClass,
    config: ConnectorConfig,
    signal: AbortSignal,
  ): Promise<ValidationAnswer> {
    const connector = config["name"] ?? "";
    return this.#help(plugin, connector, signal, (remote) => remote.validate(className, config));
  }

  describe(plugin: PluginManifest, signal: AbortSignal): Promise<PluginManifest> {
    return this.#help(plugin, "", signal, (remote) => remote.describe());
  }

  /** In a process of its own. */
  async #help<T>(
    plugin: PluginManifest,
    connector: string,
    signal: AbortSignal,
    ask: (remote: RemoteProcess) => Promise<T>,
  ): Promise<T> {
    const resident = this.#launch(undefined, plugin);
    hold(resident, connector, 1);
    try {
      const child = await untilAborted(resident.child, signal);
      return await untilAborted(ask(this.#remote(child, plugin)), signal);
    } finally {
      await this.#release(resident, connector, "it has answered");
    }
  }

  processes(): readonly ProcessView[] {
    const nowMs = this.#options.clock.elapsedMs();
    return [...this.#all].map(({ plugin, use, spawned, startedMs, connectors }) => ({
      plugin: plugin.name,
      version: plugin.version,
      pid: spawned?.pid ?? null,
      use,
      at: spawned?.at ?? "starting",
      connectors: [...connectors.keys()].filter((name) => name !== ""),
      upMs: nowMs - startedMs,
      ...fareOf(spawned, nowMs),
      restarts: 0,
      lastExit: null,
    }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#unlisten();
    const ends = [...this.#all].map((resident) => this.#end(resident, "the host shuts down"));
    await Promise.all(ends);
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

  /** `key` undefined: nobody else shall share it. */
  #launch(key: string | undefined, plugin: PluginManifest): Resident {
    if (this.#closing) {
      throw new TaskError(
        "plugin.closed",
        `cannot start plugin ${plugin.name}: the host shuts down`,
      );
    }
    const cancel = new AbortController();
    const connectors = new Map<string, number>();
    const resident: Resident = {
      key: key ?? "",
      plugin,
      use: key === undefined ? "helper" : "connector",
      startedMs: this.#options.clock.elapsedMs(),
      child: this.#start(plugin, connectors, cancel.signal, (child) => {
        resident.spawned = child;
      }),
      spawned: undefined,
      cancel,
      connectors,
      holders: 0,
    };
    if (key !== undefined) this.#open.set(key, resident);
    this.#all.add(resident);
    void this.#untilGone(resident);
    return resident;
  }

  #start(
    plugin: PluginManifest,
    connectors: ReadonlyMap<string, number>,
    signal: AbortSignal,
    onSpawn: (child: PluginChild) => void,
  ): Promise<PluginChild> {
    const { logger, levels, clock, calls, maxMessageBytes } = this.#options;
    const { connectMsMax, shutdownMsMax, signalMsMax, windowBytes } = this.#options;
    return PluginChild.launch(
      {
        plugin,
        gateway: this.#gateway,
        logger,
        levels,
        clock,
        watch: this.#watch,
        sweep: this.#sweep,
        connectors: () => [...connectors.keys()].filter((name) => name !== ""),
        connectMsMax,
        shutdownMsMax,
        signalMsMax,
        messageBytesMax: maxMessageBytes,
        windowBytes,
        onSpawn,
        openSession: (call, hello, rest) =>
          new Session(call, hello, {
            ...rest,
            calls,
            owns: (connector) => connectors.has(connector),
            messageBytesMax: maxMessageBytes,
            heartbeatMs: this.#watch.limits.heartbeatMs,
            logLevels: () => pluginLevels(levels, plugin.name, [...connectors.keys()]),
            hostName: hostname(),
            hostVersion: productVersion,
          }),
      },
      signal,
    );
  }

  /** A process that is gone takes no new work. */
  async #untilGone(resident: Resident): Promise<void> {
    try {
      await (await resident.child).exited;
    } catch {
      // Whoever waits for the launch gets its error.
    } finally {
      this.#retire(resident);
      this.#all.delete(resident);
    }
  }

  #retire(resident: Resident): void {
    if (this.#open.get(resident.key) === resident) this.#open.delete(resident.key);
  }

  #lease(resident: Resident, child: PluginChild, { plugin, connector }: ProcessUse): ProcessLease {
    let released: Promise<void> | undefined;
    return {
      process: this.#remote(child, plugin),
      release: () => {
        released ??= this.#release(resident, connector, "nothing of it is needed any more");
        return released;
      },
      condemn: async (reason) => {
        this.#retire(resident);
        await child.kill(reason);
      },
    };
  }

  #remote(child: PluginChild, plugin: PluginManifest): RemoteProcess {
    const { requestMsMax, shutdownMsMax, maxMessageBytes } = this.#options;
    return new RemoteProcess(child, {
      gateway: this.#gateway,
      plugin,
      requestMsMax,
      stopMsMax: shutdownMsMax,
      messageBytesMax: maxMessageBytes,
    });
  }

  async #release(resident: Resident, connector: string, reason: string): Promise<void> {
    hold(resident, connector, -1);
    if (resident.holders === 0) await this.#end(resident, reason);
  }

  /** Ends a process, also one that is still starting. */
  async #end(resident: Resident, reason: string): Promise<void> {
    this.#retire(resident);
    resident.cancel.abort(new TaskError("plugin.closed", `the start was given up: ${reason}`));
    const child = await resident.child.catch(() => undefined);
    await child?.end(reason);
  }
}

function hold(resident: Resident, connector: string, change: 1 | -1): void {
  resident.holders += change;
  const held = (resident.connectors.get(connector) ?? 0) + change;
  if (held > 0) resident.connectors.set(connector, held);
  else if (resident.holders > 0) resident.connectors.delete(connector);
  // The last one's name stays: what the process says while it ends is that connector's.
}

/** The work goes on; only this wait ends with the signal. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
