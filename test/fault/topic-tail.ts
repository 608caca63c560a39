/** What was written to a topic of one partition since the last look. */
import { RecordCursor } from "../../src/batch/decode.ts";
import type { Kafka } from "../../src/kafka/kafka.ts";

export interface TailRecord {
  readonly key: string | null;
  readonly value: Buffer | null;
  /** Of equal names the last. */
  readonly headers: ReadonlyMap<string, string | null>;
}

export class TopicTail {
  readonly #kafka: Kafka;
  readonly #topic: string;
  #next = 0;

  constructor(kafka: Kafka, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  /** None while there is no such topic. @throws Error when what is there cannot be read in time */
  async readOn(withinMs = 30_000): Promise<TailRecord[]> {
    const place = { topic: this.#topic, partition: 0 };
    if ((await this.#kafka.admin.describeTopic(this.#topic)) === undefined) return [];
    const [end = 0] = await this.#kafka.admin.endOffsets([place]);
    const records: TailRecord[] = [];
    if (end === this.#next) return records;
    const deadline = performance.now() + withinMs;
    const reader = this.#kafka.partitionReader({ clientId: "tail" });
    try {
      reader.assign([{ ...place, offset: this.#next }]);
      const cursor = new RecordCursor();
      while (this.#next < end) {
        if (performance.now() > deadline) {
          throw new Error(`${this.#topic} could be read to ${this.#next} of ${end} only`);
        }
        for (const fetched of await reader.poll(1_000)) {
          cursor.reset(fetched);
          while (cursor.next()) records.push(recordAt(cursor));
          this.#next = fetched.nextOffset;
        }
      }
    } finally {
      await reader.close();
    }
    return records;
  }
}

function recordAt(cursor: RecordCursor): TailRecord {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor;
  const headers = cursor.headers
    .slice(0, cursor.headerCount)
    .map(
      ({ name, bytes: from, start, end }) => [text(name), text(runOf(from, start, end))] as const,
    );
  return {
    key: text(runOf(bytes, keyStart, keyEnd)),
    value: runOf(bytes, valueStart, valueEnd),
    headers: new Map(headers.map(([name, value]) => [name ?? "", value])),
  };
}

function runOf(bytes: Uint8Array, start: number, end: number): Buffer | null {
  return start < 0 ? null : Buffer.from(bytes.subarray(start, end));
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString();
}
