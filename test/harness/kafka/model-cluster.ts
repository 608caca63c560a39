/**
 * Brokers that take Produce as Apache Kafka's do: one leader a partition, and of each producer the
 * last five batches, by which repeats are recognised. What was recorded of a real cluster: a producer
 * that a partition does not know may start at any sequence; a gap is 45, an old epoch 47.
 */
import { RecordCursor } from "../../../src/batch/decode.ts";
import { openBatches } from "../../../src/batch/open-batches.ts";
import { initProducerId } from "../../../src/kafka/protocol/init-producer-id.ts";
import {
  type ProducedPartition,
  type ProduceRequest,
  type ProduceResponse,
  produce,
} from "../../../src/kafka/protocol/produce.ts";
import { lostError, type ScriptedCall, type ScriptedTransport } from "./scripted-transport.ts";

/** What goes wrong with one Produce request. */
export type Fault =
  | { readonly at: "none" }
  /** The connection breaks before the broker has read it. */
  | { readonly at: "request-lost" }
  /** The broker did it, and the connection breaks. */
  | { readonly at: "answer-lost" }
  /** This code for the first partition of the request; nothing is written there. */
  | { readonly at: "refused"; readonly code: number }
  /** The same, but it is written. */
  | { readonly at: "written-but"; readonly code: number }
  /** The first partition gets another leader, before the broker looks at the request. */
  | { readonly at: "moved" };

interface StoredBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

interface PartitionState {
  readonly values: string[];
  readonly batchCount: { value: number };
  readonly producers: Map<number, { epoch: number; batches: StoredBatch[] }>;
}

const sequenceCount = 2 ** 31;

export class ModelCluster {
  /** Of a batch, as max.message.bytes. */
  messageBytesMax = Number.POSITIVE_INFINITY;
  /** The fault of the next request; without one all is well. */
  nextFault: () => Fault = () => ({ at: "none" });
  /** The biggest number of requests that one connection had in flight. */
  inFlightMost = 0;
  readonly #transport: ScriptedTransport;
  readonly #partitions = new Map<string, PartitionState>();
  #producerIds = 0;

  constructor(transport: ScriptedTransport) {
    this.#transport = transport;
    transport.on(produce, (request, call) => this.#produce(request, call));
    transport.on(initProducerId, () => {
      this.#producerIds += 1;
      return { errorCode: 0, producerId: 1_000 * this.#producerIds, producerEpoch: 0 };
    });
  }

  /** The values of a partition, by offset. */
  values(topic: string, partition: number): readonly string[] {
    return this.#partition(topic, partition).values;
  }

  batchCount(topic: string, partition: number): number {
    return this.#partition(topic, partition).batchCount.value;
  }

  /** As after `producer.id.expiration.ms`: the partition has never heard of any producer. */
  forgetProducers(topic: string, partition: number): void {
    this.#partition(topic, partition).producers.clear();
  }

  #partition(topic: string, partition: number): PartitionState {
    const name = `${topic}-${partition}`;
    let state = this.#partitions.get(name);
    if (state === undefined) {
      state = { values: [], batchCount: { value: 0 }, producers: new Map() };
      this.#partitions.set(name, state);
    }
    return state;
  }

  async #produce(
    request: ProduceRequest,
    call: ScriptedCall,
  ): Promise<ProduceResponse | undefined> {
    const open = this.#transport.callsOf(produce).filter((each) => each.isOpen);
    const here = open.filter(({ node }) => node === call.node).length;
    this.inFlightMost = Math.max(this.inFlightMost, here);
    const fault = this.nextFault();
    if (fault.at === "request-lost") return this.#cut(call);
    const first = request.topics[0];
    const firstPartition = first?.partitions[0]?.partition ?? 0;
    if (fault.at === "moved") this.#move(first?.topic ?? "", firstPartition);
    const topics: { topic: string; partitions: ProducedPartition[] }[] = [];
    let ofFirst: Fault | undefined = fault;
    for (const { topic, partitions } of request.topics) {
      const answers: ProducedPartition[] = [];
      for (const { partition, batch } of partitions) {
        answers.push(await this.#write(topic, partition, batch, call.node, ofFirst));
        ofFirst = undefined;
      }
      topics.push({ topic, partitions: answers });
    }
    if (fault.at === "answer-lost") return this.#cut(call);
    return { topics, throttleMs: 0 };
  }

  #cut(call: ScriptedCall): undefined {
    this.#transport.disconnect(call.node);
    call.fail(lostError(call.node, "the connection was cut"));
  }

