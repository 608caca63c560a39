/** The sessions of plugins that are started by hand: who may come, who is there, who lives in whom. */
import type { Clock } from "../base/clock.ts";
import { errorLine, TaskError } from "../base/error.ts";
import type { LogLevels } from "../observe/log-levels.ts";
import type { Logger } from "../observe/logger.ts";
import { AttachFile } from "./attach-file.ts";
import { AttachPoint } from "./attach-point.ts";
import { attachWords } from "./attach-words.ts";
import { AttachedProcess } from "./attached-process.ts";
import type { Gateway } from "./gateway.ts";
import type { Hello } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { untilAborted } from "./helper-processes.ts";
import { launchLine } from "./launch-line.ts";
import type {
  AttachedPlugin,
  AttachedPlugins,
  PluginManifest,
  ProcessLease,
  ProcessUse,
  ProcessView,
} from "./plugin.ts";
import type { PluginEnd } from "./plugin-end.ts";
import { emptyPlaceView, residentView } from "./process-view.ts";
import type { RemoteProcess } from "./remote-process.ts";
import { Resident } from "./resident.ts";
import { rejectSession, type Session, type SessionOptions, versionProblem } from "./session.ts";

export interface AttachedParts {
  /** `plugin.attach` and `plugin.attach.dir`. */
  readonly names: readonly string[];
  readonly directory: string;
  readonly gateway: Gateway;
  readonly messageBytesMax: number;
  readonly windowBytes: number;
  readonly logger: Logger;
  /** Shows it to a person at a terminal, and keeps it nowhere. */
  readonly tellPerson: (text: string) => void;
  readonly levels: LogLevels;
  readonly clock: Clock;
  readonly stalledAfterMs: number;
  /** For Shutdown, and for those who have to leave a condemned session. */
  readonly shutdownMsMax: number;
  readonly signalMsMax: number;
  readonly openSession: (
    resident: Pick<Resident, "connectors" | "owns" | "plugin">,
    call: ByteStream,
    hello: Hello,
    rest: Pick<SessionOptions, "logger" | "onHeartbeat" | "onLog" | "whyGone">,
  ) => Session;
  /** Without deadlines but those for stops. */
  readonly remote: (
    end: PluginEnd,
    plugin: PluginManifest,
    condemn: ProcessLease["condemn"],
  ) => RemoteProcess;
}

export class AttachedSessions implements AttachedPlugins {
  readonly #parts: AttachedParts;
  readonly #points = new Map<string, AttachPoint>();
  readonly #listeners = new Set<() => void>();
  #isClosing = false;

  private constructor(parts: AttachedParts) {
    this.#parts = parts;
  }

