/**
 * What the parts of the driver ask of the connections to the brokers; `transport.ts` is behind it and
 * no other file knows kafkajs. Byte-level: whoever calls brings the API's codec along.
 */
import type { ClientConfig } from "./kafka.ts";
import type { Api } from "./protocol/api.ts";

/** A connected cluster, shared by all clients of one worker. */
export interface Transport {
  readonly clusterId: string;
  /** What is where; shared, refreshed when it is old or wrong. */
  readonly map: ClusterMap;
  /**
   * Connections of their own for one role of one client (a producer, a fetcher, a group member, the
   * admin): on one connection the broker answers strictly in order, so a JoinGroup or a Fetch that
   * waits would hold up whatever shares it. They are opened when they are needed.
   */
  connections(options: ConnectionsOptions): Connections;
  /** Ends everything that was made from it. */
  close(): Promise<void>;
}

/** `config` holds Kafka's client keys, `request.timeout.ms` among them. */
export interface ConnectionsOptions {
  readonly clientId: string;
  readonly config?: ClientConfig;
}

/** Which broker is meant. */
export type CallTarget =
  | { readonly at: "any" }
  | { readonly at: "controller" }
  | { readonly at: "node"; readonly node: number };

export interface CallOptions {
  /** Default: `request.timeout.ms` (30,000). */
  readonly timeoutMs?: number;
  /** Gives the answer up; the request may have reached the broker all the same. */
  readonly signal?: AbortSignal;
  /**
   * False for the one request that gets no answer, Produce with acks=0: the call resolves with
   * undefined as soon as the request is handed to the socket. Default: true.
   */
  readonly isAnswered?: boolean;
  /**
   * Asked, once at most, for memory of at least so many bytes when the answer begins to come; views in
   * the decoded answer are of it. It may be used again after the call has resolved, never after it has
   * failed: then the answer may still be coming. Default: memory of its own.
   */
  readonly memory?: (bytes: number) => Uint8Array;
}

export interface Connections {
  /**
   * Sends one request and resolves with the decoded answer, error codes in it and all. Several may be
   * in flight; the broker answers those of one connection in the order of the calls.
   * After a time-out the connection is replaced and all that was in flight on it fails too.
   * @throws RetriableError `kafka.disconnected`, `kafka.request_timeout`: the broker may or may not
   *   have done it; TaskError `kafka.authentication_failed`, `kafka.version_unsupported`; the signal's
   *   reason
   */
  call<Request, Response>(
    to: CallTarget,
    api: Api<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response>;
  /** The highest version that both know, of a broker that was connected; to choose a form of request. */
  versionOf(node: number, api: Api<never, unknown>): number | undefined;
  /** `host:port` of a node, for messages; its number when it is unknown. */
  addressOf(node: number): string;
  /** Fails what is in flight. */
  close(): Promise<void>;
}

/** The leaders and coordinators of a cluster as they were last told. */
export interface ClusterMap {
  /** As last told; undefined when it was never asked for or does not exist. */
  topic(name: string): TopicPlaces | undefined;
  /**
   * The code the cluster answered with when it was last asked about this topic: 0 when there is none,
   * 3 when it does not exist, 29 when it may not be seen; undefined when it was never asked for.
   */
  topicError(name: string): number | undefined;
  /**
   * Asks the cluster about these topics, unless an answer that is younger than the call is on its way.
   * Calls that come together share one request, and calls in a row keep `retry.backoff.ms` apart.
   * `create` lets the cluster make what is missing, by its defaults.
   * @throws RetriableError when no broker answers
   */
  refresh(topics: readonly string[], options?: { create?: boolean }): Promise<void>;
  /** Every topic of the cluster, also internal ones. */
  topicNames(): Promise<readonly string[]>;
  /** The broker that keeps a group or a transactional id; asked once, until it is forgotten. */
  coordinator(of: CoordinatorKey): Promise<number>;
  /** After NOT_COORDINATOR, or when it cannot be reached. */
  forgetCoordinator(of: CoordinatorKey): void;
}

export interface CoordinatorKey {
  readonly kind: "group" | "transaction";
  readonly id: string;
}

/** A topic that exists; the index is the partition. */
export interface TopicPlaces {
  readonly name: string;
  /** The node that leads each partition; -1 while there is none. */
  readonly leaders: readonly number[];
  readonly leaderEpochs: readonly number[];
  readonly isInternal: boolean;
  /** When it was told, by `performance.now()`. */
  readonly toldMs: number;
}
