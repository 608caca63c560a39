import { once } from "node:events";
import type { Clock } from "../base/clock.ts";
import { errorHint, errorLine, errorTrace, HostError, TaskError } from "../base/error.ts";
import { levelOfDelay } from "../observe/log-level.ts";
import type { Logger } from "../observe/logger.ts";
import type { ConnectorState, TargetState } from "../state/status.ts";
import type { NextStart, Restarts } from "./restart-policy.ts";
import type { InstanceAt, StopWord } from "./worker.ts";

/** A Connector instance or a task: what the two have in common. */
export interface Runnable {
  run(signal: AbortSignal): Promise<void>;
  setTarget(target: TargetState): void;
  /** Of its plugin process, while it has one. */
  readonly pid: number | undefined;
}

export interface InstanceOptions<R extends Runnable> {
  /** `task a-0`: for the log. */
  readonly label: string;
  readonly target: TargetState;
  readonly restarts: Restarts;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The plugin it needs, as far as it is known now; for the log. */
  plugin(): string | undefined;
  /** Resolves when a plugin that was away has come, or the signal fires. */
  arrival?(signal: AbortSignal): Promise<void>;
  /** What each run has to wait for before it can be made. */
  prepare?(signal: AbortSignal): Promise<void>;
  /**
   * May throw: the instance then fails as if its run had. `attempt` counts the runs from 1; each line
   * that the run logs has it.
   */
  create(target: TargetState, onState: (state: Shown) => void, attempt: number): R;
  /** `safe`: said by the runtime, not by the instance. */
  onStatus(state: ConnectorState, trace: string | null, safe: boolean): void;
  onChange(): void;
  /** It failed of something that its next run goes past. */
  onProgress?(): void;
}

type Shown = "RUNNING" | "PAUSED" | "STOPPED";

const places: Record<Shown, InstanceAt> = {
  RUNNING: "running",
  PAUSED: "paused",
  STOPPED: "stopped",
};

/**
 * What runs under one name from its start to its stop, restarts by policy included. I4: there is one
 * per name, and what an ended run still says is not heard.
 */
export class Instance<R extends Runnable> {
  readonly #options: InstanceOptions<R>;
  readonly #stop = new AbortController();
  #at: InstanceAt = "starting";
  /** Which run this is, from 1. */
  #attempt = 0;
  /** Of this run. */
  #logger: Logger;
  #target: TargetState;
  #runnable: R | undefined;
  #error: unknown;
  #runningSinceMs: number | undefined;
  /** While it waits after a failure. */
  #onTarget: (() => void) | undefined;
  /** The last status to write; null keeps the one there is. */
  #lastWord: StopWord | null = null;

  constructor(options: InstanceOptions<R>) {
    this.#options = options;
    this.#logger = options.logger;
    this.#target = options.target;
  }

  get at(): InstanceAt {
    return this.#at;
  }

  get target(): TargetState {
    return this.#target;
  }

  /** Why it failed; undefined while it has not. */
  get error(): unknown {
    return this.#error;
  }

  /** Undefined before the first start and where it could not be made. */
  get runnable(): R | undefined {
    return this.#runnable;
  }

  setTarget(target: TargetState): void {
    this.#target = target;
    if (this.#onTarget === undefined) this.#runnable?.setTarget(target);
    else this.#onTarget();
  }

  /** What its process died of does not come again. */
  forgetFailures(): void {
    this.#options.restarts.reset();
  }

  /** `run` resolves when it has stopped. */
  stop(word: StopWord): void {
    if (this.#at === "stopping") return;
    // What has failed keeps its trace, unless it is on its way to a new start.
    this.#lastWord = this.#at === "failed" && word === "UNASSIGNED" ? null : word;
    this.#move("stopping");
    this.#stop.abort();
  }

  /** Resolves when it was asked to stop and has; never rejects. */
  async run(): Promise<void> {
    const { label, onStatus } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#runOnce(signal);
      } catch (error) {
        if (signal.aborted) {
          this.#logger.warn(`${label} failed while stopping: ${errorLine(error)}`);
        } else if (isCondemned(error)) this.#moveOut(error);
        else if (isAway(error)) await this.#awaitPlugin(error, signal);
        else {
          await this.#awaitRestart(this.#fail(error), signal);
        }
      }
    }
    this.#logger.info(`${label} has ended`);
    if (this.#lastWord !== null) onStatus(this.#lastWord, null, this.#lastWord === "UNASSIGNED");
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    let over = false;
    this.#runningSinceMs = undefined;
    this.#runnable = undefined;
    this.#attempt += 1;
    this.#bindLogger();
    await this.#options.prepare?.(signal);
    if (signal.aborted) return;
    this.#bindLogger();
    const onState = (state: Shown) => {
      if (!over) this.#show(state);
    };
    this.#runnable = this.#options.create(this.#target, onState, this.#attempt);
    try {
      await this.#runnable.run(signal);
    } finally {
      over = true;
    }
    if (!signal.aborted) {
      throw new TaskError("worker.ended_early", "it ended without having been asked to");
    }
  }

  /** Each line says what is known of the run by now. */
  #bindLogger(): void {
    const known = { plugin: this.#options.plugin(), pid: this.#runnable?.pid };
    this.#logger = this.#options.logger.child({ ...known, attempt: this.#attempt });
  }

  #show(state: Shown): void {
    if (this.#at === "stopping") return;
    const { label, onStatus } = this.#options;
    if (state === "RUNNING") {
      this.#runningSinceMs ??= this.#options.clock.elapsedMs();
      this.#bindLogger();
    }
    // Told once: a stop that is asked for again changes nothing.
    if (this.#at !== places[state]) this.#logger.info(`${label} is ${state.toLowerCase()}`);
    onStatus(state, null, false);
    this.#move(places[state]);
  }

  /**
   * Its process has to end because of something else in it. That is no failure: no policy is asked,
   * and the next run begins at once, in a new process.
   */
  #moveOut(error: unknown): void {
    const { label, onStatus } = this.#options;
    this.#logger.warn(`${label} starts again in a new process: ${errorLine(error)}`);
    onStatus("RESTARTING", null, false);
    this.#move("starting");
  }

  /** Its plugin is started by hand. That it is not there is no failure, however often. */
  async #awaitPlugin(error: unknown, signal: AbortSignal): Promise<void> {
    const { arrival, label, onStatus } = this.#options;
    this.#logger.info(`${label} waits for its plugin: ${errorLine(error)}`);
    onStatus("UNASSIGNED", null, true);
    this.#move("waiting");
    // Paused or stopped it needs no plugin.
    const changed = new AbortController();
    this.#onTarget = () => changed.abort();
    await arrival?.(AbortSignal.any([signal, changed.signal]));
    this.#onTarget = undefined;
    if (!signal.aborted) this.#move("starting");
  }

