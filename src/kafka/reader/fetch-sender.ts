/**
 * Asks brokers for what places lack: at each broker one request that waits until there is something,
 * sent again while its last answer is being worked on.
 *
 * A broker is asked when all of its places are hungry, so that each request names them all: one that was
 * left out would have to wait until the request ends.
 */
import { Backoff } from "../../base/backoff.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { unlessAborted } from "../../base/deadline.ts";
import { RetriableError } from "../../base/error.ts";
import type { Scope } from "../../base/scope.ts";
import type { Logger } from "../../observe/logger.ts";
import { brokerCode, brokerError } from "../broker-error.ts";
import type { Connections, Transport } from "../calls.ts";
import { type FetchResponse, fetch } from "../protocol/fetch.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import type { FetchPlace } from "./fetch-place.ts";
import type { FetchSettings } from "./fetch-settings.ts";
import { LastingTrouble } from "./lasting-trouble.ts";

/** With less room than this at a broker nothing is asked of it. */
const roomBytesMin = 64 * 1024;

export interface FetchSenderOptions {
  readonly transport: Transport;
  readonly connections: Connections;
  readonly settings: FetchSettings;
  readonly readCommitted: boolean;
  readonly scope: Scope;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly memory: AnswerMemory;
  /** What is read, in the order in which it should be served. */
  places(): Iterable<FetchPlace>;
  /** At once when it is called, all of the answer is to be used. */
  onAnswer(answer: FetchAnswer): void;
  /** No second try helps. */
  onFailure(error: unknown): void;
}

export interface FetchAnswer {
  readonly node: number;
  readonly response: FetchResponse;
  readonly asked: readonly AskedPlace[];
  /** What the response is views of; for `AnswerMemory` when they are no longer needed. */
  readonly memory: Uint8Array | undefined;
  /** Told as what is held of the answer grows and shrinks. */
  hold(bytes: number): void;
}

/** As it stood when it was asked for; the answer is for nobody when it has moved since. */
export interface AskedPlace {
  readonly place: FetchPlace;
  readonly version: number;
  readonly offset: number;
}

interface Broker {
  readonly node: number;
  isAsked: boolean;
  heldBytes: number;
  retryAtMs: number;
  readonly backoff: Backoff;
  readonly trouble: LastingTrouble;
}

export class FetchSender {
  readonly #options: FetchSenderOptions;
  readonly #clock: Clock;
  readonly #brokers = new Map<number, Broker>();
  #isRefreshing = false;
  readonly #mapTrouble = new LastingTrouble();
  readonly #mapBackoff: Backoff;
  #mapRetryAtMs = 0;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isScheduled = false;

  constructor(options: FetchSenderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#mapBackoff = this.#newBackoff();
  }

