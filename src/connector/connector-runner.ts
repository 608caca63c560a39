import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { errorLine, isLate, TaskError } from "../base/error.ts";
import type { Logger } from "../observe/logger.ts";
import type { ConnectorConfig, ExitReason, ProcessLease } from "../plugin/plugin.ts";
import type { TargetState } from "../state/status.ts";
import type {
  Connector,
  ConnectorParts,
  ConnectorSpec,
  CreateConnector,
  OnConnectorState,
  TaskConfigsAnswer,
} from "./connector.ts";

/** The one function that makes a Connector instance. */
export const createConnector: CreateConnector = (spec, parts, target, onState) =>
  new ConnectorRunner(spec, parts, target, onState);

class ConnectorRunner implements Connector {
  readonly #spec: ConnectorSpec;
  readonly #parts: ConnectorParts;
  readonly #onState: OnConnectorState;
  #target: TargetState;
  /** What was last told to `onState`. */
  #shown: TargetState | undefined;
  /** Held from before the plugin's start until after its stop. */
  #lease: ProcessLease | undefined;
  /** Of the process that it is or was in. */
  #logger: Logger;
  #started = false;
  #failure: { error: unknown } | undefined;
  #changed: Deferred<void> = deferred();

  constructor(
    spec: ConnectorSpec,
    parts: ConnectorParts,
    target: TargetState,
    onState: OnConnectorState,
  ) {
    this.#spec = spec;
    this.#parts = parts;
    this.#logger = parts.logger;
    this.#target = target;
    this.#onState = onState;
  }

  get pid(): number | undefined {
    return this.#lease?.process.pid;
  }

  setTarget(target: TargetState): void {
    this.#target = target;
    this.#changed.resolve();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.resolve();
  }

  async taskConfigs(
    tasksMax: number,
    previous: readonly ConnectorConfig[],
  ): Promise<TaskConfigsAnswer> {
    const { name } = this.#spec;
    if (this.#lease === undefined || !this.#started) {
      throw new TaskError("connector.not_started", `connector ${name} has no tasks: not started`);
    }
    return this.#lease.process.taskConfigs(name, tasksMax, previous);
  }

  async run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    try {
      while (!signal.aborted) {
        this.#changed = deferred();
        if (this.#failure !== undefined) throw this.#failure.error;
        await this.#follow(this.#target, signal, aborted);
        const gone = [this.#condemned(), this.#processGone()];
        await Promise.race([this.#changed.promise, aborted, ...gone]);
      }
    } finally {
      const error = await this.#stop();
      if (error !== undefined) this.#warn("did not stop cleanly", error);
    }
  }

  /** A target that changes meanwhile is followed next: of several only the newest is. */
  async #follow(target: TargetState, signal: AbortSignal, aborted: Promise<void>): Promise<void> {
    if (target === "STARTED" && !this.#started) await this.#start(signal, aborted);
    if (target !== "STARTED" && this.#started) {
      const condemned = this.#lease?.condemned;
      const error = await this.#stop();
      // As in Connect: a connector that cannot pause has failed, one that cannot stop is stopped. A
      // process that ends for another's fault has stopped it as well.
      const excused = condemned?.aborted === true;
      if (error !== undefined && target === "PAUSED" && !excused) throw error;
      if (error !== undefined) this.#warn("did not stop cleanly", error);
    }
    if (signal.aborted || this.#shown === target) return;
    this.#shown = target;
    this.#onState(target === "STARTED" ? "RUNNING" : target);
  }

  async #start(signal: AbortSignal, aborted: Promise<void>): Promise<void> {
    const { name, className, config } = this.#spec;
    let lease: ProcessLease;
    try {
      lease = await this.#parts.acquireProcess(signal);
    } catch (error) {
      // Being stopped while starting is not an error.
      if (signal.aborted) return;
      throw error;
    }
    this.#lease = lease;
    this.#logger = this.#parts.logger.child({ pid: lease.process.pid });
    this.#started = true;
    const starting = lease.process.startConnector(name, className, config).catch((error) => {
      // One that did not answer in time may still be at it, and is stopped like one that runs.
      if (!isLate(error)) this.#started = false;
      throw error;
    });
    await Promise.race([starting, aborted, this.#condemned()]);
  }

  /** Stops the plugin's code and gives the process back. Returns what went wrong, never throws. */
  async #stop(): Promise<unknown> {
    const lease = this.#lease;
    const { name, stopMsMax } = this.#spec;
    if (lease === undefined) return undefined;
    const stopping = this.#started ? lease.process.stopConnector(name) : Promise.resolve();
    this.#started = false;
    const late = new TaskError(
      "connector.stop_timeout",
      `connector ${name} did not stop within ${stopMsMax} ms`,
    );
    const error = await within(
      stopping.then(
        () => undefined,
        (cause: unknown) => cause,
      ),
      stopMsMax,
      late,
    );
    this.#lease = undefined;
    // Either deadline may be the shorter one.
    if (error === late || isLate(error)) await lease.condemn(late.message);
    else await lease.release();
    return error;
  }

  /** Rejects when the process has to end because of something else in it; else stays pending. */
  #condemned(): Promise<never> {
    const condemned = this.#lease?.condemned;
    return new Promise((_resolve, reject) => {
      if (condemned?.aborted) reject(condemned.reason);
      condemned?.addEventListener("abort", () => reject(condemned.reason), { once: true });
    });
  }

  /** Rejects when the process that holds the instance has ended; else stays pending. */
  #processGone(): Promise<never> {
    const lease = this.#lease;
    if (lease === undefined) return new Promise(() => {});
    return lease.process.exited.then((reason) => {
      if (this.#lease === lease) this.#started = false;
      throw goneError(reason);
    });
  }

  #warn(what: string, error: unknown): void {
    this.#logger.warn(`connector ${what}: ${errorLine(error)}`);
  }
}

function goneError({ text, lastStderr }: ExitReason): TaskError {
  // The words that its tasks fail with too, so that one trace explains all of them.
  const lines =
    lastStderr.length === 0 ? "" : `; its last lines on stderr:\n${lastStderr.join("\n")}`;
  return new TaskError("plugin.gone", text, { trace: text + lines });
}
