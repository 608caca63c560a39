/**
 * What a source's and a sink's stream have in common: Started, the way to Stopped, an end in words,
 * and a bounded list of what the plugin said that nobody has taken yet.
 */
import { Metadata, status } from "@grpc/grpc-js";
import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { errorLine, TaskError } from "../base/error.ts";
import type { ByteStream } from "./grpc-service.ts";
import { Outbox } from "./outbox.ts";
import type { Failure } from "./plugin.ts";
import { protocolError } from "./protocol-error.ts";
import { refusalOf } from "./refused-message.ts";

export interface TaskStreamOptions {
  /** `file-0`, for messages. */
  taskName: string;
  /** What messages call it, where it is no task of that name. */
  called?: string;
  messageBytesMax: number;
  /** Why the process is gone; undefined when it is not. */
  whyGone: () => Promise<string | undefined>;
  /** Fires, with the reason, when it has to end because nobody ends the process. */
  streamsOver?: AbortSignal | undefined;
}

export interface TaskStreamParts extends TaskStreamOptions {
  /** Takes one message. What it throws ends the stream as a protocol error. */
  receive: (message: Buffer) => void;
  /** Undefined: its end is asked for elsewhere, and the plugin's half-close answers. */
  encodeStop?: (timeoutMs: number) => Uint8Array;
  /** The stream is over: whoever waits for an answer gets the error. */
  onEnd: (error: TaskError) => void;
  onDrain?: () => void;
}

/** How far a task is. */
type State =
  | { at: "starting" }
  | { at: "running" }
  | { at: "failed" }
  | { at: "stopping"; stopped: Deferred<Failure | undefined> }
  /** Stopped has come: all is well. */
  | { at: "stopped" }
  | { at: "ended"; reason: string };

/** Events that wait to be taken; what costs credit is bounded by credit, the rest by these. */
const eventsMax = 70_000;
const eventBytesMax = 32 * 1_024 * 1_024;

export class TaskStream<E extends object> {
  readonly outbox: Outbox;
  readonly #parts: TaskStreamParts;
  readonly #started = deferred<Failure | undefined>();
  readonly #ended = deferred<string>();
  readonly #events: (E | undefined)[] = [];
  /** What each event counts against `eventBytesMax`. */
  readonly #sizes: number[] = [];
  #taken = 0;
  #waitingBytes = 0;
  /** Of the message that is being received. */
  #messageBytes = 0;
  #taker: Deferred<void> | undefined;
  readonly #cut = () => this.#over(String(this.#parts.streamsOver?.reason), status.ABORTED);
  #state: State = { at: "starting" };

