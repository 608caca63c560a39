/** What records that could not be written are told: which broker, topic and partition, and why. */
import { FencedError, RecordError, TaskError } from "../../base/error.ts";
import { topicNameError } from "../../batch/topic-name.ts";
import { brokerCode, brokerCodeName, brokerError, isRetriableCode } from "../broker-error.ts";

/** What was to be written where. */
export interface Attempted {
  readonly topic: string;
  /** -1 where it was not chosen yet. */
  readonly partition: number;
  readonly recordCount: number;
  /** Undefined where no broker was asked. */
  readonly address?: string | undefined;
}

function writing({ topic, partition, recordCount, address }: Attempted): string {
  if (partition < 0) return `write to topic ${topic}`;
  const records = recordCount === 1 ? "a record" : `${recordCount} records`;
  const there = address === undefined ? "" : ` at ${address}`;
  return `write ${records} to partition ${partition} of topic ${topic}${there}`;
}

/** A broker refused it for good, or once too often. */
export function refusedError(code: number, attempted: Attempted, said: string | null): Error {
  const doing = writing(attempted);
  const refusal = brokerError(code, doing, said);
  if (code === brokerCode.producerFenced) {
    return new FencedError("kafka.producer_fenced", `cannot ${doing}: ${brokerCodeName(code)}`);
  }
  // Nothing is tried any more, whatever the code would allow.
  if (!isRetriableCode(code)) return refusal;
  return new TaskError("kafka.broker_refused", refusal.message);
}

/** One record that the broker does not take; `limit` where the broker could be asked. */
export function tooLargeError(
  attempted: Attempted,
  sizeBytes: number,
  limit: number | undefined,
): RecordError {
  const more = limit === undefined ? "more than the broker takes" : `more than ${limit}`;
  return new RecordError(
    "record.too_large",
    `cannot ${writing(attempted)}: it is ${sizeBytes} bytes as a batch, ` +
      `${more} (max.message.bytes): the broker answered ${brokerCodeName(brokerCode.messageTooLarge)}`,
    { hint: "raise max.message.bytes of the topic, or make the records smaller" },
  );
}

/** They were split off a batch whose answer got lost; written anew they might be there twice. */
export function doubtfulError(attempted: Attempted, cause: Error): TaskError {
  return new TaskError(
    "kafka.broker_refused",
    `cannot ${writing(attempted)}: an answer of the broker was lost, then it found their batch too ` +
      "large (max.message.bytes), so they may be stored already",
    { cause, hint: "raise max.message.bytes of the topic again; it was lowered under load" },
  );
}

/** `bound` names what ended it: `delivery.timeout.ms (120000)`. */
export function givenUpError(
  attempted: Attempted,
  tries: number,
  bound: string,
  cause: Error | undefined,
): TaskError {
  const times = tries === 0 ? "it was not tried" : `tried ${tries} time${tries === 1 ? "" : "s"}`;
  const message = `cannot ${writing(attempted)}: not done within ${bound}, ${times}`;
  return new TaskError("kafka.delivery_timeout", message, cause === undefined ? {} : { cause });
}

/** A call failed in a way that will not pass. */
export function brokenError(attempted: Attempted, cause: Error): TaskError {
  return new TaskError("kafka.broker_refused", `cannot ${writing(attempted)}`, { cause });
}

/** `waitedMs` without it; `wasKnown`: it existed before. */
export function missingTopicError(topic: string, waitedMs: number, wasKnown: boolean): TaskError {
  const waited = `for ${Math.round(waitedMs)} ms`;
  if (wasKnown) {
    return new TaskError(
      "kafka.topic_deleted",
      `cannot write to topic ${topic}: it was deleted, or cut to fewer partitions, ` +
        `and has not come back ${waited} (${brokerCodeName(brokerCode.unknownTopicOrPartition)})`,
    );
  }
  return new TaskError(
    "kafka.topic_missing",
    `cannot write to topic ${topic}: it does not exist and the cluster has not made it ${waited} ` +
      `(${brokerCodeName(brokerCode.unknownTopicOrPartition)})`,
    { hint: "create the topic, or let the brokers do so (auto.create.topics.enable)" },
  );
}

/** No broker said where the topic is. */
export function unansweredTopicError(
  topic: string,
  waitedMs: number,
  cause: Error | undefined,
): TaskError {
  const message = `cannot write to topic ${topic}: no broker said where it is for ${Math.round(waitedMs)} ms`;
  return new TaskError("kafka.delivery_timeout", message, cause === undefined ? {} : { cause });
}

/** No broker leads the partition, or nobody knows it; undefined where there is a leader. */
export function noLeaderError(
  topic: string,
  partition: number,
  leader: number | undefined,
): Error | undefined {
  if (leader !== undefined && leader !== -1) return undefined;
  const code =
    leader === undefined ? brokerCode.unknownTopicOrPartition : brokerCode.leaderNotAvailable;
  return brokerError(code, `find the leader of partition ${partition} of topic ${topic}`);
}

/** The topic may not be seen, or cannot exist. */
export function refusedTopicError(code: number, topic: string): Error {
  return topicNameError(topic) ?? brokerError(code, `find topic ${topic} to write to`);
}

/** An explicit partition that is not there. */
export function missingPartitionError(topic: string, partition: number, count: number): TaskError {
  return new TaskError(
    "kafka.partition_not_found",
    `cannot write a record to partition ${partition} of topic ${topic}: ` +
      `it has ${count}, the first is 0`,
  );
}

/** A receipt threw, or the producer itself did. */
export function brokenProducerError(cause: unknown): TaskError {
  const text = "cannot write any more: the producer met a fault of this program";
  return new TaskError("kafka.producer_broken", text, { cause });
}

/** The producer was closed before, or while, it was to be written. */
export function closedError(topic: string): TaskError {
  return new TaskError(
    "kafka.producer_closed",
    `cannot write to topic ${topic}: the producer is closed`,
  );
}
