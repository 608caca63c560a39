import assert from "node:assert/strict";
import { Encoding } from "../src/gen/bulkhead/plugin/v1/record_pb.ts";
import type { PutResult } from "../src/gen/bulkhead/plugin/v1/sink_pb.ts";
import type { SinkClass, SinkRecord } from "../src/index.ts";
import { HostEnd, type SinkEnd } from "./host-end.ts";

export interface Running {
  host: HostEnd;
  task: SinkEnd;
  put: Putter;
}

export const text = 1;
export const json = 2;

/** Sends puts of texts on topic `t`, partition 0, with rising offsets. */
export class Putter {
  readonly #task: SinkEnd;
  seq = 0n;
  #offset = 0;

  constructor(task: SinkEnd) {
    this.#task = task;
    task.send({ case: "topic", value: { id: 1, topic: "t" } });
    task.send({ case: "form", value: { id: text, encoding: Encoding.TEXT } });
    task.send({ case: "form", value: { id: json, encoding: Encoding.JSON } });
  }

  send(values: readonly string[], epoch = 0, form = text): void {
    this.seq += 1n;
    const parts = values.map((value) => Buffer.from(value));
    const columns = {
      count: values.length,
      arena: Buffer.concat(parts),
      valueSizes: parts.map((part) => part.length + 1),
      valueForms: [form],
      topics: [1],
      partitions: [1],
      offsets: parts.map((_, at) => (at === 0 ? BigInt(this.#offset) : 1n)),
    };
    this.#offset += values.length;
    this.#task.send({ case: "put", value: { putSeq: this.seq, epoch: BigInt(epoch), columns } });
  }

  async result(): Promise<PutResult> {
    return await this.#task.inbox.next("putResult");
  }

  async now(values: readonly string[], epoch = 0, form = text): Promise<PutResult> {
    this.send(values, epoch, form);
    return await this.result();
  }
}

export async function withSink(
  made: SinkClass,
  run: (running: Running) => Promise<void>,
  start: { errantRecordReporter?: boolean; offsetFlushIntervalMs?: bigint } = {},
): Promise<void> {
  const host = await HostEnd.listen();
  try {
    host.attach([made]);
    const task = await host.startSink("c", { className: made.definition.class, ...start });
    await task.inbox.next("started");
    const put = new Putter(task);
    task.send({ case: "open", value: { partitions: [{ topic: "t", partition: 0 }] } });
    await task.inbox.next("opened");
    await run({ host, task, put });
  } finally {
    await host.close();
  }
}

export async function stop(task: SinkEnd) {
  task.send({ case: "stop", value: { timeoutMs: 5_000n } });
  const stopped = await task.inbox.next("stopped");
  assert.equal(await task.inbox.ended(), "half-closed");
  return stopped;
}

export const values = (records: readonly SinkRecord[]) => records.map((one) => one.value);
