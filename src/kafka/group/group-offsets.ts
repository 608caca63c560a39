/** Committed offsets of a group, as one of its members stores and asks for them. */
import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { FencedError, RetriableError } from "../../base/error.ts";
import { brokerCode, brokerError } from "../broker-error.ts";
import type { PartitionOffset, TopicPartition } from "../kafka.ts";
import { offsetCommit } from "../protocol/offset-commit.ts";
import { offsetFetch } from "../protocol/offset-fetch.ts";
import { placeKey } from "../reader/fetch-place.ts";
import type { GroupMember } from "./group-member.ts";
import { reactionTo } from "./group-reaction.ts";
import type { GroupTiming } from "./group-timing.ts";
import type { Membership } from "./member-state.ts";

export interface GroupOffsetsOptions {
  readonly member: GroupMember;
  readonly instanceId: string | null;
  readonly timing: GroupTiming;
  readonly clock: Clock;
  /** Resolves when the member has joined, or cannot. */
  joined(): Promise<void>;
  /** Whether the cluster says that none of these topics exists any more. */
  areGone(topics: readonly string[]): Promise<boolean>;
}

/** A broker that has just heard of a topic may not know its partitions yet. */
const unknownPartitionMsMax = 2_000;

/** What was not stored, and the first reason; without a code when no answer came. */
interface RefusedCommit {
  readonly left: readonly PartitionOffset[];
  readonly code: number | undefined;
  readonly error: Error;
}

export class GroupOffsets {
  readonly #options: GroupOffsetsOptions;

  constructor(options: GroupOffsetsOptions) {
    this.#options = options;
  }

  /**
   * Stores them in the name of the member, trying again what may pass.
   * @throws FencedError `kafka.member_fenced` when it is out of its group; RetriableError when it did
   *   not work in the time given; TaskError `kafka.broker_refused`
   */
  async commit(offsets: readonly PartitionOffset[], timeoutMs: number): Promise<void> {
    const { clock, member } = this.#options;
    const beganMs = clock.elapsedMs();
    const backoff = this.#backoff();
    let left = offsets;
    while (left.length > 0) {
      // The generation that is being made asks for commits in its own name.
      if (member.state.at === "joining") await this.#options.joined();
      const as = member.membership;
      if (as === undefined) throw this.#fenced(left);
      const refused = await this.#commitOnce(left, as);
      if (refused === undefined) return;
      left = refused.left;
      const spentMs = clock.elapsedMs() - beganMs;
      this.#judge(refused, as, spentMs);
      // Java asks on for `default.api.timeout.ms`, which holds up whoever stops over a deleted topic.
      if (refused.code === brokerCode.unknownTopicOrPartition && (await this.#areGone(left))) {
        throw refused.error;
      }
      if (spentMs > timeoutMs) throw refused.error;
      await clock.sleep(backoff.nextDelayMs());
    }
  }

  /**
   * -1 where nothing is committed.
   * @throws RetriableError for what may pass; TaskError `kafka.broker_refused`
   */
  async committed(
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly number[]> {
    if (partitions.length === 0) return [];
    const { caller, connections } = this.#options.member;
    const request = { groupId: caller.groupId, partitions };
    const options = signal === undefined ? {} : { signal };
    const answer = await caller.call(connections, offsetFetch, request, options);
    const refused = answer.partitions.find(({ errorCode }) => errorCode !== brokerCode.none);
    const code = answer.errorCode === brokerCode.none ? refused?.errorCode : answer.errorCode;
    if (code !== undefined) {
      if (reactionTo(code) === "find") caller.forget();
      throw brokerError(code, `read the offsets of ${caller.describe(connections)}`);
    }
    const found = new Map(answer.partitions.map((each) => [placeKey(each), each.offset]));
    return partitions.map((each) => found.get(placeKey(each)) ?? -1);
  }

  /** As `committed`, trying again what may pass for so long. */
  async committedWithin(
    partitions: readonly TopicPartition[],
    timeoutMs: number,
  ): Promise<readonly number[]> {
    const { clock } = this.#options;
    const beganMs = clock.elapsedMs();
    const backoff = this.#backoff();
    for (;;) {
      try {
        return await this.committed(partitions);
      } catch (error) {
        const isOver = clock.elapsedMs() - beganMs > timeoutMs;
        if (!(error instanceof RetriableError) || isOver) throw error;
      }
      await clock.sleep(backoff.nextDelayMs());
    }
  }

  async #commitOnce(
    offsets: readonly PartitionOffset[],
    as: Membership,
  ): Promise<RefusedCommit | undefined> {
    const { member, instanceId } = this.#options;
    const { caller, connections } = member;
    const request = { groupId: caller.groupId, ...as, instanceId, offsets };
    const codes = new Map<string, number>();
    try {
      const { partitions } = await caller.call(connections, offsetCommit, request);
      for (const each of partitions) codes.set(placeKey(each), each.errorCode);
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      return { left: offsets, code: undefined, error };
    }
    const codeOf = (each: TopicPartition) => codes.get(placeKey(each)) ?? brokerCode.unknown;
    const left = offsets.filter((each) => codeOf(each) !== brokerCode.none);
    const first = left[0];
    if (first === undefined) return undefined;
    const place = `${first.topic}-${first.partition}`;
    const doing = `commit offset ${first.offset} of ${place} for ${caller.describe(connections)}`;
    return { left, code: codeOf(first), error: brokerError(codeOf(first), doing) };
  }

  /** @throws when trying again is no use, or not here */
  #judge({ code, error }: RefusedCommit, as: Membership, spentMs: number): void {
    const { member } = this.#options;
    if (code === undefined) return;
    const reaction = reactionTo(code);
    if (reaction === "find") member.caller.forget();
    const current = member.membership;
    const isOvertaken = member.state.at === "joining" || (current !== undefined && current !== as);
    // A join overtook the commit: what is still held is committed in the next generation.
    if (isOvertaken && (reaction === "stale" || reaction === "rejoin")) return;
    // A fault of one partition says nothing of the member.
    if (reaction !== "fatal") member.heard(code, as);
    if (reaction === "stale" || reaction === "unknown" || reaction === "fenced") {
      throw new FencedError("kafka.member_fenced", error.message);
    }
    const isUnknown = code === brokerCode.unknownTopicOrPartition;
    const isLate = isUnknown && spentMs > unknownPartitionMsMax;
    // What is still held after the rebalance is committed then.
    if (reaction === "rejoin") throw new RetriableError("kafka.broker_busy", error.message);
    if (reaction === "fatal" || isLate) throw error;
  }

  #areGone(places: readonly TopicPartition[]): Promise<boolean> {
    return this.#options.areGone([...new Set(places.map(({ topic }) => topic))]);
  }

  #backoff(): Backoff {
    const { retryBackoffMs, retryBackoffMsMax } = this.#options.timing;
    return new Backoff({
      firstMs: retryBackoffMs,
      maxMs: Math.max(retryBackoffMs, retryBackoffMsMax),
    });
  }

  #fenced([first]: readonly PartitionOffset[]): FencedError {
    const name = first === undefined ? "offsets" : `${first.topic}-${first.partition}`;
    return new FencedError(
      "kafka.member_fenced",
      `cannot commit ${name} for group ${this.#options.member.caller.groupId}: ` +
        "the partition is no longer this member's",
    );
  }
}
