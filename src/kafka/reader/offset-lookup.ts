/** Where partitions begin and end, and which record is the first of a time: asked of their leaders. */
import { Backoff } from "../../base/backoff.ts";
import { type Clock, systemClock } from "../../base/clock.ts";
import { unlessAborted } from "../../base/deadline.ts";
import { RetriableError } from "../../base/error.ts";
import { brokerCode, brokerError, isRetriableCode } from "../broker-error.ts";
import type { ClusterMap, Connections } from "../calls.ts";
import type { TopicPartition } from "../kafka.ts";
import { type ListedOffset, listOffsets, offsetOf } from "../protocol/list-offsets.ts";

/** `timestampMs` is that of the first record wanted, or one of `offsetOf`. */
export interface OffsetQuery extends TopicPartition {
  readonly timestampMs: number;
}

export interface OffsetLookupOptions {
  readonly map: ClusterMap;
  readonly connections: Connections;
  /** The end is then where the first open transaction begins. */
  readonly readCommitted: boolean;
  /** How long what may pass is tried again. Default: 60,000, Java's `default.api.timeout.ms`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/**
 * The offsets in the order asked; -1 where no record is as young as that.
 * @throws RetriableError when something was in the way until the time was over (a topic that does not
 *   exist, too); TaskError `kafka.broker_refused`; the signal's reason
 */
export async function lookUpOffsets(
  queries: readonly OffsetQuery[],
  options: OffsetLookupOptions,
): Promise<readonly number[]> {
  const { signal, clock = systemClock, timeoutMs = 60_000 } = options;
  const endMs = clock.elapsedMs() + timeoutMs;
  const backoff = new Backoff({ firstMs: 50, maxMs: 1_000 });
  const round: Round = { found: new Map(), lastError: undefined };
  for (;;) {
    const missing = queries.filter((query) => !round.found.has(keyOf(query)));
    await askRound(missing, round, options);
    const left = queries.filter((query) => !round.found.has(keyOf(query)));
    if (left.length === 0) return queries.map((query) => round.found.get(keyOf(query)) ?? -1);
    signal?.throwIfAborted();
    const delayMs = backoff.nextDelayMs();
    if (clock.elapsedMs() + delayMs > endMs) throw round.lastError;
    await clock.sleep(delayMs, signal);
    try {
      await refresh(left, options);
    } catch (error) {
      note(round, error);
    }
  }
}

interface Round {
  readonly found: Map<string, number>;
  lastError: unknown;
}

async function askRound(
  queries: readonly OffsetQuery[],
  round: Round,
  options: OffsetLookupOptions,
): Promise<void> {
  const { map } = options;
  const unknown = queries.filter(({ topic }) => map.topicError(topic) === undefined);
  try {
    if (unknown.length > 0) await refresh(unknown, options);
  } catch (error) {
    note(round, error);
    return;
  }
  const byLeader = new Map<number, OffsetQuery[]>();
  for (const query of queries) {
    const leader = map.topic(query.topic)?.leaders[query.partition] ?? -1;
    const known = byLeader.get(leader);
    if (leader < 0) note(round, withoutLeader(query, map));
    else if (known === undefined) byLeader.set(leader, [query]);
    else known.push(query);
  }
  await Promise.all([...byLeader].map(([node, each]) => askLeader(node, each, round, options)));
}

async function refresh(
  queries: readonly OffsetQuery[],
  { map, signal }: OffsetLookupOptions,
): Promise<void> {
  const asking = map.refresh([...new Set(queries.map(({ topic }) => topic))]);
  await (signal === undefined ? asking : unlessAborted(asking, signal));
}

async function askLeader(
  node: number,
  queries: readonly OffsetQuery[],
  round: Round,
  options: OffsetLookupOptions,
): Promise<void> {
  const { map, connections, readCommitted, signal } = options;
  const partitions = queries.map((query) => ({
    ...query,
    leaderEpoch: map.topic(query.topic)?.leaderEpochs[query.partition] ?? -1,
  }));
  try {
    const to = { at: "node", node } as const;
    const callOptions = signal === undefined ? {} : { signal };
    const request = { readCommitted, partitions };
    const response = await connections.call(to, listOffsets, request, callOptions);
    const asked = new Map(queries.map((query) => [keyOf(query), query]));
    for (const listed of response.partitions) {
      const query = asked.get(keyOf(listed));
      if (query === undefined) continue;
      if (listed.errorCode === 0) round.found.set(keyOf(listed), listed.offset);
      else note(round, refused(query, listed, connections.addressOf(node)));
    }
  } catch (error) {
    note(round, error);
  }
}

/** @throws what no second try can help. */
function note(round: Round, error: unknown): void {
  if (!(error instanceof RetriableError)) throw error;
  round.lastError = error;
}

function withoutLeader(query: OffsetQuery, map: ClusterMap): Error {
  const code = map.topicError(query.topic) ?? 0;
  const shown =
    map.topic(query.topic)?.leaders[query.partition] === -1 ? brokerCode.leaderNotAvailable : code;
  return brokerError(shown === 0 ? brokerCode.unknownTopicOrPartition : shown, asking(query));
}

function refused(query: OffsetQuery, { errorCode }: ListedOffset, address: string): Error {
  const error = brokerError(errorCode, `${asking(query)} at ${address}`);
  if (isRetriableCode(errorCode) || errorCode !== brokerCode.unknown) return error;
  return new RetriableError("kafka.broker_busy", error.message);
}

function asking({ topic, partition, timestampMs }: OffsetQuery): string {
  if (timestampMs === offsetOf.latest) return `find the end of ${topic}-${partition}`;
  if (timestampMs === offsetOf.earliest) return `find the beginning of ${topic}-${partition}`;
  return `find the first record of ${topic}-${partition} after ${new Date(timestampMs).toISOString()}`;
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
