/** The port's admin over a cluster. */
import { Backoff } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { RetriableError, TaskError } from "../base/error.ts";
import type { ErrorCode } from "../base/error-code.ts";
import type { Logger } from "../observe/logger.ts";
import { brokerCode, brokerCodeOf, brokerError } from "./broker-error.ts";
import type { CallTarget, Connections, TopicPlaces, Transport } from "./calls.ts";
import { fenceProducer, fencing } from "./fence-producers.ts";
import { GroupAdmin } from "./group/group-admin.ts";
import type {
  Admin,
  NewTopic,
  PartitionOffset,
  TopicDescription,
  TopicPartition,
} from "./kafka.ts";
import { createTopics } from "./protocol/create-topics.ts";
import { deleteTopics } from "./protocol/delete-topics.ts";
import { configSource, describeConfigs } from "./protocol/describe-configs.ts";
import { offsetOf } from "./protocol/list-offsets.ts";
import { lookUpOffsets } from "./reader/offset-lookup.ts";

/** Java's `default.api.timeout.ms`: how long a call is repeated that may pass. */
const apiMsMax = 60_000;
/** How long the controller may take to make or delete a topic. */
const topicMsMax = 30_000;
/** How long the brokers may take to tell of a new topic. */
const toldMsMax = 10_000;

export interface KafkaAdminParts {
  readonly transport: Transport;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export class KafkaAdmin implements Admin {
  readonly #transport: Transport;
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #groups: GroupAdmin;

  constructor({ transport, clock = systemClock }: KafkaAdminParts) {
    this.#transport = transport;
    this.#connections = transport.connections({ clientId: "bulkhead-admin" });
    this.#clock = clock;
    const call = <T>(doing: string, work: () => Promise<T>) => this.#repeat(doing, work);
    this.#groups = new GroupAdmin(transport.map, this.#connections, call);
  }

  async listTopics(): Promise<readonly string[]> {
    return this.#repeat("list the topics", () => this.#transport.map.topicNames());
  }

  async describeTopic(name: string): Promise<TopicDescription | undefined> {
    return this.#repeat(`describe topic ${name}`, async () => {
      await this.#transport.map.refresh([name]);
      const places = this.#transport.map.topic(name);
      if (this.#transport.map.topicError(name) === brokerCode.topicAuthorizationFailed) {
        throw topicError(brokerCode.topicAuthorizationFailed, `describe topic ${name}`);
      }
      if (places === undefined) return undefined;
      const config = await this.#configOf(name);
      return { name, partitionCount: places.leaders.length, config };
    });
  }

  async createTopic(topic: NewTopic): Promise<boolean> {
    const { name } = topic;
    const doing = `create topic ${name}`;
    const made = await this.#repeat(doing, async () => {
      const request = { topics: [topic], timeoutMs: topicMsMax };
      const answer = await this.#call({ at: "controller" }, createTopics, request);
      const [{ errorCode, errorMessage } = unanswered] = answer.topics;
      if (errorCode === brokerCode.topicAlreadyExists) return false;
      if (errorCode !== 0) throw topicError(errorCode, doing, errorMessage);
      return true;
    });
    if (made) await this.#untilTold(name, (places) => places !== undefined && isLed(places));
    return made;
  }

  async deleteTopic(name: string): Promise<void> {
    const doing = `delete topic ${name}`;
    await this.#repeat(doing, async () => {
      const request = { names: [name], timeoutMs: topicMsMax };
      const answer = await this.#call({ at: "controller" }, deleteTopics, request);
      const [{ errorCode } = unanswered] = answer.topics;
      if (errorCode !== 0 && errorCode !== brokerCode.unknownTopicOrPartition) {
        throw brokerError(errorCode, doing);
      }
    });
    await this.#untilTold(name, (places) => places === undefined);
  }

  async endOffsets(
    partitions: readonly TopicPartition[],
    { readCommitted = false }: { readCommitted?: boolean } = {},
  ): Promise<readonly number[]> {
    const queries = partitions.map((each) => ({ ...each, timestampMs: offsetOf.latest }));
    const { map } = this.#transport;
    return lookUpOffsets(queries, { map, connections: this.#connections, readCommitted });
  }

  groupOffsets(groupId: string): Promise<readonly PartitionOffset[]> {
    return this.#groups.offsets(groupId);
  }

  alterGroupOffsets(
    groupId: string,
    offsets: readonly (TopicPartition & { offset: number | null })[],
  ): Promise<void> {
    return this.#groups.alter(groupId, offsets);
  }

  deleteGroup(groupId: string): Promise<void> {
    return this.#groups.delete(groupId);
  }

  async fenceProducers(transactionalIds: readonly string[]): Promise<void> {
    const parts = { map: this.#transport.map, connections: this.#connections };
    await Promise.all(
      transactionalIds.map((id) => this.#repeat(fencing(id), () => fenceProducer(id, parts))),
    );
  }

  /** What the topic itself was given, and its effective clean-up policy whoever gave it. */
  async #configOf(name: string): Promise<Record<string, string>> {
    const answer = await this.#call({ at: "any" }, describeConfigs, { topics: [name], keys: null });
    const [topic] = answer.topics;
    // Who may read a topic need not be allowed to see its settings.
    if (topic === undefined || topic.errorCode === brokerCode.topicAuthorizationFailed) return {};
    if (topic.errorCode !== 0) {
      throw brokerError(topic.errorCode, `describe topic ${name}`, topic.errorMessage);
    }
    const shown = topic.entries.filter(
      ({ key, source }) => source === configSource.topic || key === "cleanup.policy",
    );
    return Object.fromEntries(shown.map(({ key, value }) => [key, value ?? ""]));
  }

  /** Brokers learn of what the controller did a moment later; whoever asks next shall find it. */
  async #untilTold(
    name: string,
    isTold: (places: TopicPlaces | undefined) => boolean,
  ): Promise<void> {
    const { map } = this.#transport;
    const endMs = this.#clock.elapsedMs() + toldMsMax;
    const backoff = new Backoff({ firstMs: 20, maxMs: 500 });
    do {
      const failure = await map.refresh([name]).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (isTold(map.topic(name)) || isClosed(failure)) return;
      await this.#clock.sleep(backoff.nextDelayMs());
    } while (this.#clock.elapsedMs() < endMs);
  }

  #call: Connections["call"] = (to: CallTarget, api, request, options) =>
    this.#connections.call(to, api, request, options);

  /** Again and again while it may pass, at most a minute. */
  async #repeat<T>(doing: string, work: () => Promise<T>): Promise<T> {
    const endMs = this.#clock.elapsedMs() + apiMsMax;
    const backoff = new Backoff({ firstMs: 100, maxMs: 1_000 });
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RetriableError) || isClosed(error)) throw error;
        const delayMs = backoff.nextDelayMs();
        if (this.#clock.elapsedMs() + delayMs > endMs) {
          const text = `cannot ${doing} within ${apiMsMax / 1_000} s`;
          throw new TaskError("kafka.call_timeout", text, { cause: error });
        }
        // A leader, a coordinator or the controller has moved: the next look finds the new one.
        if (brokerCodeOf(error) === brokerCode.notController) {
          await this.#transport.map.refresh([]).catch(() => undefined);
        }
        await this.#clock.sleep(delayMs);
      }
    }
  }
}