  /**
   * Writes a file for each of them and says where.
   * @throws TaskError `plugin.attach_unusable`
   */
  static async open(parts: AttachedParts): Promise<AttachedSessions> {
    const sessions = new AttachedSessions(parts);
    try {
      for (const name of parts.names) await sessions.#expect(name);
    } catch (error) {
      for (const point of sessions.#points.values()) point.close();
      throw error;
    }
    return sessions;
  }

  has({ name }: PluginManifest): boolean {
    return this.#points.has(name);
  }

  isAway({ name }: PluginManifest): boolean {
    return this.#points.get(name)?.live === undefined;
  }

  list(): readonly AttachedPlugin[] {
    return [...this.#points.values()].map(({ view }) => view);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async arrival(plugin: PluginManifest | undefined, signal: AbortSignal): Promise<void> {
    if (plugin !== undefined) return this.#points.get(plugin.name)?.arrival(signal);
    const unknown = [...this.#points.values()].filter(({ isUnknown }) => isUnknown);
    if (unknown.length === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        forget();
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const forget = this.onChange(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  /** See the door. */
  async acquire({ plugin, connector }: ProcessUse): Promise<ProcessLease> {
    const { resident, end } = await this.#session(plugin);
    const share = resident.share(connector);
    return resident.lease(share, end, (condemn) => this.#parts.remote(end, plugin, condemn));
  }

  /** A question that a helper would answer for others. */
  async ask<T>(
    plugin: PluginManifest,
    connector: string,
    signal: AbortSignal,
    ask: (remote: RemoteProcess) => Promise<T>,
  ): Promise<T> {
    const { resident, end } = await this.#session(plugin);
    signal.throwIfAborted();
    const share = resident.share(connector);
    const remote = this.#parts.remote(end, plugin, (reason) => end.kill(reason));
    try {
      return await untilAborted(ask(remote), signal);
    } finally {
      resident.leave(share);
    }
  }

  tellLogLevels(): void {
    for (const { newest } of this.#points.values()) newest?.spawned?.session?.tellLogLevels();
  }

  views(nowMs: number): ProcessView[] {
    return [...this.#points.values()].map(({ newest, place }) =>
      newest === undefined
        ? { ...emptyPlaceView(place), at: "starting" }
        : residentView(newest, nowMs),
    );
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const points = [...this.#points.values()];
    for (const point of points) point.close();
    await Promise.all(points.map(({ newest }) => newest?.end("the host shuts down")));
  }

  async #expect(name: string): Promise<void> {
    const { directory, gateway, logger, messageBytesMax, tellPerson, windowBytes } = this.#parts;
    const token = gateway.expectSessions((call, hello) => this.#greet(name, call, hello));
    const { address } = gateway;
    const facts = { address, token: token.secret };
    const line = launchLine({ ...facts, messageBytesMax, windowBytes });
    const point = new AttachPoint(name, await AttachFile.write(directory, name, line), token);
    this.#points.set(name, point);
    const text = `plugin ${name} is not started but waited for: ${point.connect} and its own command`;
    logger.info({ plugin: name, address, file: point.view.file }, text);
    tellPerson(attachWords({ ...facts, name, connect: point.connect, launchLine: line }));
  }

  async #session({ name }: PluginManifest): Promise<{ resident: Resident; end: PluginEnd }> {
    const point = this.#points.get(name);
    const resident = point?.live;
    const end = resident?.spawned;
    if (resident !== undefined && end !== undefined) return { resident, end };
    throw point?.awayError() ?? new TaskError("plugin.away", `plugin ${name} is not attached`);
  }

  #greet(name: string, call: ByteStream, hello: Hello): void {
    const { logger } = this.#parts;
    const point = this.#points.get(name);
    const says = hello.plugin?.name ?? "";
    if (point === undefined || this.#isClosing) {
      rejectSession(call, "ending", "the host shuts down");
      return;
    }
    const version = versionProblem(hello);
    const other =
      says === "" || says === name
        ? undefined
        : `this token is for plugin ${name}, and it says that it is ${says}: name that in plugin.attach`;
    const problem = version ?? other;
    if (problem === undefined) {
      this.#welcome(point, call, hello);
      return;
    }
    logger.warn({ plugin: name, reason: problem }, "a plugin that dialled was refused");
    rejectSession(call, version === undefined ? "name" : "protocol", problem);
  }

  #welcome(point: AttachPoint, call: ByteStream, hello: Hello): void {
    const { clock, openSession, shutdownMsMax } = this.#parts;
    // The newest session ends the older one.
    void point.newest?.spawned?.kill("a newer session of this plugin has taken its place");
    const plugin = point.manifest(hello.plugin?.version ?? "");
    let resident: Resident | undefined;
    const end = new AttachedProcess(call, hello, {
      ...this.#parts,
      name: point.name,
      connectors: () => resident?.connectors ?? [],
      openSession: (...args) =>
        openSession(
          {
            plugin,
            get connectors() {
              return resident?.connectors ?? [];
            },
            owns: (connector) => resident?.owns(connector) === true,
          },
          ...args,
        ),
      onGone: ({ text }) => {
        if (resident === undefined) return;
        const at = new Date(clock.nowMs()).toISOString();
        point.go(resident, { text, at });
        resident.abandon(new TaskError("plugin.away", text));
        end.logger.info({ reason: text }, "an attached plugin has gone");
        this.#changed();
      },
    });
    resident = new Resident({
      plugin,
      place: point.place,
      startedMs: clock.elapsedMs(),
      condemnedMsMax: shutdownMsMax,
      launch: async () => end,
      onRetired: (mine) => point.retire(mine),
      stays: true,
    });
    resident.spawned = end;
    point.come(resident, plugin.version);
    end.logger.info({ sdk: hello.sdk?.name }, "a plugin has attached");
    this.#changed();
    void this.#learn(point, resident, end, plugin);
  }

  /** A plugin without a folder is known by what it says of itself; one with a folder may be newer. */
  async #learn(
    point: AttachPoint,
    resident: Resident,
    end: AttachedProcess,
    plugin: PluginManifest,
  ): Promise<void> {
    const remote = this.#parts.remote(end, plugin, (reason) => end.kill(reason));
    try {
      const manifest = await remote.describe(new AbortController().signal);
      if (point.newest !== resident) return;
      point.learn({ at: "known", manifest });
    } catch (error) {
      if (point.newest !== resident) return;
      const reason = errorLine(error);
      end.logger.warn({ reason }, "an attached plugin does not say what it offers");
      point.learn({ at: "unusable", reason });
    }
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
