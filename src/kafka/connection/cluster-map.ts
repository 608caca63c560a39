import { systemClock } from "../../base/clock.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { RetriableError } from "../../base/error.ts";
import { brokerCode, brokerError } from "../broker-error.ts";
import type { ClusterMap, Connections, CoordinatorKey, TopicPlaces } from "../calls.ts";
import { findCoordinator } from "../protocol/find-coordinator.ts";
import { type MetadataResponse, metadata, type TopicMetadata } from "../protocol/metadata.ts";
import type { BrokerDirectory } from "./broker-directory.ts";
import { closed } from "./broker-lane.ts";
import type { ConnectionConfig } from "./client-config.ts";

export interface LiveClusterMapOptions {
  readonly directory: BrokerDirectory;
  readonly connections: Connections;
  readonly config: ConnectionConfig;
}

/** A question that is to be asked of the cluster, for all who want the same at that time. */
interface Question {
  readonly topics: Set<string>;
  readonly create: boolean;
  readonly answered: Deferred<void>;
}

interface KnownTopic {
  readonly errorCode: number;
  readonly places: TopicPlaces | undefined;
  readonly toldMs: number;
  /** Somebody looked it up since the map was last renewed as a whole. */
  isWanted: boolean;
}

/** I5: groups and transactional ids whose coordinators are remembered. */
const coordinatorsMax = 10_000;

/** The map of one cluster, shared by everything that talks to it; asks one question at a time. */
export class LiveClusterMap implements ClusterMap {
  readonly #options: LiveClusterMapOptions;
  readonly #topics = new Map<string, KnownTopic>();
  readonly #coordinators = new Map<string, Promise<number>>();
  readonly #stop = new AbortController();
  #clusterId: string | undefined;
  /** Not yet asked; the first is next. */
  readonly #questions: Question[] = [];
  #isAsking = false;
  #renewal: NodeJS.Timeout | undefined;

  constructor(options: LiveClusterMapOptions) {
    this.#options = options;
  }

  /** "" until a broker answered. */
  get clusterId(): string {
    return this.#clusterId ?? "";
  }

  topic(name: string): TopicPlaces | undefined {
    const known = this.#topics.get(name);
    if (known !== undefined) known.isWanted = true;
    return known?.places;
  }

  topicError(name: string): number | undefined {
    return this.#topics.get(name)?.errorCode;
  }

  refresh(topics: readonly string[], options: { create?: boolean } = {}): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(closed());
    const create = options.create === true && topics.length > 0;
    let question = this.#questions.find((asked) => asked.create === create);
    if (question === undefined) {
      question = { topics: new Set(), create, answered: deferred() };
      this.#questions.push(question);
    }
    for (const topic of topics) question.topics.add(topic);
    if (!this.#isAsking) void this.#ask();
    return question.answered.promise;
  }

  async topicNames(): Promise<readonly string[]> {
    const answer = await this.#call({ topics: null, create: false });
    this.#takeBrokers(answer);
    return answer.topics
      .filter(({ errorCode }) => errorCode !== brokerCode.unknownTopicOrPartition)
      .map(({ name }) => name);
  }

