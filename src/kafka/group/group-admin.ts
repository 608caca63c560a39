/** Offsets of groups without members, through their coordinators. */
import { RetriableError, TaskError } from "../../base/error.ts";
import { brokerCode, brokerError } from "../broker-error.ts";
import type { ClusterMap, Connections } from "../calls.ts";
import type { PartitionOffset, TopicPartition } from "../kafka.ts";
import type { Api } from "../protocol/api.ts";
import { deleteGroups } from "../protocol/delete-groups.ts";
import { offsetCommit } from "../protocol/offset-commit.ts";
import { offsetDelete } from "../protocol/offset-delete.ts";
import { offsetFetch } from "../protocol/offset-fetch.ts";

/** Repeats what may pass. */
type Repeat = <T>(doing: string, work: () => Promise<T>) => Promise<T>;

/** To be asked of another broker, or of the same one in a moment. */
const movedCodes: readonly number[] = [
  brokerCode.coordinatorLoadInProgress,
  brokerCode.coordinatorNotAvailable,
  brokerCode.notCoordinator,
];

export class GroupAdmin {
  readonly #map: ClusterMap;
  readonly #connections: Connections;
  readonly #repeat: Repeat;

  constructor(map: ClusterMap, connections: Connections, repeat: Repeat) {
    this.#map = map;
    this.#connections = connections;
    this.#repeat = repeat;
  }

  async offsets(groupId: string): Promise<readonly PartitionOffset[]> {
    const doing = `read the offsets of group ${groupId}`;
    return this.#repeat(doing, async () => {
      const request = { groupId, partitions: null };
      const answer = await this.#ask(groupId, offsetFetch, request);
      this.#check(answer.errorCode, groupId, doing);
      for (const { errorCode } of answer.partitions) this.#check(errorCode, groupId, doing);
      return answer.partitions
        .filter(({ offset }) => offset >= 0)
        .map(({ topic, partition, offset }) => ({ topic, partition, offset }));
    });
  }

  async alter(
    groupId: string,
    offsets: readonly (TopicPartition & { offset: number | null })[],
  ): Promise<void> {
    const set = offsets.filter((each): each is PartitionOffset => each.offset !== null);
    const removed = offsets.filter(({ offset }) => offset === null);
    for (const { topic, partition, offset } of set) {
      // The broker would take -1 and hand it to consumers.
      if (offset >= 0 && Number.isSafeInteger(offset)) continue;
      const text = `cannot set the offset of ${topic}-${partition} for group ${groupId} to ${offset}`;
      throw new TaskError("kafka.broker_refused", text);
    }
    if (set.length > 0) await this.#commit(groupId, set);
    if (removed.length > 0) await this.#remove(groupId, removed);
  }

  async delete(groupId: string): Promise<void> {
    const doing = `delete the offsets of group ${groupId}`;
    await this.#repeat(doing, async () => {
      const answer = await this.#ask(groupId, deleteGroups, { groupIds: [groupId] });
      const code = answer.groups[0]?.errorCode ?? brokerCode.unknown;
      if (code !== brokerCode.groupIdNotFound) this.#check(code, groupId, doing);
    });
  }

  async #commit(groupId: string, offsets: readonly PartitionOffset[]): Promise<void> {
    const doing = `alter the offsets of group ${groupId}`;
    await this.#repeat(doing, async () => {
      const request = { groupId, generation: -1, memberId: "", instanceId: null, offsets };
      const answer = await this.#ask(groupId, offsetCommit, request);
      for (const { topic, partition, errorCode } of answer.partitions) {
        if (errorCode === brokerCode.unknownTopicOrPartition) throw noPartition(topic, partition);
        this.#check(errorCode, groupId, `${doing} in ${topic}-${partition}`);
      }
    });
  }

  async #remove(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    const doing = `alter the offsets of group ${groupId}`;
    await this.#repeat(doing, async () => {
      const answer = await this.#ask(groupId, offsetDelete, { groupId, partitions });
      // A group that is not there has no offsets.
      if (answer.errorCode === brokerCode.groupIdNotFound) return;
      this.#check(answer.errorCode, groupId, doing);
      for (const { topic, partition, errorCode } of answer.partitions) {
        if (errorCode === brokerCode.unknownTopicOrPartition) continue;
        this.#check(errorCode, groupId, `${doing} in ${topic}-${partition}`);
      }
    });
  }

  async #ask<Q, R>(groupId: string, api: Api<Q, R>, request: Q): Promise<R> {
    const key = { kind: "group", id: groupId } as const;
    const node = await this.#map.coordinator(key);
    try {
      return await this.#connections.call({ at: "node", node }, api, request);
    } catch (error) {
      // It may be gone for good, and another one in charge.
      if (error instanceof RetriableError) this.#map.forgetCoordinator(key);
      throw error;
    }
  }

  #check(code: number, groupId: string, doing: string): void {
    if (code === 0) return;
    if (movedCodes.includes(code)) this.#map.forgetCoordinator({ kind: "group", id: groupId });
    if (!liveCodes.includes(code)) throw brokerError(code, doing);
    const text = `cannot ${doing}: the group has members`;
    throw new TaskError("kafka.group_not_empty", text, {
      cause: brokerError(code, doing),
      hint: "stop the connector, and whatever else consumes in this group",
    });
  }
}

/** What a coordinator says to somebody outside while the group has members. */
const liveCodes: readonly number[] = [
  brokerCode.unknownMemberId,
  brokerCode.illegalGeneration,
  brokerCode.rebalanceInProgress,
  brokerCode.nonEmptyGroup,
  brokerCode.groupSubscribedToTopic,
];

/** Whoever reads may wait for a topic to come; an offset in one that is not there is a slip. */
function noPartition(topic: string, partition: number): TaskError {
  const text = `cannot set an offset in ${topic}-${partition}: there is no such partition`;
  return new TaskError("kafka.partition_not_found", text);
}
