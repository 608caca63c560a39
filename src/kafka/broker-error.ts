/**
 * Error codes that brokers answer, by number: the names are those of Kafka's own table (`Errors` in
 * kafka-clients 4.1), and a code that is newer than the table keeps its number.
 */
import { RetriableError, TaskError } from "../base/error.ts";

/** The codes that somebody branches on. */
export const brokerCode = {
  unknown: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  invalidConfig: 40,
  notController: 41,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  operationNotAttempted: 55,
  kafkaStorageError: 56,
  unknownProducerId: 59,
  nonEmptyGroup: 68,
  groupIdNotFound: 69,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  unsupportedCompressionType: 76,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  fencedInstanceId: 82,
  groupSubscribedToTopic: 86,
  invalidRecord: 87,
  producerFenced: 90,
} as const;

/** In the order of their numbers, from 0 on. */
const names = (
  "NONE OFFSET_OUT_OF_RANGE CORRUPT_MESSAGE UNKNOWN_TOPIC_OR_PARTITION INVALID_FETCH_SIZE " +
  "LEADER_NOT_AVAILABLE NOT_LEADER_OR_FOLLOWER REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE " +
  "REPLICA_NOT_AVAILABLE MESSAGE_TOO_LARGE STALE_CONTROLLER_EPOCH OFFSET_METADATA_TOO_LARGE " +
  "NETWORK_EXCEPTION COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR " +
  "INVALID_TOPIC_EXCEPTION RECORD_LIST_TOO_LARGE NOT_ENOUGH_REPLICAS " +
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND INVALID_REQUIRED_ACKS ILLEGAL_GENERATION " +
  "INCONSISTENT_GROUP_PROTOCOL INVALID_GROUP_ID UNKNOWN_MEMBER_ID INVALID_SESSION_TIMEOUT " +
  "REBALANCE_IN_PROGRESS INVALID_COMMIT_OFFSET_SIZE TOPIC_AUTHORIZATION_FAILED " +
  "GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED INVALID_TIMESTAMP " +
  "UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE UNSUPPORTED_VERSION TOPIC_ALREADY_EXISTS " +
  "INVALID_PARTITIONS INVALID_REPLICATION_FACTOR INVALID_REPLICA_ASSIGNMENT INVALID_CONFIG " +
  "NOT_CONTROLLER INVALID_REQUEST UNSUPPORTED_FOR_MESSAGE_FORMAT POLICY_VIOLATION " +
  "OUT_OF_ORDER_SEQUENCE_NUMBER DUPLICATE_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH " +
  "INVALID_TXN_STATE INVALID_PRODUCER_ID_MAPPING INVALID_TRANSACTION_TIMEOUT " +
  "CONCURRENT_TRANSACTIONS TRANSACTION_COORDINATOR_FENCED TRANSACTIONAL_ID_AUTHORIZATION_FAILED " +
  "SECURITY_DISABLED OPERATION_NOT_ATTEMPTED KAFKA_STORAGE_ERROR LOG_DIR_NOT_FOUND " +
  "SASL_AUTHENTICATION_FAILED UNKNOWN_PRODUCER_ID REASSIGNMENT_IN_PROGRESS " +
  "DELEGATION_TOKEN_AUTH_DISABLED DELEGATION_TOKEN_NOT_FOUND DELEGATION_TOKEN_OWNER_MISMATCH " +
  "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED DELEGATION_TOKEN_AUTHORIZATION_FAILED " +
  "DELEGATION_TOKEN_EXPIRED INVALID_PRINCIPAL_TYPE NON_EMPTY_GROUP GROUP_ID_NOT_FOUND " +
  "FETCH_SESSION_ID_NOT_FOUND INVALID_FETCH_SESSION_EPOCH LISTENER_NOT_FOUND " +
  "TOPIC_DELETION_DISABLED FENCED_LEADER_EPOCH UNKNOWN_LEADER_EPOCH " +
  "UNSUPPORTED_COMPRESSION_TYPE STALE_BROKER_EPOCH OFFSET_NOT_AVAILABLE MEMBER_ID_REQUIRED " +
  "PREFERRED_LEADER_NOT_AVAILABLE GROUP_MAX_SIZE_REACHED FENCED_INSTANCE_ID " +
  "ELIGIBLE_LEADERS_NOT_AVAILABLE ELECTION_NOT_NEEDED NO_REASSIGNMENT_IN_PROGRESS " +
  "GROUP_SUBSCRIBED_TO_TOPIC INVALID_RECORD UNSTABLE_OFFSET_COMMIT THROTTLING_QUOTA_EXCEEDED " +
  "PRODUCER_FENCED RESOURCE_NOT_FOUND DUPLICATE_RESOURCE UNACCEPTABLE_CREDENTIAL " +
  "INCONSISTENT_VOTER_SET INVALID_UPDATE_VERSION FEATURE_UPDATE_FAILED " +
  "PRINCIPAL_DESERIALIZATION_FAILURE SNAPSHOT_NOT_FOUND POSITION_OUT_OF_RANGE UNKNOWN_TOPIC_ID " +
  "DUPLICATE_BROKER_REGISTRATION BROKER_ID_NOT_REGISTERED INCONSISTENT_TOPIC_ID " +
  "INCONSISTENT_CLUSTER_ID TRANSACTIONAL_ID_NOT_FOUND FETCH_SESSION_TOPIC_ID_ERROR " +
  "INELIGIBLE_REPLICA NEW_LEADER_ELECTED OFFSET_MOVED_TO_TIERED_STORAGE FENCED_MEMBER_EPOCH " +
  "UNRELEASED_INSTANCE_ID UNSUPPORTED_ASSIGNOR STALE_MEMBER_EPOCH MISMATCHED_ENDPOINT_TYPE " +
  "UNSUPPORTED_ENDPOINT_TYPE UNKNOWN_CONTROLLER_ID UNKNOWN_SUBSCRIPTION_ID TELEMETRY_TOO_LARGE " +
  "INVALID_REGISTRATION TRANSACTION_ABORTABLE"
).split(" ");