/** Nothing will come any more, however often it is asked. */
function isClosed(error: unknown): boolean {
  return error instanceof RetriableError && error.code === "kafka.closed";
}

/** For an answer that leaves out what was asked about. */
const unanswered = { errorCode: brokerCode.unknown, errorMessage: null };

const codesOfTopics: ReadonlyMap<number, ErrorCode> = new Map([
  [brokerCode.topicAuthorizationFailed, "kafka.not_authorized"],
  [brokerCode.clusterAuthorizationFailed, "kafka.not_authorized"],
  [brokerCode.invalidConfig, "kafka.topic_invalid"],
]);

/** As `brokerError`, where a caller has to tell faults apart; the broker's own words are the cause. */
function topicError(errorCode: number, doing: string, said?: string | null): Error {
  const error = brokerError(errorCode, doing, said);
  const code = codesOfTopics.get(errorCode);
  if (code === undefined) return error;
  const made = new TaskError(code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(said ? { cause: new Error(said) } : {}),
  });
  return Object.assign(made, { brokerCode: errorCode });
}

function isLed({ leaders }: TopicPlaces): boolean {
  return leaders.every((leader) => leader >= 0);
}

/** The admin of one worker. */
export function createKafkaAdmin(parts: KafkaAdminParts): Admin {
  return new KafkaAdmin(parts);
}
