import { create } from "@bufbuild/protobuf";
import type { OffsetReader } from "../connector-definition.ts";
import { deferred } from "../deferred.ts";
import { StartTaskRequestSchema } from "../gen/bulkhead/plugin/v1/connector_pb.ts";
import type { Failure } from "../gen/bulkhead/plugin/v1/error_pb.ts";
import type { Log, LogDetails, LogLevelName } from "../log.ts";
import { MetricRegistry } from "../metrics.ts";
import type { RunningTask, TaskHost } from "../task-host.ts";
import { TaskStream } from "../task-stream.ts";
import { HarnessClock } from "./harness-clock.ts";
import { MemoryStream } from "./memory-stream.ts";

export const messageBytesMax = 4 * 1024 * 1024;

/** The task failed, or did not do in time what was waited for. The stack is that of the user's code. */
export class HarnessError extends Error {
  /** @internal */
  constructor(text: string, stack = "") {
    super(text);
    this.name = "HarnessError";
    if (stack !== "") this.stack = `${this.name}: ${text}\n${stack}`;
  }
}

export interface HarnessOptions {
  /** The number of the task, 0 unless given. */
  readonly task?: number;
  /** How long anything may take, in real time; 20 s unless given. */
  readonly waitMs?: number;
}

/** A line that the task logged. */
export interface LoggedLine {
  readonly level: LogLevelName;
  readonly text: string;
  readonly details: LogDetails | undefined;
}

interface Waiter {
  readonly done: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What the harnesses of sources and sinks have in common: a task whose stream is in memory. */
export abstract class TaskHarness {
  /** Stands still until it is told to go on. */
  readonly clock = new HarnessClock();
  /** What the task has logged so far. */
  readonly logged: LoggedLine[] = [];
  protected number: number;
  readonly #texts: Readonly<Record<string, string>>;
  readonly #waitMs: number;
  readonly #waiters = new Set<Waiter>();
  #stream: MemoryStream | undefined;
  #running: RunningTask | undefined;
  #failure: Failure | undefined;
  #isStarted = false;

  /** @internal */
  constructor(texts: Readonly<Record<string, string>>, options: HarnessOptions) {
    this.#texts = texts;
    this.number = options.task ?? 0;
    this.#waitMs = options.waitMs ?? 20_000;
    this.clock.watch(() => this.changed());
  }

  /** The process is gone: what was not committed is forgotten, no function is called any more. */
  async crash(): Promise<void> {
    const running = this.#running;
    this.#stream = undefined;
    running?.abandon("the harness crashed the task");
    await this.#within(running?.done, "end");
    this.#failure = undefined;
  }

  /** A new task, which begins where the commits say; one that still runs is stopped first. */
  async resume(): Promise<void> {
    if (this.#stream !== undefined) await this.stop();
    await this.begin();
  }

  /**
   * Ends the task as a host does.
   * @throws HarnessError with what its functions threw
   */
  async stop(): Promise<void> {
    const running = this.#running;
    this.sendStop();
    await this.#within(running?.done, "stop");
    this.#stream = undefined;
    this.#raise();
  }

  /** Ends what still runs; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stream !== undefined) await this.stop();
  }

  /** @internal */
  abstract begin(): Promise<void>;
  protected abstract sendStop(): void;
  protected abstract onMessage(bytes: Uint8Array): void;
  protected abstract readonly offsets: OffsetReader;

  protected async launch(start: (host: TaskHost) => RunningTask): Promise<void> {
    this.#failure = undefined;
    this.#isStarted = false;
    const stream = new MemoryStream((bytes) => {
      if (this.#stream !== stream) return;
      this.onMessage(bytes);
      this.changed();
    });
    this.#stream = stream;
    const log = this.#log();
    this.#running = start({
      connector: "harness",
      request: create(StartTaskRequestSchema, {
        task: this.number,
        taskConfig: this.#texts,
        connectorConfig: this.#texts,
        errantRecordReporter: true,
        offsetFlushIntervalMs: 60_000n,
      }),
      messageBytesMax,
      log,
      metrics: new MetricRegistry().open("harness", this.number, log).metrics,
      offsets: this.offsets,
      clock: this.clock,
      openStream: (onMessage) => new TaskStream(stream.plugin, onMessage),
    });
    await this.until(() => this.#isStarted, "start");
  }

  protected send(bytes: Uint8Array): void {
    this.#stream?.send(bytes);
  }

  protected started(): void {
    this.#isStarted = true;
  }

  protected failed(failure: Failure | undefined): void {
    this.#failure = failure ?? this.#failure;
  }

  /** Waits for it, or throws what went wrong instead. */
  protected async until(done: () => boolean, what: string): Promise<void> {
    this.#raise();
    if (done()) return;
    const { promise, resolve, reject } = deferred();
    const waiter = { done, resolve, reject };
    this.#waiters.add(waiter);
    const late = setTimeout(() => reject(this.#late(what)), this.#waitMs);
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.#waiters.delete(waiter);
    }
  }

  protected changed(): void {
    for (const waiter of this.#waiters) {
      if (this.#failure !== undefined) {
        try {
          this.#raise();
        } catch (error) {
          waiter.reject(error as Error);
        }
      } else if (waiter.done()) waiter.resolve();
    }
  }

  async #within(done: Promise<void> | undefined, what: string): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(this.#late(what)), this.#waitMs);
    });
    try {
      await Promise.race([done, limit]);
    } finally {
      clearTimeout(late);
    }
  }

  #late(what: string): HarnessError {
    return new HarnessError(`the task did not ${what} within ${this.#waitMs} ms`);
  }

  #raise(): void {
    const failure = this.#failure;
    if (failure === undefined) return;
    this.#failure = undefined;
    throw new HarnessError(failure.text, failure.stack);
  }

  #log(): Log {
    const write = (level: LogLevelName) => (text: string, details?: LogDetails) => {
      this.logged.push({ level, text, details });
    };
    return {
      trace: write("trace"),
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      fatal: write("fatal"),
    };
  }
}
