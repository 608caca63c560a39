import type { Socket } from "node:net";
import { type HostError, RetriableError } from "../../base/error.ts";
import { readInt32 } from "../../batch/varint.ts";
import type { Api } from "../protocol/api.ts";
import {
  type BrokerVersions,
  commonVersion,
  versionsUnsupported,
} from "../protocol/api-versions.ts";
import { WireReader } from "../protocol/wire-reader.ts";
import { WireWriter } from "../protocol/wire-writer.ts";
import { type BrokerAddress, brokerName } from "./broker-address.ts";
import type { AnyCall } from "./broker-call.ts";
import { BrokerCall } from "./broker-call.ts";
import { FrameReader, frameHeader } from "./frames.ts";
import type { SocketInput } from "./socket-input.ts";

/** A socket whose broker knows who we are; nobody listens to it any more. */
export interface Dialled {
  readonly socket: Socket;
  readonly input: SocketInput;
  readonly versions: BrokerVersions;
  /** How long the broker accepts the login; 0 = for ever. */
  readonly sessionMs: number;
  /** Logs in once more through the same socket and resolves with the new `sessionMs`. */
  readonly reauthenticate: (send: RawSend) => Promise<number>;
  /** What is worth a look when the broker hangs up before it ever answered. */
  readonly hangUpHint: string | undefined;
}

/** One request as bytes; resolves with the body of its answer. */
export type RawSend = (request: {
  readonly key: number;
  readonly name: string;
  readonly version: number;
  readonly body: Uint8Array;
}) => Promise<Uint8Array>;

export interface BrokerConnectionOptions {
  readonly address: BrokerAddress;
  readonly clientId: string;
  readonly requestTimeoutMs: number;
  /** Once, when it can carry nothing any more. */
  readonly onEnd: (error: Error) => void;
}

/** Java's clients log in anew at 85 to 95 % of a session, so that not all do so at once. */
const sessionShareMin = 0.85;
const sessionShareSpread = 0.1;

/** Memory for so much comes from a block that is shared; what views it keeps the whole block. */
const smallBytesMax = 1_024;

/** ApiVersions is answered with the first header version whatever its own version is. */
const apiVersionsKey = 18;

/**
 * Our own frames on a socket that kafkajs connected: requests leave in the order of `send`, and the
 * broker answers in that order. A request that is not answered in time ends the connection and
 * everything that is in flight on it, for nobody knows whether the socket still leads anywhere.
 */
export class BrokerConnection {
  readonly versions: BrokerVersions;
  readonly address: BrokerAddress;
  readonly #socket: Socket;
  readonly #dialled: Dialled;
  readonly #options: BrokerConnectionOptions;
  readonly #clientId: Uint8Array;
  readonly #inFlight: AnyCall[] = [];
  /** Calls that wait for a renewed login, or until the broker wants to hear us; undefined without. */
  #held: AnyCall[] | undefined;
  #reauthenticateAtMs: number;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #quiet: NodeJS.Timeout | undefined;
  #correlationId = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isCorked = false;
  #hasAnswered = false;
  #usedMs = performance.now();
  #socketError: Error | undefined;
  #end: Error | undefined;

