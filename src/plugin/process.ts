/**
 * One plugin process from its launch to its last child's end: own process group, an environment made
 * from nothing, one JSON line on stdin, everything it prints captured, and an end that always comes.
 */
import type { Clock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";
import type { LogLevels } from "../observe/log-levels.ts";
import type { Logger } from "../observe/logger.ts";
import { resolveCommand } from "./command-line.ts";
import type { Gateway } from "./gateway.ts";
import type { Hello } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { launchLine } from "./launch-line.ts";
import { type LaunchSweep, newLaunchId } from "./launch-sweep.ts";
import { loadLauncher, type Spawned } from "./launcher.ts";
import { Liveness } from "./liveness.ts";
import { PluginOutput } from "./output.ts";
import type { ExitReason, PluginManifest } from "./plugin.ts";
import type { PluginEnd } from "./plugin-end.ts";
import { endWithHost } from "./process-group.ts";
import type { ProcessWatch } from "./process-watch.ts";
import { rejectSession, type Session, type SessionOptions, versionProblem } from "./session.ts";

export interface ChildLimits {
  connectMsMax: number;
  /** For Shutdown; the steps after it get `signalMsMax` each. */
  shutdownMsMax: number;
  signalMsMax: number;
  messageBytesMax: number;
  windowBytes: number;
}

export interface ChildOptions extends ChildLimits {
  plugin: PluginManifest;
  gateway: Gateway;
  logger: Logger;
  levels: LogLevels;
  clock: Clock;
  watch: ProcessWatch;
  sweep: LaunchSweep;
  /** Who lives in it now. */
  connectors: () => readonly string[];
  /** It has a pid; its Hello may take a while. */
  onSpawn?: (child: PluginChild) => void;
  openSession: (
    call: ByteStream,
    hello: Hello,
    rest: Pick<SessionOptions, "logger" | "onHeartbeat" | "onLog" | "whyGone">,
  ) => Session;
}

/** How far a process is. */
type State =
  | { at: "starting" }
  | { at: "ready"; session: Session }
  /** Something in it did not stop: it is asked for nothing more but to stop the rest. */
  | { at: "condemned"; session: Session }
  | { at: "ending"; reason: string; session: Session | undefined }
  | { at: "ended"; exit: ExitReason };

export class PluginChild implements PluginEnd {
  readonly pid: number;
  readonly isOurs = true;
  readonly #options: ChildOptions;
  readonly #child: Spawned;
  readonly #launchId: string;
  readonly #output: PluginOutput;
  readonly #exited = deferred<ExitReason>();
  #state: State = { at: "starting" };
  /** From Hello on. */
  #liveness: Liveness | undefined;
  /** Why the host killed it; undefined as long as it has not. */
  #killedFor: string | undefined;
  #ending: Promise<void> | undefined;

  private constructor(pid: number, child: Spawned, launchId: string, options: ChildOptions) {
    this.pid = pid;
    this.#child = child;
    this.#launchId = launchId;
    this.#options = options;
    const { logger, levels, clock, connectors, plugin } = options;
    this.#output = new PluginOutput({ logger, levels, clock, connectors, plugin: plugin.name });
    this.#output.capture(pid, child.stdout, child.stderr);
    // Writing to a process that is gone is not an error: its exit is.
    child.stdin.on("error", () => {});
    child.once("exit", (code, signal) => void this.#ended(code, signal));
  }

  /**
   * Starts it and waits for its Hello.
   * @throws TaskError `plugin.launch_failed` with the phase that failed and the last stderr lines
   */
  static async launch(options: ChildOptions, signal: AbortSignal): Promise<PluginChild> {
    const { name } = options.plugin;
    const command = await resolveCommand(options.plugin);
    if (command.at === "unusable") throw cannotStart(name, command.reason);
    const spawn = await loadLauncher();
    signal.throwIfAborted();
    const launchId = newLaunchId();
    const child = spawn(command.program, command.args, options.plugin.directory, launchId);
    const { pid } = child;
    if (pid === undefined) {
      const result = await child;
      throw cannotStart(name, result.shortMessage ?? "it could not be started", result.cause);
    }
    child.catch(() => {});
    const launched = new PluginChild(pid, child, launchId, options);
    const forget = endWithHost(pid, launchId);
    const unwatch = options.watch.add(launched);
    void launched.exited.then(forget).then(unwatch);
    options.onSpawn?.(launched);
    await launched.#meet(signal);
    return launched;
  }

  /** Resolves when the process and its group are gone; never rejects. */
  get exited(): Promise<ExitReason> {
    return this.#exited.promise;
  }

  /** Undefined unless it is ready for work. */
  get session(): Session | undefined {
    return this.#state.at === "ready" ? this.#state.session : undefined;
  }

  /** For stopping what runs in it: also there when it is condemned. */
  get stopSession(): Session | undefined {
    const { at } = this.#state;
    return at === "ready" || at === "condemned" ? this.#state.session : undefined;
  }

  /** Ready, and its session has not ended: that is seen before the exit. */
  get isUsable(): boolean {
    return this.session?.isOver === false;
  }

  get at(): State["at"] {
    return this.#state.at;
  }

  /** Undefined while it owes no heartbeats. */
  get liveness(): Liveness | undefined {
    return this.stopSession === undefined ? undefined : this.#liveness;
  }

  get logger(): Logger {
    return this.#output.logger;
  }

  /** Why it is gone, when its end is near or past; undefined when it seems to live on. */
  async whyGone(): Promise<string | undefined> {
    const exit = await within(this.exited, goneMsMax, undefined);
    return exit && exitWords(exit);
  }

  /** Asks it to end: Shutdown, stdin closed, SIGTERM, SIGKILL, each with its deadline. */
  end(reason: string): Promise<void> {
    this.#ending ??= this.#endInSteps(reason);
    return this.#ending;
  }

  /** Takes no new requests but stops; whoever condemns it kills it soon. */
  condemn(reason: string): void {
    if (this.#state.at !== "ready") return;
    this.#state = { at: "condemned", session: this.#state.session };
    this.logger.warn({ reason }, "plugin process is condemned: the rest of it moves to a new one");
  }

  /** Ends it at once, and its whole group. */
  async kill(reason: string): Promise<void> {
    if (this.#state.at === "ended") return;
    this.#killedFor ??= reason;
    if (this.#state.at !== "ending") {
      this.#state = { at: "ending", reason, session: this.stopSession };
    }
    this.logger.warn({ reason }, "killing a plugin process");
    this.#signal("SIGKILL");
    await this.exited;
  }

  /** Writes the launch line and waits for the session. */
  async #meet(signal: AbortSignal): Promise<void> {
    const { gateway, connectMsMax, plugin } = this.#options;
    const met = deferred<string | undefined>();
    const expected = gateway.expectSession((call, hello) => met.resolve(this.#greet(call, hello)));
    const abort = () => met.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    void this.exited.then(() => met.resolve("exited"));
    const line = launchLine({ ...this.#options, address: gateway.address, token: expected.secret });
    this.#child.stdin.write(`${line}\n`);
    try {
      const late = `plugin process ${this.pid} (${plugin.name}) did not say hello within ${connectMsMax} ms`;
      const problem = await within(met.promise, connectMsMax, late);
      if (problem === undefined) return;
      if (problem === "exited") {
        const exit = await this.exited;
        throw cannotStart(plugin.name, withStderr(`${exit.text} before it said hello`, exit));
      }
      await this.kill(problem);
      throw cannotStart(plugin.name, withStderr(problem, await this.exited));
    } catch (error) {
      if (signal.aborted) await this.kill("its start was cancelled");
      throw error;
    } finally {
      expected.void();
      signal.removeEventListener("abort", abort);
    }
  }

  /** Undefined when all is well, else why the session was refused. */
  #greet(call: ByteStream, hello: Hello): string | undefined {
    const problem = versionProblem(hello);
    if (problem !== undefined) {
      rejectSession(call, "protocol", problem);
      return problem;
    }
    if (this.#state.at !== "starting") {
      rejectSession(call, "ending", "this process is ending");
      return undefined;
    }
    const { clock, watch } = this.#options;
    const liveness = new Liveness(watch.limits, clock.elapsedMs());
    this.#liveness = liveness;
    const session = this.#options.openSession(call, hello, {
      logger: this.#options.logger,
      onHeartbeat: () => liveness.heard(clock.elapsedMs()),
      onLog: (batch) => this.#output.take(batch),
      whyGone: async () => (await this.whyGone()) ?? `plugin process ${this.pid} lost its session`,
    });
    this.#state = { at: "ready", session };
    void session.ended.then(() => this.#sessionEnded(session.breach));
    this.logger.debug({ sdk: hello.sdk?.name }, "plugin process said hello");
    return undefined;
  }

  /** The session is the process. A process that is just exiting may take its time to say so. */
  async #sessionEnded(breach: string | undefined): Promise<void> {
    if (this.#state.at !== "ready") return;
    if (breach !== undefined) await this.kill(breach);
    else if ((await this.whyGone()) === undefined) await this.kill("it ended its session");
  }

  async #endInSteps(reason: string): Promise<void> {
    if (this.#state.at === "ended") return;
    const { session } = this;
    this.#state = { at: "ending", reason, session };
    const { shutdownMsMax, signalMsMax } = this.#options;
    if (session !== undefined) {
      this.logger.debug({ reason }, "asking a plugin process to shut down");
      const done = Promise.race([session.shutdown(reason, shutdownMsMax), this.exited]);
      const acknowledged = await within(
        done.then(() => true),
        shutdownMsMax,
        false,
      );
      if (!acknowledged) {
        this.logger.warn({ ms: shutdownMsMax }, "plugin process did not acknowledge Shutdown");
      }
      session.close();
    }
    this.#child.stdin.end();
    if (await this.#exitsWithin(signalMsMax)) return;
    this.logger.warn({ ms: signalMsMax }, "plugin process ignores the end of stdin: SIGTERM");
    this.#signal("SIGTERM");
    if (await this.#exitsWithin(signalMsMax)) return;
    this.logger.warn({ ms: signalMsMax }, "plugin process ignores SIGTERM: SIGKILL");
    this.#killedFor ??= "it did not end when asked to";
    this.#signal("SIGKILL");
    await this.exited;
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    return (await within(this.exited, ms, undefined)) !== undefined;
  }

  /** To the whole group, as the plugin may have children. */
  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // There is nobody left in the group.
    }
  }

  async #ended(code: number | null, signal: string | null): Promise<void> {
    const text = this.#exitText(code, signal);
    // I6: what the plugin started ends with it, also what left its group.
    this.#signal("SIGKILL");
    const swept = this.#options.sweep.end(this.#launchId, this.logger);
    const { stdin, stderr, stdout } = this.#child;
    const read = Promise.all([stderr, stdout].map((stream) => closed(stream)));
    await within(read, lastWordsMsMax, undefined);
    // Somebody who was not found may hold the other ends: nobody listens to it, or waits for it.
    for (const stream of [stdin, stderr, stdout]) stream.destroy();
    await within(swept, sweepMsMax, undefined);
    this.#output.end();
    const expected = this.#state.at === "ending" && this.#killedFor === undefined;
    const lastStderr = [...this.#output.lastStderr];
    const exit = { text, expected, lastStderr };
    this.#state = { at: "ended", exit };
    const level = expected ? "debug" : "warn";
    this.logger[level]({ reason: exit.text }, "plugin process ended");
    this.#exited.resolve(exit);
  }

  #exitText(code: number | null, signal: string | null): string {
    const who = `plugin process ${this.pid} (${this.#options.plugin.name})`;
    if (this.#killedFor !== undefined) return `${who} was killed by the host: ${this.#killedFor}`;
    return signal === null ? `${who} exited with code ${code}` : `${who} was killed by ${signal}`;
  }
}

/** How long an exit may take to be seen after a stream broke off. */
const goneMsMax = 1_000;
/** How long the pipes of a dead process may still hold something. */
const lastWordsMsMax = 250;

/** How long an end may wait for what the process left behind; the sweep goes on all the same. */
const sweepMsMax = 500;

function closed(stream: NodeJS.ReadableStream & { readableEnded?: boolean }): Promise<void> {
  if (stream.readableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
    stream.once("error", () => resolve());
  });
}

/** An exit with what the process last said. */
export function exitWords(exit: ExitReason): string {
  return withStderr(exit.text, exit);
}

function withStderr(text: string, { lastStderr }: ExitReason): string {
  return lastStderr.length === 0
    ? text
    : `${text}; its last lines on stderr:\n${lastStderr.join("\n")}`;
}

function cannotStart(plugin: string, reason: string, cause?: unknown): TaskError {
  const text = `cannot start plugin ${plugin}: ${reason}`;
  return new TaskError("plugin.launch_failed", text, cause === undefined ? {} : { cause });
}