  #move(topic: string, partition: number): void {
    const { nodes, map } = this.#transport;
    const now = nodes.indexOf(map.leaders.get(topic)?.[partition] ?? 1);
    map.setLeader(topic, partition, nodes[(now + 1) % nodes.length] ?? 1);
  }

  async #write(
    topic: string,
    partition: number,
    batch: Uint8Array,
    node: number,
    fault: Fault | undefined,
  ): Promise<ProducedPartition> {
    const answer = (errorCode: number, baseOffset = -1): ProducedPartition => {
      const logAppendTimeMs = -1;
      return { partition, errorCode, baseOffset, logAppendTimeMs, errorMessage: null };
    };
    const leaders = this.#transport.map.leaders.get(topic);
    if (leaders?.[partition] === undefined) return answer(3);
    if (leaders[partition] !== node) return answer(6);
    if (fault?.at === "refused") return answer(fault.code);
    if (batch.length > this.messageBytesMax) return answer(10);
    const written = await this.#append(this.#partition(topic, partition), batch);
    if (fault?.at === "written-but" && written.errorCode === 0) return answer(fault.code);
    return answer(written.errorCode, written.baseOffset);
  }

  async #append(
    state: PartitionState,
    bytes: Uint8Array,
  ): Promise<{ errorCode: number; baseOffset: number }> {
    const { batches } = await openBatches(bytes, { source: "a test", firstOffset: 0 });
    const cursor = new RecordCursor();
    cursor.reset({ batches, firstOffset: 0 });
    const values: string[] = [];
    while (cursor.next()) {
      values.push(
        Buffer.from(cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd)).toString(),
      );
    }
    const { producerId, producerEpoch, baseSequence } = cursor.batch;
    const baseOffset = state.values.length;
    if (producerId !== -1) {
      const lastSequence = (baseSequence + values.length - 1) % sequenceCount;
      const stored = { firstSequence: baseSequence, lastSequence, baseOffset };
      const known = checkSequence(state, producerId, producerEpoch, stored);
      if (known !== undefined) return known;
    }
    state.values.push(...values);
    state.batchCount.value += 1;
    return { errorCode: 0, baseOffset };
  }
}

/** Undefined when the batch may be written; it then counts as written. */
function checkSequence(
  state: PartitionState,
  id: number,
  epoch: number,
  batch: StoredBatch,
): { errorCode: number; baseOffset: number } | undefined {
  const refused = (errorCode: number) => ({ errorCode, baseOffset: -1 });
  const producer = state.producers.get(id);
  if (producer === undefined) {
    state.producers.set(id, { epoch, batches: [batch] });
    return undefined;
  }
  if (epoch < producer.epoch) return refused(47);
  if (epoch > producer.epoch) {
    if (batch.firstSequence !== 0) return refused(45);
    state.producers.set(id, { epoch, batches: [batch] });
    return undefined;
  }
  const same = producer.batches.find(
    ({ firstSequence, lastSequence }) =>
      firstSequence === batch.firstSequence && lastSequence === batch.lastSequence,
  );
  if (same !== undefined) return { errorCode: 0, baseOffset: same.baseOffset };
  const last = producer.batches.at(-1);
  if (last !== undefined && batch.firstSequence !== (last.lastSequence + 1) % sequenceCount) {
    return refused(45);
  }
  producer.batches.push(batch);
  if (producer.batches.length > 5) producer.batches.shift();
  return undefined;
}
