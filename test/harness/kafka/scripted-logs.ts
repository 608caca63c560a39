/** Brokers of a scripted transport that store partitions: they answer Fetch and ListOffsets as real ones do. */
import { brokerCode } from "../../../src/kafka/broker-error.ts";
import {
  type FetchedPartition,
  type FetchPartition,
  type FetchRequest,
  fetch,
} from "../../../src/kafka/protocol/fetch.ts";
import { listOffsets, offsetOf } from "../../../src/kafka/protocol/list-offsets.ts";
import {
  type ScriptedCall,
  ScriptedTransport,
  type ScriptedTransportOptions,
} from "./scripted-transport.ts";
import { StoredPartition } from "./stored-partition.ts";

/** How often a broker that holds a fetch looks again. */
const lookMs = 2;

export class ScriptedLogs {
  readonly transport: ScriptedTransport;
  readonly #partitions = new Map<string, StoredPartition>();
  /** What a broker answers for a partition instead of what it holds: a code, or as it is changed. */
  readonly codes = new Map<string, number>();
  /** What brokers answer to whole fetches. */
  fetchCode = 0;

  constructor(options: ScriptedTransportOptions) {
    this.transport = new ScriptedTransport(options);
    this.transport.on(fetch, async (request, { node, memory }) => {
      const answer = await this.#fetch(request, node);
      return { ...answer, partitions: placed(answer.partitions, memory) };
    });
    this.transport.on(listOffsets, ({ partitions, readCommitted }) => ({
      partitions: partitions.map(({ topic, partition, timestampMs }) => {
        const log = this.partition(topic, partition);
        const end = readCommitted ? log.lastStableOffset : log.endOffset;
        const offset = timestampMs === offsetOf.earliest ? log.startOffset : end;
        const errorCode = this.codes.get(`${topic}/${partition}`) ?? 0;
        return { topic, partition, errorCode, offset, timestampMs: -1 };
      }),
    }));
  }

  partition(topic: string, partition = 0): StoredPartition {
    const key = `${topic}/${partition}`;
    const known = this.#partitions.get(key);
    if (known !== undefined) return known;
    const made = new StoredPartition();
    this.#partitions.set(key, made);
    return made;
  }

  async #fetch(request: FetchRequest, node: number) {
    const deadlineMs = performance.now() + request.maxWaitMs;
    if (this.fetchCode !== 0) return { throttleMs: 0, errorCode: this.fetchCode, partitions: [] };
    for (;;) {
      let leftBytes = request.maxBytes;
      const partitions = request.partitions.map((each) => {
        const answer = this.#serve(each, request.readCommitted, node, leftBytes);
        leftBytes -= answer.records.length;
        return answer;
      });
      const isSomething = partitions.some(
        (each) => each.errorCode !== 0 || each.records.length > 0,
      );
      if (isSomething || performance.now() >= deadlineMs) {
        return { throttleMs: 0, errorCode: 0, partitions };
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  #serve(from: FetchPartition, readCommitted: boolean, node: number, leftBytes: number) {
    const { topic, partition } = from;
    const leads = this.transport.map.leaders.get(topic)?.[partition] === node;
    const code =
      this.codes.get(`${topic}/${partition}`) ?? (leads ? 0 : brokerCode.notLeaderOrFollower);
    const log = this.partition(topic, partition);
    const maxBytes = Math.min(from.maxBytes, leftBytes);
    const answer = log.fetch({ ...from, maxBytes }, readCommitted);
    if (code !== 0) return { ...answer, errorCode: code, records: Buffer.alloc(0) };
    return leftBytes > 0 ? answer : { ...answer, records: Buffer.alloc(0) };
  }
}

/** As it comes off a socket: all records in the memory that the caller gave, over whatever was there. */
function placed(
  partitions: readonly FetchedPartition[],
  memory: ScriptedCall["memory"],
): FetchedPartition[] {
  const sizes = partitions.map(({ records }) => records.length);
  const all = memory?.(sizes.reduce((sum, size) => sum + size, 0)).fill(0xee);
  let at = 0;
  return partitions.map((each) => {
    if (all === undefined) return each;
    all.set(each.records, at);
    at += each.records.length;
    return { ...each, records: all.subarray(at - each.records.length, at) };
  });
}
