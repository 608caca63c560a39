/** One partition that is read: where it is, what is there of it, and what keeps it from going on. */
import { Backoff } from "../../base/backoff.ts";
import type { Fetched, PartitionOffset, TopicPartition } from "../kafka.ts";
import type { FetchSettings } from "./fetch-settings.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";
import { LastingTrouble } from "./lasting-trouble.ts";

/** What can be handed out, and the memory that it was decompressed into. */
export interface OpenedPart {
  readonly piece: Fetched;
  /** Free when the piece has been used; undefined: the piece is a view of an answer. */
  readonly memory: Uint8Array | undefined;
}

export class FetchPlace implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly trouble = new LastingTrouble();
  /** The next offset to hand out. */
  position: number;
  /** The next offset to ask for: ahead of the position by what is here. */
  fetchOffset: number;
  isPaused = false;
  /** The log does not have `fetchOffset`, and where to go on is being found out. */
  isResetting = false;
  /** Changes when somebody says where to read on: whatever was asked before is nobody's. */
  version = 0;
  /** Not asked again before. */
  retryAtMs = 0;
  /** Of the metadata whose leader was wrong; one told later is believed. */
  wrongToldMs = -1;
  readonly #chunks: FetchedChunk[] = [];
  /** The next part of the first chunk, or word of a move, not handed out yet. */
  #opened: OpenedPart | undefined;
  readonly #backoff: Backoff;

  constructor({ topic, partition, offset }: PartitionOffset, settings: FetchSettings) {
    this.topic = topic;
    this.partition = partition;
    this.position = offset;
    this.fetchOffset = offset;
    const { retryBackoffMs, retryBackoffMsMax } = settings;
    this.#backoff = new Backoff({ firstMs: retryBackoffMs, maxMs: retryBackoffMsMax });
  }

  get leftBytes(): number {
    let left = 0;
    for (const chunk of this.#chunks) left += chunk.leftBytes;
    return left;
  }

  get hasData(): boolean {
    return this.#opened !== undefined || this.#chunks.length > 0;
  }

  moveTo(offset: number): void {
    this.version += 1;
    this.isResetting = false;
    this.drop();
    this.position = offset;
    this.fetchOffset = offset;
  }

  /** Forgets what is here; it is asked for again. */
  drop(): void {
    for (const chunk of this.#chunks.splice(0)) chunk.release();
    this.#opened = undefined;
    this.fetchOffset = this.position;
  }

  add(chunk: FetchedChunk): void {
    this.#chunks.push(chunk);
    this.fetchOffset = chunk.nextOffset;
  }

  /** The position moves without records; only while nothing is here. */
  addMove(piece: Fetched): void {
    this.#opened = { piece, memory: undefined };
    this.fetchOffset = piece.nextOffset;
  }

  /** Opens the next part of what is here; `take` hands it out. */
  async open(memoryOf: (bytes: number) => Uint8Array): Promise<void> {
    const chunk = this.#chunks[0];
    if (this.#opened !== undefined || chunk === undefined) return;
    let memory: Uint8Array | undefined;
    const piece = await chunk.open((bytes) => {
      memory = memoryOf(bytes);
      return memory;
    });
    // Meanwhile somebody may have sought.
    if (this.#chunks[0] === chunk) this.#opened = { piece, memory };
  }

  take(): OpenedPart | undefined {
    const taken = this.#opened;
    this.#opened = undefined;
    this.position = taken?.piece.nextOffset ?? this.position;
    if (this.#chunks[0]?.leftBytes === 0) this.#chunks.shift()?.release();
    return taken;
  }

  /** Waits before the next try. */
  failed(nowMs: number): void {
    this.retryAtMs = nowMs + this.#backoff.nextDelayMs();
  }

  succeeded(): void {
    this.trouble.over();
    this.#backoff.reset();
  }
}

/** One string for a partition; a topic's name has no slash. */
export function placeKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
