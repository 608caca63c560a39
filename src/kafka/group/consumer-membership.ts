/** A member of protocol type `consumer`: which topics it wants, what it deals out, what it was given. */
import type { Clock } from "../../base/clock.ts";
import { TaskError } from "../../base/error.ts";
import type { Logger } from "../../observe/logger.ts";
import type { Transport } from "../calls.ts";
import type { SinkConsumerOptions, TopicPartition } from "../kafka.ts";
import type { GroupProtocol, JoinedMember } from "../protocol/join-group.ts";
import type { Assignor, Reader } from "./assignor.ts";
import {
  consumerProtocolVersion,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "./consumer-protocol.ts";
import { GroupMember } from "./group-member.ts";
import type { GroupSettings } from "./group-settings.ts";
import type { GivenShare } from "./member-state.ts";
import { SubscribedTopics } from "./subscribed-topics.ts";

export interface ConsumerMembershipOptions {
  readonly transport: Transport;
  readonly settings: GroupSettings;
  readonly consumer: Pick<SinkConsumerOptions, "clientId" | "groupId" | "topics" | "config">;
  readonly logger: Logger;
  readonly clock: Clock;
  /** What it reads now. */
  held(): readonly TopicPartition[];
  /** There may be something to do. */
  onChange(): void;
  /** Another look at the topics was taken. */
  onTopics(): void;
}

export class ConsumerMembership {
  readonly member: GroupMember;
  readonly topics: SubscribedTopics;
  /**
   * It reads on during a rebalance and gives up only what it is told to. As in Java, only when all of
   * its strategies allow that.
   */
  readonly isCooperative: boolean;
  readonly #options: ConsumerMembershipOptions;
  /** What it said at its last join that it subscribes to. */
  #joinedNames: readonly string[] = [];
  /** What it dealt out as leader; undefined while another leads. */
  #dealt: { readonly topics: readonly string[]; readonly counts: string } | undefined;
  /** The generation in which cooperative-sticky was last the group's strategy. */
  #stickyGeneration = -1;

  constructor(options: ConsumerMembershipOptions) {
    this.#options = options;
    const { transport, settings, consumer, logger, clock, onChange } = options;
    this.isCooperative = settings.assignors.every((assignor) => assignor.isCooperative);
    this.topics = new SubscribedTopics({
      map: transport.map,
      topics: consumer.topics,
      mayCreate: settings.mayCreateTopics,
      ageMsMax: settings.mapAgeMsMax,
      clock,
      logger,
      onLook: options.onTopics,
    });
    this.member = new GroupMember({
      transport,
      clientId: consumer.clientId,
      ...(consumer.config && { config: consumer.config }),
      groupId: consumer.groupId,
      protocolType: "consumer",
      instanceId: settings.instanceId,
      timing: settings.timing,
      logger,
      clock,
      offer: () => this.#offer(),
      assign: (protocol, members, isDealt) => this.#deal(protocol, members, isDealt),
      onChange,
    });
  }

  /** Asks for a rebalance when what was shared out is no longer what there is to read. */
  checkTopics(): void {
    if (this.member.state.at !== "stable") return;
    if (this.topics.names.join() !== this.#joinedNames.join()) {
      this.member.requestRejoin("the topics it reads are others");
    } else if (
      this.#dealt !== undefined &&
      this.#describe(this.#dealt.topics) !== this.#dealt.counts
    ) {
      this.member.requestRejoin("topics of the group came, went or grew");
    }
  }

  /** What a share says; call it once for each that is taken. */
  partitionsOf(given: GivenShare): readonly TopicPartition[] {
    if (given.protocol === "cooperative-sticky") this.#stickyGeneration = given.generation;
    return decodeAssignment(given.assignment).partitions;
  }

  async #offer(): Promise<readonly GroupProtocol[]> {
    await this.topics.look();
    this.#dealt = undefined;
    this.#joinedNames = this.topics.names;
    const generation = this.member.membership?.generation ?? -1;
    const owned = this.isCooperative ? this.#options.held() : [];
    return this.#options.settings.assignors.map(({ name, isCooperative }) => ({
      name,
      metadata: encodeSubscription({
        version: consumerProtocolVersion,
        topics: this.#joinedNames,
        userData: isCooperative ? int32(this.#stickyGeneration) : null,
        owned,
        generation,
        rackId: null,
      }),
    }));
  }

  async #deal(
    protocol: string,
    members: readonly JoinedMember[],
    isDealt: boolean,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const assignor = this.#options.settings.assignors.find(({ name }) => name === protocol);
    if (assignor === undefined) {
      const text = `cannot deal out partitions by ${protocol}: it was not offered`;
      throw new TaskError("kafka.answer_malformed", text);
    }
    const readers = members.map((member) => readerOf(member, assignor));
    const topics = [...new Set(readers.flatMap((reader) => reader.topics))].sort();
    this.topics.alsoWatch(topics);
    await this.topics.look();
    this.#dealt = { topics, counts: this.#describe(topics) };
    if (isDealt) return new Map();
    const sharing = assignor.assign(readers, this.topics.counts(topics));
    return new Map(
      [...sharing].map(([memberId, partitions]) => [
        memberId,
        encodeAssignment({ version: consumerProtocolVersion, partitions, userData: null }),
      ]),
    );
  }

  #describe(topics: readonly string[]): string {
    return JSON.stringify([...this.topics.counts(topics)]);
  }
}

function readerOf(
  { memberId, instanceId, metadata }: JoinedMember,
  { isCooperative }: Assignor,
): Reader {
  const { topics, owned, userData, ...rest } = decodeSubscription(metadata);
  // Consumers before version 2 say the generation in what only this strategy reads.
  const isSaidThere = isCooperative && rest.version < 2 && userData?.length === 4;
  const generation = isSaidThere ? Buffer.from(userData).readInt32BE() : rest.generation;
  return { memberId, instanceId, topics, owned, generation };
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