  /** Answers how long to wait for the next run; undefined: until somebody asks for it. */
  #fail(error: unknown): number | undefined {
    const { clock, label, onProgress, onStatus, restarts } = this.#options;
    const nowMs = clock.elapsedMs();
    if (isProgress(error)) {
      restarts.reset();
      onProgress?.();
    }
    const next: NextStart = isForGood(error)
      ? { at: "never" }
      : restarts.failed(nowMs, nowMs - (this.#runningSinceMs ?? nowMs));
    const givenUp = next.at === "given-up" ? `${next.why}: ` : "";
    this.#error = error;
    this.#logger.error(`${label} failed: ${givenUp}${errorLine(error)}`);
    const trace = failureTrace(error);
    onStatus("FAILED", next.at === "given-up" ? `${next.why}\n${trace}` : trace, true);
    this.#move("failed");
    return next.at === "again" ? next.delayMs : undefined;
  }

  /** Waits for the policy's delay, or for the one target that heals a failure by itself: STOPPED. */
  async #awaitRestart(delayMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { clock, label, onStatus } = this.#options;
    const stopped = new AbortController();
    const over = AbortSignal.any([signal, stopped.signal]);
    this.#onTarget = () => {
      if (this.#target === "STOPPED") stopped.abort();
    };
    this.#onTarget();
    if (delayMs === undefined) await untilAborted(over);
    else {
      const level = levelOfDelay(delayMs);
      const text = `${label} starts again in ${delayMs} ms`;
      this.#logger[level === "debug" ? "info" : level]({ delayMs }, text);
      await clock.sleep(delayMs, over);
    }
    this.#onTarget = undefined;
    if (signal.aborted) return;
    if (!stopped.signal.aborted) onStatus("RESTARTING", null, false);
    this.#error = undefined;
    this.#move("starting");
  }

  #move(at: InstanceAt): void {
    this.#at = at;
    this.#options.onChange();
  }
}

function isCondemned(error: unknown): boolean {
  return error instanceof HostError && error.code === "plugin.condemned";
}

function isAway(error: unknown): boolean {
  return error instanceof HostError && error.code === "plugin.away";
}

/** Another start would only kill another process. */
function isForGood(error: unknown): boolean {
  return error instanceof HostError && error.code === "task.record_kills";
}

/** The next run goes past what ended this one. */
function isProgress(error: unknown): boolean {
  return error instanceof HostError && error.code === "task.record_quarantined";
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

/**
 * What the status shows: the plugin's own stack, else the words of an error that the host made on
 * purpose (where in the host says nothing to a user), else everything that is known of a bug.
 */
function failureTrace(error: unknown): string {
  if (!(error instanceof HostError)) return errorTrace(error);
  const line = errorLine(error);
  const hint = errorHint(error);
  const trace = ownTrace(error);
  if (hint === undefined && error instanceof TaskError && error.trace !== undefined) {
    return error.trace;
  }
  // One line, for that is what lists and alerts show of a trace: what failed, why, what to do.
  const first = hint === undefined ? line : `${line}; ${hint}`;
  return trace === undefined ? first : `${first}\n${trace}`;
}

/** The plugin's own stack, where it failed. */
function ownTrace(error: unknown): string | undefined {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < 10; depth += 1) {
    if (at instanceof TaskError && at.trace !== undefined) return at.trace;
    at = at.cause;
  }
  return undefined;
}
