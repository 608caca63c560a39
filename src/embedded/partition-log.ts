/** The log of one partition: segments on disk, one writer, any number of readers. */
import { constants } from "node:fs";
import { type FileHandle, open, rm, unlink } from "node:fs/promises";
import { type Deferred, deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";
import { syncFolder } from "../base/write-durably.ts";
import type { BatchBuilder } from "../batch/encode.ts";
import { diskError } from "./disk-error.ts";
import { writeFully } from "./file-bytes.ts";
import { type LogRun, nextRun, type ReadPosition } from "./log-run.ts";
import { recoverSegments } from "./recovery.ts";
import { Segment, withFile } from "./segment.ts";
import type { Surroundings } from "./setting.ts";
import type { Syncable } from "./syncer.ts";
import type { TopicConfig } from "./topic-config.ts";

/** I5: how many waiting batches are forced onto the disk together. */
const groupBatchesMax = 64;

export interface PartitionLogOptions {
  topic: string;
  partition: number;
  directory: string;
  config: TopicConfig;
  surroundings: Surroundings;
  /** Resolves when the folder exists; asked before the first write. */
  ready: () => Promise<void>;
}

interface Entry {
  readonly batch: BatchBuilder;
  readonly outcome: Deferred<number>;
  baseOffset: number;
  sizeBytes: number;
}

/**
 * What was appended can be read as soon as its outcome is told, not before. A write that fails leaves
 * the log as it was: its bytes are cut off and the next append tries again.
 */
export class PartitionLog implements Syncable {
  readonly topic: string;
  readonly partition: number;
  readonly config: TopicConfig;
  readonly #options: PartitionLogOptions;
  readonly #surroundings: Surroundings;
  readonly #segments: Segment[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #queue: Entry[] = [];
  #drained: Promise<void> | undefined;
  /** Where the next batch goes: ahead of what is readable while a group is being written. */
  #place = 0;
  #nextOffset = 0;
  #endOffset = 0;
  #state: "open" | "closed" | "deleted" = "open";
  #reads = 0;
  #readsDone: Deferred<void> | undefined;
  #swap: Promise<void> | undefined;

  constructor(options: PartitionLogOptions) {
    this.topic = options.topic;
    this.partition = options.partition;
    this.config = options.config;
    this.#options = options;
    this.#surroundings = options.surroundings;
  }

  /** The first offset that may still be there. */
  get startOffset(): number {
    return this.#segments[0]?.baseOffset ?? 0;
  }

  /** The offset that the next record gets. */
  get endOffset(): number {
    return this.#endOffset;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** All but the one being written to, oldest first. */
  get closedSegments(): readonly Segment[] {
    return this.#segments.slice(0, -1);
  }

  /** Of the last segment, opened by the first write. */
  get #file(): FileHandle | undefined {
    return this.#segments.at(-1)?.file;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  /** Finds what an earlier run left and cuts off a torn end. */
  async open(): Promise<void> {
    const found = await recoverSegments({
      directory: this.#options.directory,
      compacted: this.config.compacted,
      logger: this.#surroundings.logger,
    });
    this.#segments.push(...found.segments);
    this.#endOffset = found.endOffset;
    this.#nextOffset = found.endOffset;
    this.#place = this.#segments.at(-1)?.sizeBytes ?? 0;
  }

  /**
   * Stores the batch and resolves to its base offset. The builder must stay as it is until then.
   * @throws TaskError `embedded.disk_full`, `embedded.write_failed`, `kafka.topic_deleted`.
   */
  append(batch: BatchBuilder): Promise<number> {
    if (this.#state !== "open") return Promise.reject(this.#closedError());
    const entry = { batch, outcome: deferred<number>(), baseOffset: -1, sizeBytes: 0 };
    this.#queue.push(entry);
    this.#drained ??= this.#drain();
    return entry.outcome.promise;
  }

  /** The batches at a position, which moves behind them; undefined where there are none yet. */
  async read(position: ReadPosition, bytesMax: number): Promise<LogRun | undefined> {
    while (this.#swap !== undefined) await this.#swap;
    if (this.#state !== "open") return undefined;
    this.#reads += 1;
    try {
      return await nextRun(this.#segments, position, bytesMax);
    } finally {
      this.#reads -= 1;
      if (this.#reads === 0) this.#readsDone?.resolve();
    }
  }

  /** Calls `nudge` whenever there may be more to read, or the log ended; returns how to stop that. */
  watch(nudge: () => void): () => void {
    this.#watchers.add(nudge);
    return () => this.#watchers.delete(nudge);
  }

  /**
   * Puts `replacement` in the place of some closed segments, oldest first. `commit` changes the files;
   * nobody reads meanwhile.
   */
  async replace(
    old: readonly Segment[],
    replacement: readonly Segment[],
    commit: () => Promise<void>,
  ): Promise<void> {
    await this.#alone(async () => {
      const first = this.#segments.indexOf(old[0]!);
      if (this.#state !== "open" || first < 0) return;
      await commit();
      this.#segments.splice(first, old.length, ...replacement);
      for (const segment of old) segment.gone = true;
    });
    this.#tell();
  }

  /** Deletes the oldest closed segments. */
  async dropOldest(count: number): Promise<void> {
    const old = this.closedSegments.slice(0, count);
    if (old.length === 0) return;
    await this.replace(old, [], async () => {
      for (const segment of old) await unlink(segment.path);
    });
  }

  /** Also after a failed write has closed the file: the system forces a file, not a handle. */
  async sync(): Promise<void> {
    const last = this.#segments.at(-1);
    if (this.#file !== undefined) await this.#file.datasync();
    // An empty one has nothing to force, and those before it were forced when it was begun.
    else if (last !== undefined && last.sizeBytes > 0 && this.isOpen) {
      await withFile(last.path, "r+", (file) => file.datasync());
    }
  }

  /** Lets what was appended end, then closes the file. */
  async close(): Promise<void> {
    await this.#end("closed");
  }

  /** Closes the log and takes its folder away. */
  async delete(): Promise<void> {
    await this.#end("deleted");
    await this.#alone(() => rm(this.#options.directory, { recursive: true, force: true }));
  }

  async #end(state: "closed" | "deleted"): Promise<void> {
    if (this.#state === "open") this.#state = state;
    this.#tell();
    await this.#drained;
    await this.#file?.datasync();
    await this.#closeFile();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      if (this.#state === "deleted") {
        for (const entry of this.#queue.splice(0)) entry.outcome.reject(this.#closedError());
      } else {
        await this.#writeGroup(this.#queue.splice(0, groupBatchesMax));
      }
    }
    this.#drained = undefined;
  }

  async #writeGroup(entries: readonly Entry[]): Promise<void> {
    let written: Entry[] = [];
    for (const entry of entries) {
      entry.sizeBytes = entry.batch.finishedBytes;
      try {
        if (this.#isFullFor(entry.sizeBytes)) {
          await this.#publish(written);
          written = [];
          await this.#roll();
        }
        entry.baseOffset = this.#nextOffset;
        await this.#write(entry.batch.finish(this.#nextOffset));
        this.#nextOffset += entry.batch.recordCount;
        written.push(entry);
      } catch (error) {
        entry.outcome.reject(this.#writeError(error));
      }
    }
    await this.#publish(written);
  }

  #isFullFor(extraBytes: number): boolean {
    return this.#place > 0 && this.#place + extraBytes > this.config.segmentBytes;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const file = this.#file ?? (await this.#openLast());
    try {
      await writeFully(file, bytes, this.#place);
    } catch (error) {
      await this.#cutTail(this.#place);
      throw error;
    }
    this.#segments.at(-1)!.keepTail(this.#place, bytes);
    this.#place += bytes.length;
  }

  /** Makes written batches readable and tells their outcomes, after forcing them where promised. */
  async #publish(written: readonly Entry[]): Promise<void> {
    if (written.length === 0) return;
    const segment = this.#segments.at(-1)!;
    try {
      await this.#force();
    } catch (error) {
      await this.#cutTail(segment.sizeBytes);
      this.#nextOffset = this.#endOffset;
      for (const entry of written) entry.outcome.reject(this.#writeError(error));
      return;
    }
    for (const entry of written) {
      const place = segment.sizeBytes;
      segment.sizeBytes += entry.sizeBytes;
      segment.index(entry.baseOffset, place, segment.sizeBytes);
    }
    segment.lastWriteMs = this.#surroundings.clock.nowMs();
    this.#endOffset = this.#nextOffset;
    for (const entry of written) entry.outcome.resolve(entry.baseOffset);
    this.#tell();
  }

  async #force(): Promise<void> {
    const { syncer } = this.#surroundings;
    if (syncer.policy === "always") return this.sync();
    if (syncer.policy === "never" || !this.config.compacted) return syncer.markDirty(this);
    // What this write may refer to (records under an offset) has to be on the disk before it is.
    await syncer.syncAll();
    await this.sync();
  }

  /** Starts a new segment; the full one is forced first, so that only the last can have a torn end. */
  async #roll(): Promise<void> {
    await this.sync();
    await this.#closeFile();
    const full = this.#segments.at(-1);
    if (full !== undefined) full.tail = undefined;
    const segment = this.#newSegment();
    segment.file = await this.#create(segment);
    this.#segments.push(segment);
    this.#place = 0;
  }

  async #openLast(): Promise<FileHandle> {
    await this.#options.ready();
    const last = this.#segments.at(-1);
    if (last !== undefined) {
      last.file = await openForWriting(last.path);
      return last.file;
    }
    const segment = this.#newSegment();
    segment.file = await this.#create(segment);
    this.#segments.push(segment);
    return segment.file;
  }

  #newSegment(): Segment {
    const { clock } = this.#surroundings;
    const { directory } = this.#options;
    const options = { directory, baseOffset: this.#nextOffset, lastWriteMs: clock.nowMs() };
    const segment = new Segment(options);
    segment.checked = true;
    return segment;
  }

  async #create(segment: Segment): Promise<FileHandle> {
    const file = await openForWriting(segment.path);
    if (this.#surroundings.syncer.policy !== "never") await syncFolder(this.#options.directory);
    return file;
  }

  /** After a failed write. Should even this fail, the next batch is written over the rest. */
  async #cutTail(place: number): Promise<void> {
    this.#place = place;
    await this.#file?.truncate(place).catch(() => {});
    await this.#closeFile().catch(() => {});
  }

  async #closeFile(): Promise<void> {
    const last = this.#segments.at(-1);
    if (last?.file === undefined) return;
    const { file } = last;
    last.file = undefined;
    // Waits for what others still read through it.
    await file.close();
  }

  /** Runs `work` while nobody reads. */
  async #alone(work: () => Promise<void>): Promise<void> {
    while (this.#swap !== undefined) await this.#swap;
    const gate = deferred();
    this.#swap = gate.promise;
    try {
      if (this.#reads > 0) {
        this.#readsDone = deferred();
        await this.#readsDone.promise;
      }
      await work();
    } finally {
      this.#readsDone = undefined;
      this.#swap = undefined;
      gate.resolve();
    }
  }

  #tell(): void {
    for (const nudge of this.#watchers) nudge();
  }

  #writeError(cause: unknown): Error {
    if (cause instanceof TaskError) return cause;
    const doing = `write to ${this.topic}-${this.partition}`;
    return diskError(cause, doing, this.#surroundings.settings.directory);
  }

  #closedError(): TaskError {
    const where = `cannot write to ${this.topic}-${this.partition}`;
    return this.#state === "deleted"
      ? new TaskError("kafka.topic_deleted", `${where}: the topic was deleted`)
      : new TaskError("embedded.closed", `${where}: the embedded log is closed`);
  }
}

function openForWriting(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
}