/** Those that Kafka's own clients repeat (`RetriableException`). */
const retriable = new Set([
  2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 88, 89,
  100, 103, 106,
]);

/** `NOT_COORDINATOR`; a code that has no name here shows its number. */
export function brokerCodeName(code: number): string {
  return code === -1 ? "UNKNOWN_SERVER_ERROR" : (names[code] ?? `error ${code}`);
}

/** Whether the same request may succeed later, perhaps at another broker. */
export function isRetriableCode(code: number): boolean {
  return retriable.has(code);
}

/**
 * What a broker answered, as an error of ours: retriable by the table, and with the number for whoever
 * decides on. `doing` says what to which thing at which broker: `write to orders-3 at 127.0.0.1:9092`;
 * `said` is the broker's own text, where the API carries one.
 */
export function brokerError(code: number, doing: string, said?: string | null): BrokerRefusal {
  const because = said === undefined || said === null || said === "" ? "" : ` (${said})`;
  const message = `cannot ${doing}: the broker answered ${brokerCodeName(code)}${because}`;
  const hint = hints[code];
  const options = hint === undefined ? {} : { hint };
  const error = isRetriableCode(code)
    ? new RetriableError("kafka.broker_busy", message, options)
    : new TaskError("kafka.broker_refused", message, options);
  return Object.assign(error, { brokerCode: code });
}

/** One of our errors that a broker's code is behind. */
export type BrokerRefusal = (RetriableError | TaskError) & { readonly brokerCode: number };

/** The code of a broker that an error came from; undefined for other errors. */
export function brokerCodeOf(error: unknown): number | undefined {
  const { brokerCode: code } = error as { brokerCode?: unknown };
  return error instanceof Error && typeof code === "number" ? code : undefined;
}

const hints: Readonly<Record<number, string>> = {
  10: "raise max.message.bytes of the topic, or make the records smaller",
  23: "all members of a group need a partition.assignment.strategy in common",
  26: "choose session.timeout.ms within the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms",
  29: "give the user of this worker the rights it needs on the topic",
  30: "give the user of this worker the rights it needs on the group",
  31: "give the user of this worker the rights it needs on the cluster",
  38: "choose a replication factor that the brokers that are up can hold",
  53: "give the user of this worker the rights it needs on the transactional id",
};