  /** Looks a moment later what is to be asked, once for all changes until then. */
  readonly nudge = (): void => {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#send();
    });
  };

  /** The leader of this place is another one than the map says, or does not know it yet. */
  leaderIsWrong(place: FetchPlace): void {
    place.wrongToldMs = this.#options.transport.map.topic(place.topic)?.toldMs ?? -1;
  }

  #send(): void {
    if (this.#options.scope.signal.aborted) return;
    const nowMs = this.#clock.elapsedMs();
    const hungry = new Map<number, FetchPlace[]>();
    const fed = new Set<number>();
    const lost = new Set<string>();
    for (const place of this.#options.places()) {
      if (place.isPaused || place.isResetting) continue;
      if (place.retryAtMs > nowMs) {
        this.#wakeAt(place.retryAtMs);
        continue;
      }
      const node = this.#leaderOf(place);
      const known = hungry.get(node);
      if (node < 0) lost.add(place.topic);
      else if (place.leftBytes > this.#options.settings.partitionBytesMax / 2) fed.add(node);
      else if (known === undefined) hungry.set(node, [place]);
      else known.push(place);
    }
    const shareBytes = Math.floor(this.#options.settings.bytesMax / Math.max(1, hungry.size));
    for (const [node, places] of hungry) {
      if (!fed.has(node)) this.#ask(this.#broker(node), places, shareBytes, nowMs);
    }
    if (lost.size > 0) {
      this.#refresh([...lost], nowMs);
      return;
    }
    this.#mapTrouble.over();
    this.#mapBackoff.reset();
  }

  #leaderOf({ topic, partition, wrongToldMs }: FetchPlace): number {
    const told = this.#options.transport.map.topic(topic);
    if (told === undefined || told.toldMs === wrongToldMs) return -1;
    return told.leaders[partition] ?? -1;
  }

  #ask(broker: Broker, places: FetchPlace[], shareBytes: number, nowMs: number): void {
    if (broker.isAsked) return;
    if (broker.retryAtMs > nowMs) {
      this.#wakeAt(broker.retryAtMs);
      return;
    }
    // I5: what is here of a broker's answers and what it may answer stay within its share.
    if (broker.heldBytes > 0 && shareBytes - broker.heldBytes < roomBytesMin)
      this.#makeRoom(broker);
    const roomBytes = Math.max(shareBytes - broker.heldBytes, 1);
    if (broker.heldBytes > 0 && roomBytes < roomBytesMin) return;
    broker.isAsked = true;
    this.#options.scope.spawn(
      () => this.#fetch(broker, places, roomBytes),
      (error) => this.#options.onFailure(error),
    );
  }

  /** Paused places must not keep the others from being read. */
  #makeRoom(broker: Broker): void {
    for (const place of this.#options.places()) {
      if (place.isPaused && this.#leaderOf(place) === broker.node) place.drop();
    }
  }

  async #fetch(broker: Broker, places: readonly FetchPlace[], bytesMax: number): Promise<void> {
    const { connections, settings, readCommitted, scope, onAnswer, memory } = this.#options;
    const { node } = broker;
    const asked = places.map((place) => {
      const { version, fetchOffset: offset } = place;
      return { place, version, offset, leaderEpoch: this.#epochOf(place) };
    });
    const request = {
      maxWaitMs: settings.waitMsMax,
      minBytes: settings.minBytes,
      maxBytes: bytesMax,
      readCommitted,
      partitions: asked.map(({ place: { topic, partition }, offset, leaderEpoch }) => {
        return { topic, partition, offset, leaderEpoch, maxBytes: settings.partitionBytesMax };
      }),
    };
    const timeoutMs = settings.requestTimeoutMs + settings.waitMsMax;
    let taken: Uint8Array | undefined;
    const call = {
      timeoutMs,
      signal: scope.signal,
      memory: (bytes: number) => {
        taken = memory.take(bytes);
        return taken;
      },
    };
    try {
      const response = await connections.call({ at: "node", node }, fetch, request, call);
      if (response.errorCode !== 0) throw refused(response, connections.addressOf(node));
      broker.retryAtMs = this.#clock.elapsedMs() + response.throttleMs;
      broker.backoff.reset();
      broker.trouble.over();
      const hold = (bytes: number) => {
        broker.heldBytes += bytes;
      };
      onAnswer({ node, response, asked, memory: taken, hold });
    } catch (error) {
      if (scope.signal.aborted) return;
      this.#failed(broker, places, error);
    } finally {
      broker.isAsked = false;
      this.nudge();
    }
  }

  #epochOf({ topic, partition }: FetchPlace): number {
    return this.#options.transport.map.topic(topic)?.leaderEpochs[partition] ?? -1;
  }

  /** @throws what no second try can help. */
  #failed(broker: Broker, places: readonly FetchPlace[], error: unknown): void {
    const { connections, logger } = this.#options;
    broker.retryAtMs = this.#clock.elapsedMs() + broker.backoff.nextDelayMs();
    if (!(error instanceof RetriableError)) throw error;
    const told = broker.trouble.failed(this.#clock.elapsedMs());
    if (told !== undefined) {
      const address = connections.addressOf(broker.node);
      const text = `cannot read from the broker at ${address}, trying again`;
      logger[told.level]({ broker: address, lastedMs: told.lastedMs, err: error }, text);
    }
    // A broker that is gone leads nothing for long.
    for (const place of places) this.leaderIsWrong(place);
  }

  /** Topics that do not exist (yet), or whose leader is not known, are asked about again and again. */
  #refresh(topics: readonly string[], nowMs: number): void {
    if (this.#isRefreshing) return;
    if (this.#mapRetryAtMs > nowMs) {
      this.#wakeAt(this.#mapRetryAtMs);
      return;
    }
    this.#isRefreshing = true;
    this.#options.scope.spawn(
      () => this.#refreshNow(topics),
      (error) => this.#options.onFailure(error),
    );
  }

  async #refreshNow(topics: readonly string[]): Promise<void> {
    const { transport, logger, scope } = this.#options;
    try {
      await unlessAborted(transport.map.refresh(topics), scope.signal);
      for (const topic of topics) {
        const code = transport.map.topicError(topic) ?? 0;
        if (code !== 0) throw brokerError(code, `find topic ${topic}`);
      }
      this.#assertLed(new Set(topics));
    } catch (error) {
      if (scope.signal.aborted) return;
      if (!(error instanceof RetriableError)) throw error;
      const told = this.#mapTrouble.failed(this.#clock.elapsedMs());
      if (told !== undefined) {
        const { level, lastedMs } = told;
        logger[level]({ lastedMs, err: error }, `cannot read ${some(topics)}, trying again`);
      }
    } finally {
      this.#isRefreshing = false;
      this.#mapRetryAtMs = this.#clock.elapsedMs() + this.#mapBackoff.nextDelayMs();
      this.nudge();
    }
  }

  /** @throws RetriableError that names the first partition which nobody leads */
  #assertLed(topics: ReadonlySet<string>): void {
    for (const place of this.#options.places()) {
      if (place.isPaused || !topics.has(place.topic) || this.#leaderOf(place) >= 0) continue;
      const doing = `find the leader of ${place.topic}-${place.partition}`;
      throw brokerError(brokerCode.leaderNotAvailable, doing);
    }
  }

  #broker(node: number): Broker {
    const known = this.#brokers.get(node);
    if (known !== undefined) return known;
    const made: Broker = {
      node,
      isAsked: false,
      heldBytes: 0,
      retryAtMs: 0,
      backoff: this.#newBackoff(),
      trouble: new LastingTrouble(),
    };
    this.#brokers.set(node, made);
    return made;
  }

  #newBackoff(): Backoff {
    const { retryBackoffMs, retryBackoffMsMax } = this.#options.settings;
    return new Backoff({ firstMs: retryBackoffMs, maxMs: retryBackoffMsMax });
  }

  #wakeAt(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timerAtMs = atMs;
    this.#options.scope.spawn(
      async (signal) => {
        await this.#clock.sleep(Math.max(1, atMs - this.#clock.elapsedMs()), signal);
        if (this.#timerAtMs === atMs) this.#timerAtMs = Number.POSITIVE_INFINITY;
        this.#send();
      },
      (error) => this.#options.onFailure(error),
    );
  }
}

/** The broker could do nothing with the request as a whole: tried again, as Java does, whatever it says. */
function refused({ errorCode }: FetchResponse, address: string): RetriableError {
  const { message } = brokerError(errorCode, `read from ${address}`);
  return new RetriableError("kafka.broker_busy", message);
}

/** The first of them. */
function some(topics: readonly string[]): string {
  const shown = topics.slice(0, 3).join(", ");
  return topics.length > 3 ? `${shown} and ${topics.length - 3} more topics` : shown;
}