  coordinator(of: CoordinatorKey): Promise<number> {
    const key = `${of.kind}:${of.id}`;
    const known = this.#coordinators.get(key);
    if (known !== undefined) return known;
    const found = this.#findCoordinator(of);
    this.#coordinators.set(key, found);
    if (this.#coordinators.size > coordinatorsMax) {
      const [oldest] = this.#coordinators.keys();
      if (oldest !== undefined) this.#coordinators.delete(oldest);
    }
    found.catch(() => {
      if (this.#coordinators.get(key) === found) this.#coordinators.delete(key);
    });
    return found;
  }

  forgetCoordinator(of: CoordinatorKey): void {
    this.#coordinators.delete(`${of.kind}:${of.id}`);
  }

  /** The brokers may have moved; a cluster that does not answer is noticed by whoever needs it. */
  suspect(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#questions.length > 0) return;
    this.refresh([]).catch(() => {});
  }

  /** Fails whoever waits for an answer. */
  close(): void {
    this.#stop.abort(closed());
    clearTimeout(this.#renewal);
    for (const question of this.#questions.splice(0)) question.answered.reject(closed());
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    // Those who call in the same turn of the loop share the first request.
    await Promise.resolve();
    for (;;) {
      const next = this.#questions[0];
      if (next === undefined) break;
      await this.#keepApart(next.topics);
      this.#questions.shift();
      try {
        await this.#answer(next);
        next.answered.resolve();
      } catch (error) {
        next.answered.reject(error);
      }
    }
    this.#isAsking = false;
  }

  /** Waits until none of the topics was told within `retry.backoff.ms`; new topics never wait. */
  async #keepApart(topics: ReadonlySet<string>): Promise<void> {
    const nowMs = performance.now();
    let toldMs = topics.size === 0 ? this.#askedMs : Number.NEGATIVE_INFINITY;
    for (const topic of topics) {
      toldMs = Math.max(toldMs, this.#topics.get(topic)?.toldMs ?? toldMs);
    }
    const waitMs = toldMs + this.#options.config.retryBackoffMs - nowMs;
    if (waitMs > 0) await systemClock.sleep(waitMs, this.#stop.signal);
  }

  /** When the brokers alone were last asked for, or failed to answer. */
  #askedMs = Number.NEGATIVE_INFINITY;

  async #answer({ topics, create }: Question): Promise<void> {
    const names = [...topics];
    try {
      const answer = await this.#call({ topics: names, create });
      this.#takeBrokers(answer);
      const nowMs = performance.now();
      for (const topic of answer.topics) this.#takeTopic(topic, nowMs);
    } finally {
      this.#askedMs = performance.now();
    }
    this.#renewLater();
  }

  async #call(request: Parameters<typeof metadata.write>[1]): Promise<MetadataResponse> {
    const { signal } = this.#stop;
    return this.#options.connections.call({ at: "any" }, metadata, request, { signal });
  }

  #takeBrokers({ brokers, controller, clusterId }: MetadataResponse): void {
    const { directory } = this.#options;
    directory.replace(brokers);
    directory.controller = controller < 0 ? undefined : controller;
    this.#clusterId ??= clusterId ?? undefined;
  }

  #takeTopic(topic: TopicMetadata, toldMs: number): void {
    const isWanted = this.#topics.get(topic.name)?.isWanted ?? true;
    const { errorCode } = topic;
    const places = errorCode === brokerCode.none ? placesOf(topic, toldMs) : undefined;
    this.#topics.set(topic.name, { errorCode, places, toldMs, isWanted });
  }

  /** Partitions that are added later, and leaders that moved unnoticed, are seen in the end. */
  #renewLater(): void {
    if (this.#renewal !== undefined || this.#stop.signal.aborted) return;
    this.#renewal = setTimeout(() => {
      this.#renewal = undefined;
      const wanted: string[] = [];
      for (const [name, topic] of this.#topics) {
        // I5: what nobody has looked up for that long is forgotten.
        if (topic.isWanted) wanted.push(name);
        else this.#topics.delete(name);
        topic.isWanted = false;
      }
      this.refresh(wanted).catch(() => this.#renewLater());
    }, this.#options.config.metadataAgeMsMax);
    this.#renewal.unref();
  }

  async #findCoordinator(of: CoordinatorKey): Promise<number> {
    const { connections, directory } = this.#options;
    const { signal } = this.#stop;
    const answer = await connections.call({ at: "any" }, findCoordinator, of, { signal });
    if (answer.errorCode !== brokerCode.none) {
      const doing = `find the coordinator of ${of.kind} ${of.id}`;
      throw brokerError(answer.errorCode, doing, answer.errorMessage);
    }
    directory.add(answer);
    return answer.node;
  }
}

function placesOf(topic: TopicMetadata, toldMs: number): TopicPlaces {
  const count = topic.partitions.reduce((most, { partition }) => Math.max(most, partition + 1), 0);
  if (count > topic.partitions.length) {
    const text = `cannot read a broker's answer: it leaves out partitions of ${topic.name}`;
    throw new RetriableError("kafka.answer_malformed", text);
  }
  const leaders = new Array<number>(count).fill(-1);
  const leaderEpochs = new Array<number>(count).fill(-1);
  for (const { partition, leader, leaderEpoch, errorCode } of topic.partitions) {
    // REPLICA_NOT_AVAILABLE and the like say nothing against the leader that stands beside them.
    leaders[partition] = errorCode === brokerCode.leaderNotAvailable ? -1 : leader;
    leaderEpochs[partition] = leaderEpoch;
  }
  return { name: topic.name, leaders, leaderEpochs, isInternal: topic.isInternal, toldMs };
}
