/** A producer over brokers in memory, in a time that passes only when nothing else can happen. */

import { HostError } from "../../../src/base/error.ts";
import { BatchHeader } from "../../../src/batch/batch-header.ts";
import type { ClientConfig, Receipt } from "../../../src/kafka/kafka.ts";
import { KafkaProducer } from "../../../src/kafka/producer/producer.ts";
import type { ProduceRequest } from "../../../src/kafka/protocol/produce.ts";
import { silentLogger } from "../../../src/observe/logger.ts";
import { newRecordSlice } from "../../../src/record/record-slice.ts";
import { FakeClock } from "../fake-clock.ts";
import { ModelCluster } from "./model-cluster.ts";
import { ScriptedTransport, type ScriptedTransportOptions } from "./scripted-transport.ts";

/** Of one record, in the order in which they were told. */
export interface Outcome {
  readonly value: string;
  /** Undefined when it failed. */
  readonly at: { readonly partition: number; readonly offset: number } | undefined;
  readonly error: Error | undefined;
}

/** How many rounds of the event loop are enough for everything that is not waiting. */
const quietRounds = 12;

export class ProducerRun {
  readonly clock = new FakeClock();
  readonly transport: ScriptedTransport;
  readonly cluster: ModelCluster;
  readonly producer: KafkaProducer;
  readonly outcomes: Outcome[] = [];
  readonly #record = newRecordSlice();
  readonly #values: string[] = [];

  constructor(options: ScriptedTransportOptions = {}, config: ClientConfig = {}) {
    this.transport = new ScriptedTransport({ clock: this.clock, ...options });
    this.cluster = new ModelCluster(this.transport);
    this.producer = new KafkaProducer(
      { clientId: "test", config },
      { transport: this.transport, logger: silentLogger(), clock: this.clock, random: () => 0 },
    );
  }

  /** Outcomes are written down, unless there is another receipt for them. */
  send(
    value: string,
    options: { topic?: string; partition?: number; key?: string; receipt?: Receipt } = {},
  ): void {
    const record = this.#record;
    const { topic = "t", partition = -1, key, receipt = this.#receipt } = options;
    record.topic = topic;
    record.partition = partition;
    const text = Buffer.from(value);
    record.value.bytes = text;
    record.value.start = 0;
    record.value.end = text.length;
    const keyText = Buffer.from(key ?? "");
    record.key.bytes = keyText;
    record.key.start = key === undefined ? -1 : 0;
    record.key.end = keyText.length;
    this.producer.send(record, receipt, this.#values.push(value) - 1);
  }

  /** Lets happen what can, without time passing. */
  async quiet(): Promise<void> {
    for (let n = 0; n < quietRounds; n += 1) await new Promise(setImmediate);
  }

  /** Lets time pass, step by step, until so many outcomes are there. @throws Error after `withinMs` */
  async until(outcomes: number, withinMs = 600_000): Promise<void> {
    const endMs = this.clock.elapsedMs() + withinMs;
    for (;;) {
      await this.quiet();
      if (this.outcomes.length >= outcomes) return;
      if (this.clock.elapsedMs() >= endMs) {
        throw new Error(`${this.outcomes.length} outcomes of ${outcomes} in ${withinMs} ms`);
      }
      this.clock.pass(Math.max(1, Math.min(...this.clock.sleepsMs, 30_000)));
    }
  }

  /** Values that were told to be stored in a partition, in the order told. */
  stored(partition: number): string[] {
    return this.outcomes.filter(({ at }) => at?.partition === partition).map(({ value }) => value);
  }

  /** The error of an outcome. @throws Error when it is none of ours */
  failure(outcome = 0): HostError {
    const error = this.outcomes[outcome]?.error;
    if (error instanceof HostError) return error;
    throw new Error(`outcome ${outcome} is no failure of ours: ${error}`);
  }

  get errors(): string[] {
    return this.outcomes.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
  }

  readonly #receipt: Receipt = {
    stored: (indexes, from, to, { partition, baseOffset }) => {
      for (let n = from; n < to; n += 1) {
        const offset = baseOffset === -1 ? -1 : baseOffset + n - from;
        this.#tell(indexes[n], { partition, offset }, undefined);
      }
    },
    failed: (indexes, from, to, error) => {
      for (let n = from; n < to; n += 1) this.#tell(indexes[n], undefined, error);
    },
  };

  #tell(index: number | undefined, at: Outcome["at"], error: Error | undefined): void {
    this.outcomes.push({ value: this.#values[index ?? -1] ?? "", at, error });
  }
}

/** The broker answers the next requests with these codes, then as it should. */
export function refusing(run: ProducerRun, ...codes: number[]): void {
  run.cluster.nextFault = () => {
    const code = codes.shift();
    return code === undefined ? { at: "none" } : { at: "refused", code };
  };
}

/** What the headers of a request's batches say. */
export function sentBatches(
  request: ProduceRequest,
): { epoch: number; sequence: number; count: number }[] {
  const header = new BatchHeader();
  return request.topics.flatMap(({ partitions }) =>
    partitions.map(({ batch }) => {
      header.read(batch, 0, batch.length);
      const { producerEpoch: epoch, baseSequence: sequence, recordCount: count } = header;
      return { epoch, sequence, count };
    }),
  );
}
