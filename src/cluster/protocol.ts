/**
 * What the workers of a group tell each other through JoinGroup and SyncGroup, protocol type `connect`, in
 * the bytes of Apache Connect: level 0 is the protocol `default`, 1 `compatible`, 2 `sessioned` (the same
 * bytes as 1, and requests between workers are signed).
 *
 * @see reference: ConnectProtocol and IncrementalCooperativeConnectProtocol of connect/runtime, KIP-415, KIP-507
 */
import { RetriableError } from "../base/error.ts";
import { type ConnectorName, connectorName } from "../state/id.ts";

/** Stands among a connector's task numbers for the Connector instance itself. */
export const connectorItself = -1;

/** A connector with those of its instances that are meant: task numbers, and `connectorItself`. */
export interface WorkItem {
  readonly connector: ConnectorName;
  readonly instances: readonly number[];
}

/** 1: the leader cannot see the newest configs; nothing may start. */
export type AssignmentError = "none" | "config-mismatch";

/** What the leader gives a worker, or what a worker says it runs. */
export interface GroupAssignment {
  /** The level; of a newer worker also above those that we know. */
  readonly version: number;
  readonly error: AssignmentError;
  /** The leader's id in the group. */
  readonly leader: string;
  readonly leaderUrl: string;
  /** The configs that it rests on: the offset of the last record, plus one. -1: nothing was read. */
  readonly configOffset: number;
  /** At level 0 all that the worker shall run, above it only what is new. */
  readonly assigned: readonly WorkItem[];
  /** What it shall stop before it joins again; empty at level 0. */
  readonly revoked: readonly WorkItem[];
  /** When the leader wants the next rebalance; 0 = it does not. */
  readonly delayMs: number;
}

/** What a worker says of itself when it joins. */
export interface MemberMetadata {
  readonly version: number;
  /** Where its REST API can be reached, with a slash at the end. */
  readonly url: string;
  readonly configOffset: number;
  /** Null: it runs nothing that it knows of, or the level has no word for it. */
  readonly running: GroupAssignment | null;
}

export function encodeMetadata(from: MemberMetadata): Uint8Array {
  const to = new GroupWriter();
  to.int16(from.version);
  to.text(from.url);
  to.int64(from.configOffset);
  if (from.version > 0) to.bytes(from.running === null ? null : encodeAssignment(from.running));
  return to.taken();
}

/** @throws RetriableError `cluster.protocol_malformed` for bytes of another kind */
export function decodeMetadata(bytes: Uint8Array): MemberMetadata {
  const from = new GroupReader(bytes, "metadata");
  const version = from.int16();
  const url = from.text();
  const configOffset = from.int64();
  // Older workers end here.
  const running = from.isAtEnd ? null : from.bytes();
  return {
    version,
    url,
    configOffset,
    running: running === null ? null : decodeAssignment(running),
  };
}

export function encodeAssignment(from: GroupAssignment): Uint8Array {
  const to = new GroupWriter();
  to.int16(from.version);
  to.int16(from.error === "none" ? 0 : 1);
  to.text(from.leader);
  to.text(from.leaderUrl);
  to.int64(from.configOffset);
  to.items(from.assigned);
  if (from.version > 0) {
    to.items(from.revoked);
    to.int32(from.delayMs);
  }
  return to.taken();
}

/** @throws RetriableError `cluster.protocol_malformed` for bytes of another kind */
export function decodeAssignment(bytes: Uint8Array): GroupAssignment {
  const from = new GroupReader(bytes, "assignment");
  const version = from.int16();
  const error = from.int16() === 0 ? "none" : "config-mismatch";
  const leader = from.text();
  const leaderUrl = from.text();
  const configOffset = from.int64();
  const assigned = from.items();
  const revoked = from.isAtEnd ? [] : from.items();
  const delayMs = from.isAtEnd ? 0 : from.int32();
  return { version, error, leader, leaderUrl, configOffset, assigned, revoked, delayMs };
}

/** Big-endian, as everything of Kafka's. */
class GroupWriter {
  readonly #parts: Buffer[] = [];

  int16(value: number): void {
    const part = Buffer.allocUnsafe(2);
    part.writeInt16BE(value);
    this.#parts.push(part);
  }

  int32(value: number): void {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
  }

  int64(value: number): void {
    const part = Buffer.allocUnsafe(8);
    part.writeBigInt64BE(BigInt(value));
    this.#parts.push(part);
  }

  text(value: string): void {
    const bytes = Buffer.from(value, "utf8");
    this.int16(bytes.length);
    this.#parts.push(bytes);
  }

  bytes(value: Uint8Array | null): void {
    this.int32(value?.length ?? -1);
    if (value !== null) this.#parts.push(Buffer.from(value));
  }

  items(items: readonly WorkItem[]): void {
    this.int32(items.length);
    for (const { connector, instances } of items) {
      this.text(connector);
      this.int32(instances.length);
      for (const instance of instances) this.int32(instance);
    }
  }

  taken(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

class GroupReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#step(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#step(4));
  }

  int64(): number {
    const value = this.#bytes.readBigInt64BE(this.#step(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -1n) throw this.#malformed();
    return Number(value);
  }

  text(): string {
    const length = this.int16();
    if (length < 0) throw this.#malformed();
    const start = this.#step(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  bytes(): Uint8Array | null {
    const length = this.int32();
    if (length < 0) return null;
    const start = this.#step(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Null, which Java's workers send as well, is none. */
  items(): WorkItem[] {
    return this.#array(6, () => ({
      connector: connectorName(this.text()),
      instances: this.#array(4, () => this.int32()),
    }));
  }

  /** I5: a count is believed only if the bytes can hold so many. */
  #array<T>(itemBytesMin: number, item: () => T): T[] {
    const count = this.int32();
    if (count * itemBytesMin > this.#bytes.length - this.#at) throw this.#malformed();
    const items: T[] = [];
    for (let index = 0; index < count; index += 1) items.push(item());
    return items;
  }

  #step(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) throw this.#malformed();
    this.#at = start + size;
    return start;
  }

  #malformed(): RetriableError {
    return new RetriableError(
      "cluster.protocol_malformed",
      `the ${this.#what} of a group member cannot be read at byte ${this.#at} of ${this.#bytes.length}`,
    );
  }
}
