/**
 * The port to a log: an Apache Kafka cluster, or the embedded log (`src/embedded`). Everything above
 * is the same code for both. The port is byte-level: records go in as slices and come out as Kafka's
 * record batches v2, so neither direction makes an object per record.
 *
 * Errors: `RetriableError` for what may pass, `FencedError` where a newer owner exists, `RecordError`
 * where one record is at fault (too large), `TaskError` for the rest.
 */
import type { Receipt } from "../batch/receipt.ts";
import type { Logger } from "../observe/logger.ts";
import type { RecordSlice } from "../record/record-slice.ts";
import type { GroupTiming } from "./group/group-timing.ts";
import type { MemberState } from "./group/member-state.ts";
import type { GroupProtocol, JoinedMember } from "./protocol/join-group.ts";

export type { Receipt, StoredAt } from "../batch/receipt.ts";
export type { GivenShare, MemberState } from "./group/member-state.ts";

/** A partition by name; there are no ids above the port. */
export interface TopicPartition {
  topic: string;
  partition: number;
}

/** A place to read from or to commit. */
export interface PartitionOffset extends TopicPartition {
  /** The next offset to read. */
  offset: number;
}

/** One connection to a log. Makes clients, which live until they or the port are closed. */
export interface Kafka {
  /** Stable for the life of the cluster (or of the embedded log's folder). */
  readonly clusterId: string;
  producer(options: ProducerOptions): Producer;
  /** @throws TaskError `kafka.transactions_unsupported` where the log has none (embedded). */
  transactionalProducer(options: TransactionalProducerOptions): Promise<TransactionalProducer>;
  partitionReader(options: PartitionReaderOptions): PartitionReader;
  sinkConsumer(options: SinkConsumerOptions): SinkConsumer;
  /** @throws TaskError `kafka.groups_unsupported` where the log has none (embedded). */
  groupMember(options: GroupMemberOptions): GroupMember;
  readonly admin: Admin;
  /** Ends everything that was made from this port. */
  close(): Promise<void>;
}

/** Connector config with the prefix `producer.override.` (and so on) cut off, over the worker's own. */
export type ClientConfig = Readonly<Record<string, string>>;

/** `config` holds Kafka's producer keys; those that a log has no use for are ignored. */
export interface ProducerOptions {
  clientId: string;
  config?: ClientConfig;
}

/**
 * Writes records at least once. One for each source task, because its buffer is the task's bound.
 */
export interface Producer {
  /**
   * Copies one record into the batch of its partition; the slice may be reused at once. Outcomes come
   * in order within a partition. Synchronous, so that a message of the plugin costs no promise per
   * record; the caller asks `room()` before each message.
   * A topic that does not exist is made by the log when its defaults allow it; one that cannot be, and a
   * partition that is not there, fail the record, which its receipt may hear of inside this call.
   * @throws RecordError `record.too_large` at once when the record alone is over the limit; it then
   *   has no receipt.
   */
  send(record: RecordSlice, receipt: Receipt, index: number): void;
  /** Resolves as soon as the buffer (`buffer.memory`) has room for more. */
  room(signal?: AbortSignal): Promise<void>;
  /** Sends what lingers and resolves when everything sent so far has an outcome. */
  flush(): Promise<void>;
  /** Flushes for at most `timeoutMs`; what is then left fails. */
  close(timeoutMs: number): Promise<void>;
}

/** A new producer with the same transactional id fences the older one. */
export interface TransactionalProducerOptions extends ProducerOptions {
  transactionalId: string;
  transactionTimeoutMs: number;
}

/** Lazily begins a transaction at the first send. */
export interface TransactionalProducer extends Producer {
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** `readCommitted` leaves out what was aborted; without it everything written is read. */
export interface PartitionReaderOptions {
  clientId: string;
  readCommitted?: boolean;
  config?: ClientConfig;
}

/** Reads partitions it was told to, outside any group. */
export interface PartitionReader {
  /** Replaces the assignment; reading starts at the offsets given. */
  assign(partitions: readonly PartitionOffset[]): void;
  seek(partition: TopicPartition, offset: number): void;
  /**
   * What is there, waiting at most `timeoutMs` for something; empty when the signal fires, and when the
   * reader is closed meanwhile. Its bytes are good until the next poll, which may use their memory
   * again. @throws TaskError `kafka.reader_closed` when it was closed before
   */
  poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]>;
  close(): Promise<void>;
}

/**
 * Record batches v2 of one partition, whole and back to back, as the log holds them, checked and
 * decompressed. Read them with `RecordCursor` (batch/decode.ts), which skips records below
 * `firstOffset`.
 */
export interface Fetched extends TopicPartition {
  batches: Uint8Array;
  firstOffset: number;
  /** Where to read on: one past the last record, also where that was compacted away. */
  nextOffset: number;
  /** Records in `batches` from firstOffset on. */
  recordCount: number;
}

