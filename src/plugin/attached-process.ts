/**
 * A plugin that was started by hand and dialled by itself. The host sees its session and nothing else:
 * it never looks at the process, waits for it without a deadline, and can end only the session.
 */
import { setMaxListeners } from "node:events";
import type { Clock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import type { LogLevels } from "../observe/log-levels.ts";
import type { Logger } from "../observe/logger.ts";
import type { Hello } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { PluginOutput } from "./output.ts";
import type { ExitReason } from "./plugin.ts";
import type { PluginEnd } from "./plugin-end.ts";
import type { Session, SessionOptions } from "./session.ts";

export interface AttachedOptions {
  /** Of the plugin. */
  readonly name: string;
  readonly logger: Logger;
  readonly levels: LogLevels;
  readonly clock: Clock;
  /** Silence from here on is shown. */
  readonly stalledAfterMs: number;
  readonly shutdownMsMax: number;
  readonly signalMsMax: number;
  /** Who lives in it now. */
  readonly connectors: () => readonly string[];
  readonly openSession: (
    call: ByteStream,
    hello: Hello,
    rest: Pick<SessionOptions, "logger" | "onHeartbeat" | "onLog" | "whyGone">,
  ) => Session;
  /** Its session has ended; told before anybody else sees that. */
  readonly onGone: (exit: ExitReason) => void;
}

type State =
  | { at: "ready"; session: Session }
  | { at: "condemned"; session: Session }
  | { at: "ending"; session: Session }
  | { at: "ended"; exit: ExitReason };

/** How long streams may take to break off by themselves after their session. */
const streamsMsMax = 1_000;

export class AttachedProcess implements PluginEnd {
  readonly isOurs = false;
  /** As it says itself. */
  readonly pid: number;
  readonly liveness: { silentMs(nowMs: number): number; readonly stalled: boolean };
  readonly #options: AttachedOptions;
  readonly #output: PluginOutput;
  readonly #exited = deferred<ExitReason>();
  readonly #streamsOver = new AbortController();
  #heardMs: number;
  #state: State;

  /** `hello` has a token and a version that are in order: it is welcomed. */
  constructor(call: ByteStream, hello: Hello, options: AttachedOptions) {
    this.#options = options;
    this.pid = hello.pid;
    // I5: one listener for each task in it.
    setMaxListeners(0, this.#streamsOver.signal);
    const { clock, connectors, levels, logger, name, stalledAfterMs } = options;
    this.#heardMs = clock.elapsedMs();
    const silentMs = (nowMs: number) => nowMs - this.#heardMs;
    this.liveness = {
      silentMs,
      get stalled() {
        return silentMs(clock.elapsedMs()) >= stalledAfterMs;
      },
    };
    this.#output = new PluginOutput({ logger, levels, clock, connectors, plugin: name });
    this.#output.identify(this.pid);
    const session = options.openSession(call, hello, {
      logger,
      onHeartbeat: () => {
        this.#heardMs = clock.elapsedMs();
      },
      onLog: (batch) => this.#output.take(batch),
      whyGone: async () => (await this.exited).text,
    });
    this.#state = { at: "ready", session };
    void session.ended.then(() => {
      const { breach } = session;
      if (breach !== undefined) void this.kill(breach);
      else this.#gone("ended its session", false);
    });
  }

  get at(): State["at"] {
    return this.#state.at;
  }

  get session(): Session | undefined {
    return this.#state.at === "ready" ? this.#state.session : undefined;
  }

  get stopSession(): Session | undefined {
    const { at } = this.#state;
    return at === "ready" || at === "condemned" ? this.#state.session : undefined;
  }

  get isUsable(): boolean {
    return this.session?.isOver === false;
  }

  get exited(): Promise<ExitReason> {
    return this.#exited.promise;
  }

  get streamsOver(): AbortSignal {
    return this.#streamsOver.signal;
  }

  get logger(): Logger {
    return this.#output.logger;
  }

  /** A stream may break off a moment before its session does. */
  async whyGone(): Promise<string | undefined> {
    return (await within(this.exited, streamsMsMax, undefined))?.text;
  }

  condemn(reason: string): void {
    if (this.#state.at !== "ready") return;
    this.#state = { at: "condemned", session: this.#state.session };
    this.logger.warn({ reason }, "the session of an attached plugin has to end");
  }

  /** Shutdown, then the end of the host's side, then of the session, each with its deadline. */
  async end(reason: string): Promise<void> {
    const { session } = this;
    if (session === undefined) return this.kill(reason);
    this.#state = { at: "ending", session };
    const { shutdownMsMax, signalMsMax } = this.#options;
    await within(session.shutdown(reason, shutdownMsMax), shutdownMsMax, undefined);
    session.close();
    await within(session.ended, signalMsMax, undefined);
    this.#gone(`was sent away by the host: ${reason}`, true);
  }

  /** Ends the session; what becomes of the process is up to whoever started it. */
  async kill(reason: string): Promise<void> {
    if (this.#state.at === "ended") return;
    this.logger.warn({ reason }, "ending the session of an attached plugin");
    this.#gone(`was sent away by the host: ${reason}`, false);
  }

  #gone(how: string, expected: boolean): void {
    if (this.#state.at === "ended") return;
    const { session, at } = this.#state;
    const text = `plugin process ${this.pid} (${this.#options.name}) ${how}`;
    const exit = { text, expected: expected || at === "ending", lastStderr: [] };
    this.#state = { at: "ended", exit };
    session.cut(text);
    this.#options.onGone(exit);
    this.#exited.resolve(exit);
    this.#output.end();
    // I6: what the host had received whole is taken first.
    setTimeout(() => this.#streamsOver.abort(text), streamsMsMax).unref();
  }
}
