/** The few questions the harness itself asks a broker, over a socket of its own. */
import { connect } from "node:net";

const apiVersionsKey = 18;
const metadataKey = 3;
const findCoordinatorKey = 10;
const createTopicsKey = 19;

/** What a broker says of a cluster. */
export interface ClusterView {
  controllerId: number;
  brokers: { id: number; host: string; port: number }[];
  /** Per topic asked for its partitions, in order; empty for one that does not exist. */
  topics: Map<string, PartitionView[]>;
}

/** A partition; `leader` is -1 while there is none. */
export interface PartitionView {
  leader: number;
  replicas: number[];
  inSync: number[];
}

/** Resolves when the broker answers at all. @throws Error when it does not in time */
export async function askVersions(port: number, withinMs = 5_000): Promise<void> {
  await ask(port, apiVersionsKey, 0, Buffer.alloc(0), withinMs);
}

/** The cluster as one of its brokers sees it; creates nothing. */
export async function askCluster(
  port: number,
  topics: readonly string[] = [],
  withinMs = 10_000,
): Promise<ClusterView> {
  const names = topics.flatMap((name) => [int16(Buffer.byteLength(name)), Buffer.from(name)]);
  const body = Buffer.concat([int32(topics.length), ...names, Buffer.from([0])]);
  return viewIn(new Reader(await ask(port, metadataKey, 4, body, withinMs)));
}

/** The id of the node that coordinates a group or transactional id, -1 while there is none. */
export async function askCoordinator(
  port: number,
  name: string,
  kind: "group" | "transaction",
  withinMs = 10_000,
): Promise<number> {
  const body = Buffer.concat([text(name), Buffer.from([kind === "group" ? 0 : 1])]);
  const reader = new Reader(await ask(port, findCoordinatorKey, 1, body, withinMs));
  reader.int32(); // throttle time
  reader.int16();
  reader.string(); // message
  return reader.int32();
}

/** Makes a topic with as many replicas as the broker's default. @throws Error with Kafka's message */
export async function askNewTopic(
  port: number,
  topic: string,
  partitions: number,
  config: Readonly<Record<string, string>> = {},
  withinMs = 10_000,
): Promise<void> {
  const settings = Object.entries(config).flat();
  const settingsHead = int32(settings.length / 2);
  const brokersChosen = [int32(partitions), int16(-1), int32(0)];
  const tail = [int32(withinMs), Buffer.from([0])];
  const parts = [int32(1), text(topic), ...brokersChosen, settingsHead, ...settings.map(text)];
  const body = Buffer.concat([...parts, ...tail]);
  const reader = new Reader(await ask(port, createTopicsKey, 4, body, withinMs));
  reader.int32(); // throttle time
  reader.int32(); // one topic
  reader.string();
  const code = reader.int16();
  if (code !== 0) throw new Error(`cannot create topic ${topic}: ${code} ${reader.string()}`);
}

function viewIn(reader: Reader): ClusterView {
  reader.int32(); // throttle time
  const brokers = reader.list(() => {
    const broker = { id: reader.int32(), host: reader.string(), port: reader.int32() };
    reader.string(); // rack
    return broker;
  });
  reader.string(); // cluster id
  const controllerId = reader.int32();
  const topics = reader.list((): [string, PartitionView[]] => {
    reader.int16();
    const name = reader.string();
    reader.int8(); // internal
    const partitions = reader.list(() => {
      reader.int16();
      const index = reader.int32();
      const leader = reader.int32();
      const replicas = reader.list(() => reader.int32());
      return { index, leader, replicas, inSync: reader.list(() => reader.int32()) };
    });
    partitions.sort((a, b) => a.index - b.index);
    return [name, partitions.map(({ leader, replicas, inSync }) => ({ leader, replicas, inSync }))];
  });
  return { controllerId, brokers, topics: new Map(topics) };
}

/** One request on one connection; the answer without its size and correlation id. */
export function ask(
  port: number,
  key: number,
  version: number,
  body: Buffer,
  withinMs: number,
): Promise<Buffer> {
  const header = Buffer.concat([int16(key), int16(version), int32(1), int16(-1)]);
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    const fail = (why: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`broker at port ${port}: ${why}`));
    };
    const timer = setTimeout(() => fail(`no answer within ${withinMs} ms`), withinMs);
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => fail("closed the connection"));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(received.subarray(8));
    });
    socket.write(Buffer.concat([int32(header.length + body.length), header, body]));
  });
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Reads an answer from its beginning. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    this.#at += 1;
    return this.#bytes.readInt8(this.#at - 1);
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  /** Empty for null too. */
  string(): string {
    const length = Math.max(0, this.int16());
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }

  list<T>(element: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, element);
  }
}