  constructor(call: ByteStream, parts: TaskStreamParts) {
    this.#parts = parts;
    this.outbox = new Outbox(call, parts.messageBytesMax, parts.onDrain);
    call.on("data", (message: Buffer) => this.#receive(message));
    call.once("end", () => this.#closedByPlugin());
    call.once("cancelled", () => this.#lost(refusalOf(call) ?? "its stream broke off"));
    parts.streamsOver?.addEventListener("abort", this.#cut, { once: true });
    // A good ticket is answered at once: only then the plugin runs user code.
    call.sendMetadata(new Metadata());
  }

  /** Why it ended; open as long as it has not. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Whether the plugin may still say something that matters. */
  get listening(): boolean {
    return this.#state.at === "starting" || this.#state.at === "running";
  }

  get over(): boolean {
    return this.#state.at === "stopped" || this.#state.at === "ended";
  }

  /** Resolves with nothing at Started, with the failure of the user's start otherwise. */
  get started(): Promise<Failure | undefined> {
    return this.#started.promise;
  }

  /** @throws TaskError `plugin.protocol_error` when it comes twice or late */
  takeStarted(): void {
    if (this.#state.at === "stopping") return;
    if (this.#state.at !== "starting") throw protocolError("Started came where it is not allowed");
    this.#state = { at: "running" };
    this.#started.resolve(undefined);
  }

  /** True when it is the failure of a running task, so an event; a start's is answered here. */
  takeFailure(failure: Failure): boolean {
    if (this.#state.at === "starting") {
      this.#state = { at: "failed" };
      this.#started.resolve(failure);
      return false;
    }
    if (this.#state.at !== "running") return false;
    this.#state = { at: "failed" };
    return true;
  }

  /** Stopped ends the stream, well when it was asked for. */
  takeStopped(failure: Failure | undefined): void {
    if (this.#state.at !== "stopping") {
      const why = failure === undefined || failure.text === "" ? "" : `: ${failure.text}`;
      this.#lost(`the plugin stopped the task without being asked${why}`);
      return;
    }
    const { stopped } = this.#state;
    this.#state = { at: "stopped" };
    stopped.resolve(failure);
    this.#finish("it was stopped");
  }

  /**
   * For whoever takes the next event. I5: too many that nobody takes end the stream, and so do too
   * many bytes of those that cost no credit.
   */
  push(event: E, cost: "credit" | "free" = "free"): void {
    if (this.#events.length - this.#taken >= eventsMax) {
      throw protocolError(`the plugin sent ${eventsMax} messages ahead of the host`);
    }
    const bytes = cost === "credit" ? 0 : this.#messageBytes;
    this.#charge(bytes);
    this.#events.push(event);
    this.#sizes.push(bytes);
    this.#wake();
  }

  /** Puts the message that is being received in the place of `newest`, which there must be. */
  replaceNewest(event: E): void {
    const at = this.#events.length - 1;
    this.#charge(this.#messageBytes - (this.#sizes[at] ?? 0));
    this.#events[at] = event;
    this.#sizes[at] = this.#messageBytes;
  }

  #charge(bytes: number): void {
    this.#waitingBytes += bytes;
    if (this.#waitingBytes <= eventBytesMax) return;
    throw protocolError(`the plugin sent ${eventBytesMax} bytes of messages ahead of the host`);
  }

  /** The newest event that nobody has taken. */
  get newest(): E | undefined {
    return this.#taken < this.#events.length ? this.#events.at(-1) : undefined;
  }

  tryNext(): E | undefined {
    const event = this.#events[this.#taken];
    if (event === undefined) return undefined;
    // I5: what was taken must not be kept by a queue that never runs empty.
    this.#events[this.#taken] = undefined;
    this.#waitingBytes -= this.#sizes[this.#taken] ?? 0;
    this.#taken += 1;
    if (this.#taken === this.#events.length || this.#taken >= 1_024) {
      this.#events.splice(0, this.#taken);
      this.#sizes.splice(0, this.#taken);
      this.#taken = 0;
    }
    return event;
  }

  /** Waits; undefined once the stream is over and everything was taken. */
  async next(): Promise<E | undefined> {
    for (;;) {
      const event = this.tryNext();
      if (event !== undefined || this.over) return event;
      this.#taker ??= deferred();
      await this.#taker.promise;
    }
  }

  /** Sends Stop; resolves with what Stopped says. */
  async stop(timeoutMs: number): Promise<Failure | undefined> {
    if (this.#state.at === "stopping") return this.#state.stopped.promise;
    if (this.#state.at === "stopped") return undefined;
    if (this.#state.at === "ended") throw await this.gone();
    const stopped = deferred<Failure | undefined>();
    this.#state = { at: "stopping", stopped };
    const { encodeStop } = this.#parts;
    if (encodeStop !== undefined) this.outbox.send(encodeStop(timeoutMs));
    const late = Symbol("late");
    const answer = await within(stopped.promise, timeoutMs, late);
    if (answer !== late) return answer as Failure | undefined;
    const text = `${this.#name} did not stop within ${timeoutMs} ms`;
    this.#over(text, status.DEADLINE_EXCEEDED);
    throw new TaskError("plugin.request_timeout", text);
  }

  /**
   * What someone gets who asks something of a stream that is over: a moment later, when it is known
   * whether the process has ended, which says more.
   */
  async gone(): Promise<TaskError> {
    await this.#ended.promise;
    return this.#goneError();
  }

  get #name(): string {
    return this.#parts.called ?? `task ${this.#parts.taskName}`;
  }

  #goneError(): TaskError {
    const reason = this.#state.at === "ended" ? this.#state.reason : "it was stopped";
    return new TaskError("plugin.gone", `${this.#name} is gone: ${reason}`);
  }

  #receive(message: Buffer): void {
    if (this.over) return;
    this.#messageBytes = message.length;
    try {
      this.#parts.receive(message);
    } catch (error) {
      // The task fails; the session and its other tasks go on.
      const reason = `the plugin broke the contract: ${errorLine(error)}`;
      this.#over(reason, status.INVALID_ARGUMENT);
    }
  }

  #closedByPlugin(): void {
    const { encodeStop } = this.#parts;
    if (encodeStop !== undefined) this.#lost("the plugin closed its stream without Stopped");
    else if (this.#state.at === "stopping") this.takeStopped(undefined);
    else this.#lost("the plugin closed its stream without being asked");
  }

  /** The stream went away. The process's own end says more, when it comes. */
  #lost(how: string): void {
    if (this.over) return;
    const waiting = this.#state;
    this.#state = { at: "ended", reason: how };
    this.outbox.end();
    void this.#parts.whyGone().then((exit) => {
      this.#state = { at: "ended", reason: exit ?? how };
      if (waiting.at === "stopping") waiting.stopped.reject(this.#goneError());
      this.#finish(exit ?? `${this.#name}: ${how}`);
    });
  }

  #over(reason: string, code: number): void {
    if (this.over) return;
    const waiting = this.#state;
    this.#state = { at: "ended", reason };
    if (waiting.at === "stopping") waiting.stopped.reject(this.#goneError());
    this.outbox.fail(code, reason);
    this.#finish(reason);
  }

  #finish(reason: string): void {
    this.#parts.streamsOver?.removeEventListener("abort", this.#cut);
    this.outbox.end();
    this.#ended.resolve(reason);
    this.#started.reject(this.#goneError());
    this.#parts.onEnd(this.#goneError());
    this.#wake();
  }

  #wake(): void {
    this.#taker?.resolve();
    this.#taker = undefined;
  }
}