/** A member of a consumer group. The listener is given here, so that no assignment is missed. */
export interface SinkConsumerOptions {
  clientId: string;
  groupId: string;
  /** Topic names, or a test that is asked again as topics come and go. */
  topics: readonly string[] | ((topic: string) => boolean);
  /** Where a partition without a committed offset begins. */
  autoOffsetReset: "earliest" | "latest";
  config?: ClientConfig;
  listener: RebalanceListener;
}

/**
 * Called inside `poll` and `close`, one after the other; the group waits for the promise (at most the
 * rebalance timeout).
 */
export interface RebalanceListener {
  /** Only what is new, with the committed offset or the one that the reset policy gives. */
  assigned(partitions: readonly PartitionOffset[]): Promise<void>;
  /** Still ours: offsets may be committed here, and only here for the last time. */
  revoked(partitions: readonly TopicPartition[]): Promise<void>;
  /** No longer ours; nothing can be committed. */
  lost(partitions: readonly TopicPartition[]): Promise<void>;
}

/** Reads what the group assigns. Rebalances happen only while `poll` or `close` runs. */
export interface SinkConsumer {
  /** As PartitionReader.poll; rebalances happen inside, and an error of a listener is thrown here. */
  poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]>;
  /** Nothing once it is out of its group, also before `lost` has been called. */
  assignment(): readonly TopicPartition[];
  seek(partition: TopicPartition, offset: number): void;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Durable when it resolves. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  committed(partitions: readonly TopicPartition[]): Promise<readonly (number | null)[]>;
  /** Revokes what is held (calls the listener), then leaves the group. */
  close(): Promise<void>;
}

/** What whoever joins a group brings. */
export interface GroupMemberOptions {
  clientId: string;
  groupId: string;
  protocolType: string;
  timing: GroupTiming;
  logger: Logger;
  config?: ClientConfig;
  /** What it offers, the preferred one first; asked at every join. */
  offer(): Promise<readonly GroupProtocol[]>;
  /**
   * The group has elected this member: deals out, by member id. With `isDealt` it led before and came
   * back to its place; the shares stay, and what is dealt out is not looked at.
   */
  assign(
    protocol: string,
    members: readonly JoinedMember[],
    isDealt: boolean,
  ): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The state may be another now. */
  onChange(): void;
}

/**
 * A member of a group of any protocol type: what its members offer and are given is bytes. The state says
 * what is to be done next, and the owner does it in its own time; heartbeats keep it alive meanwhile.
 */
export interface GroupMember {
  readonly state: MemberState;
  /** Undefined while it is no member. During a join that of the generation before. */
  readonly membership: { readonly memberId: string; readonly generation: number } | undefined;
  /** When the group's broker last answered, by the clock's `elapsedMs`. */
  readonly heardMs: number;
  /** Begins to join, unless that is under way or the share has only to be taken. */
  join(): void;
  /** The share is in force. */
  take(): void;
  /** Asks the group for another generation; `why` is for its log. */
  requestRejoin(why: string): void;
  leave(): Promise<void>;
}

/** A topic as the log has it; `config` holds what differs from the defaults. */
export interface TopicDescription {
  name: string;
  partitionCount: number;
  config: Readonly<Record<string, string>>;
}

/** A topic to make; an empty `config` takes the defaults. */
export interface NewTopic {
  name: string;
  /** -1 = the cluster's default. */
  partitionCount: number;
  /** -1 = the cluster's default. */
  replicationFactor: number;
  config: Readonly<Record<string, string>>;
}

/** Everything that is neither reading nor writing records. */
export interface Admin {
  listTopics(): Promise<readonly string[]>;
  /**
   * Undefined for a topic that does not exist.
   * @throws TaskError `kafka.not_authorized`; `kafka.call_timeout` where brokers did not answer in a minute
   */
  describeTopic(name: string): Promise<TopicDescription | undefined>;
  /**
   * Resolves to false when it existed already.
   * @throws TaskError `kafka.not_authorized`; `kafka.topic_invalid` for settings that the log refuses, in
   *   its own words in the cause where it has some; `kafka.call_timeout` where brokers did not answer
   *   in a minute
   */
  createTopic(topic: NewTopic): Promise<boolean>;
  deleteTopic(name: string): Promise<void>;
  /**
   * The next offset that will be written, in the order asked; with `readCommitted` how far such a reader
   * gets, which is where the first open transaction begins.
   */
  endOffsets(
    partitions: readonly TopicPartition[],
    options?: { readCommitted?: boolean },
  ): Promise<readonly number[]>;
  groupOffsets(groupId: string): Promise<readonly PartitionOffset[]>;
  /** Only for groups without members; a null offset removes the entry. */
  alterGroupOffsets(
    groupId: string,
    offsets: readonly (TopicPartition & { offset: number | null })[],
  ): Promise<void>;
  deleteGroup(groupId: string): Promise<void>;
  /**
   * Whoever writes under one of these transactional ids is refused from then on, and what is open under
   * it is aborted. An id that nobody has used yet is no error.
   * @throws TaskError naming the first id for which it could not be done
   */
  fenceProducers(transactionalIds: readonly string[]): Promise<void>;
}