  constructor(dialled: Dialled, options: BrokerConnectionOptions) {
    this.versions = dialled.versions;
    this.address = options.address;
    this.#socket = dialled.socket;
    this.#dialled = dialled;
    this.#options = options;
    this.#clientId = Buffer.from(options.clientId);
    this.#reauthenticateAtMs = reauthenticateAtMs(dialled.sessionMs);
    const frames = new FrameReader({
      memory: (size) => this.#memory(size),
      frame: (memory, size) => this.#answer(memory, size),
    });
    dialled.input.receive({
      room: () => frames.room(),
      arrived: (room, count) => this.#take(frames, room, count),
    });
    dialled.socket.on("error", (error) => {
      this.#socketError = error;
    });
    dialled.socket.on("close", () => this.end(this.#hungUp()));
  }

  get isOpen(): boolean {
    return this.#end === undefined && !this.#socket.destroyed && this.#socket.writable;
  }

  get inFlightCount(): number {
    return this.#inFlight.length + (this.#held?.length ?? 0);
  }

  /** Since the last request or answer, while nothing is in flight; else 0. */
  idleMs(nowMs: number): number {
    return this.inFlightCount > 0 ? 0 : nowMs - this.#usedMs;
  }

  /** The call gets an outcome from here on, also when it cannot be sent at all. */
  send(call: AnyCall): void {
    if (call.isSettled) return;
    if (this.#end !== undefined) {
      call.fail(this.#failed(call.api.name, this.#end));
      return;
    }
    if (this.#held !== undefined) {
      this.#held.push(call);
    } else if (performance.now() >= this.#reauthenticateAtMs) {
      this.#held = [call];
      void this.#reauthenticate();
    } else if (performance.now() < this.#quietUntilMs) {
      this.#held = [call];
      const waitMs = Math.ceil(this.#quietUntilMs - performance.now());
      this.#quiet = setTimeout(() => this.#sendHeld(), waitMs);
    } else {
      this.#write(call);
    }
  }

  /** Destroys the socket and fails everything in flight, saying why. May be called more than once. */
  end(error: Error): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    clearTimeout(this.#timer);
    clearTimeout(this.#quiet);
    this.#socket.destroy();
    const lost = [...this.#inFlight.splice(0), ...(this.#held?.splice(0) ?? [])];
    this.#options.onEnd(error);
    for (const call of lost) call.fail(this.#failed(call.api.name, error));
  }

  #write(call: AnyCall): void {
    const version = commonVersion(call.api, this.versions);
    if (version === undefined) {
      call.fail(versionsUnsupported(brokerName(this.address), [call.api], this.versions));
      return;
    }
    const body = new WireWriter();
    try {
      call.api.write(body, call.request, version);
    } catch (error) {
      call.fail(error);
      return;
    }
    const nowMs = performance.now();
    this.#correlationId = (this.#correlationId + 1) & 0x7fff_ffff;
    call.version = version;
    call.correlationId = this.#correlationId;
    call.deadlineMs = nowMs + call.timeoutMs;
    call.isSent = true;
    this.#usedMs = nowMs;
    this.#writeFrame(call, body);
    if (!call.isAnswered) {
      call.succeed(undefined);
      return;
    }
    this.#inFlight.push(call);
    if (call.deadlineMs < this.#timerAtMs) this.#watch(call.deadlineMs, nowMs);
  }

  #writeFrame({ api, version, correlationId }: AnyCall, body: WireWriter): void {
    const socket = this.#socket;
    if (!this.#isCorked) {
      // Requests of one turn of the loop leave in one system call, their parts uncopied.
      this.#isCorked = true;
      socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    socket.write(
      frameHeader({
        key: api.key,
        version,
        correlationId,
        clientId: this.#clientId,
        isFlexible: isFlexible(api, version),
        bodyBytes: body.sizeBytes,
      }),
    );
    for (const part of body.parts()) socket.write(part);
  }

  #take(frames: FrameReader, room: Uint8Array, count: number): void {
    if (this.#end !== undefined) return;
    try {
      frames.arrived(room, count);
    } catch (error) {
      this.end(error as Error);
    }
  }

  /** Where the next answer goes: answers come in the order of the requests. */
  #memory(size: number): Uint8Array {
    const call = this.#inFlight[0];
    const given = call?.isSettled ? undefined : call?.memory?.(size);
    return (
      given ?? (size < smallBytesMax ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size))
    );
  }

  #answer(bytes: Uint8Array, size: number): void {
    const call = this.#inFlight.shift();
    if (call === undefined) {
      if (this.#end === undefined) this.end(malformed("it answers what nobody asked"));
      return;
    }
    this.#hasAnswered = true;
    this.#usedMs = performance.now();
    const from = new WireReader(bytes, 0, size);
    if (from.int32() !== call.correlationId) {
      const error = malformed("it answers in another order than it was asked");
      this.#inFlight.unshift(call);
      this.end(error);
      return;
    }
    try {
      if (isFlexible(call.api, call.version) && call.api.key !== apiVersionsKey) from.skipTags();
      // Also of an answer that nobody waits for any more.
      const throttleMs = throttleOf(call, bytes, size - from.leftBytes, size);
      if (throttleMs > 0)
        this.#quietUntilMs = Math.max(this.#quietUntilMs, this.#usedMs + throttleMs);
      if (call.isSettled) return;
      call.succeed(call.api.read(from, call.version));
    } catch (error) {
      call.fail(this.#failed(call.api.name, error as Error));
    }
  }

  /** One timer for all that is in flight; it runs out late rather than being set for each request. */
  #watch(atMs: number, nowMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    // An answer that arrived while this process was stopped or busy is read before anybody judges.
    this.#timer = setTimeout(() => setImmediate(() => this.#judge()), Math.max(1, atMs - nowMs));
  }

  #judge(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    if (this.#end !== undefined) return;
    const nowMs = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const call of this.#inFlight) {
      if (call.deadlineMs <= nowMs) {
        this.end(this.#timedOut(call));
        return;
      }
      nextMs = Math.min(nextMs, call.deadlineMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#watch(nextMs, nowMs);
  }

  /** Between the requests before it and those held behind it, as the protocol wants it. */
  async #reauthenticate(): Promise<void> {
    try {
      const sessionMs = await this.#dialled.reauthenticate((request) => this.#sendRaw(request));
      this.#reauthenticateAtMs = reauthenticateAtMs(sessionMs);
    } catch (error) {
      this.end(error as Error);
    }
    this.#sendHeld();
  }

  #sendHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const call of held) this.send(call);
  }

  #sendRaw(request: Parameters<RawSend>[0]): Promise<Uint8Array> {
    const api: Api<Uint8Array, Uint8Array> = {
      key: request.key,
      name: request.name,
      versions: { min: request.version, max: request.version },
      write: (to, body) => to.raw(body),
      read: (from) => from.rest(),
    };
    const timeoutMs = this.#options.requestTimeoutMs;
    const call = new BrokerCall(api, request.body, { timeoutMs });
    if (this.#end === undefined) this.#write(call as AnyCall);
    else call.fail(this.#end);
    return call.promise;
  }

  #timedOut(call: AnyCall): RetriableError {
    return new RetriableError(
      "kafka.request_timeout",
      `no answer to ${call.api.name} within ${call.timeoutMs} ms, so the connection was closed`,
      { hint: "look whether the broker is overloaded or stopped, or raise request.timeout.ms" },
    );
  }

  #hungUp(): RetriableError {
    const cause = this.#socketError;
    const why = cause === undefined ? "the broker closed the connection" : cause.message;
    const hint = this.#hasAnswered ? undefined : this.#dialled.hangUpHint;
    return new RetriableError("kafka.disconnected", why, hint === undefined ? {} : { hint });
  }

  /** The end of the connection as one of its calls tells it. */
  #failed(api: string, error: Error): Error {
    const message = `cannot get an answer to ${api} from ${brokerName(this.address)}`;
    const { code } = error as Partial<HostError>;
    const known = code === "kafka.request_timeout" || code === "kafka.answer_malformed";
    if (code === "kafka.authentication_failed" || code === "kafka.closed") return error;
    return new RetriableError(known ? code : "kafka.disconnected", message, { cause: error });
  }
}

function isFlexible(api: Api<unknown, unknown>, version: number): boolean {
  return api.flexibleFrom !== undefined && version >= api.flexibleFrom;
}

/** How long a broker wants to hear nothing: 0 where the answer does not say so. */
function throttleOf(
  { api, version }: AnyCall,
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
): number {
  const { throttle } = api;
  if (throttle === undefined || version < throttle.from) return 0;
  const at = throttle.at < 0 ? end + throttle.at : bodyStart + throttle.at;
  return at >= bodyStart && at + 4 <= end ? readInt32(bytes, at) : 0;
}

function reauthenticateAtMs(sessionMs: number): number {
  if (sessionMs <= 0) return Number.POSITIVE_INFINITY;
  return performance.now() + sessionMs * (sessionShareMin + sessionShareSpread * Math.random());
}

function malformed(what: string): RetriableError {
  return new RetriableError("kafka.answer_malformed", `cannot read a broker's answer: ${what}`);
}
