/**
 * What a sink task knows of its partitions: how far the plugin has taken records, and what is
 * committed. No I/O.
 *
 * I2: only what a PutResult confirmed is ever named in a Flush, and only what its FlushResult calls
 * safe is committed.
 */
import type { SinkOffset, SinkPartition } from "../plugin/plugin.ts";

interface Position {
  readonly topic: string;
  readonly partition: number;
  /** The next offset the plugin has not taken yet. */
  taken: number;
  committed: number;
  /** `committed` is where a failed flush goes back to, and not what the group has. */
  isUnsaved: boolean;
  /** The next offset to put; runs ahead of `taken` while puts are outstanding. */
  sent: number;
  /** Reading went back by itself, and what was taken does not know yet. */
  wentBack: boolean;
  /** The first record whose failure nobody has settled; nothing past it is committed. */
  failedFrom: number;
  /** A rewind was asked for and not applied yet; until then no Flush names the partition. */
  rewinding: boolean;
  /** The task asked for a pause of this partition. */
  paused: boolean;
}

export class SinkPositions {
  readonly #positions = new Map<string, Position>();

  get partitions(): SinkPartition[] {
    return [...this.#positions.values()].map(plain);
  }

  /** These are ours now, read from there. */
  assign(offsets: readonly SinkOffset[]): void {
    for (const { topic, partition, offset } of offsets) {
      this.#positions.set(keyOf(topic, partition), {
        topic,
        partition,
        taken: offset,
        committed: offset,
        isUnsaved: false,
        sent: offset,
        wentBack: false,
        failedFrom: Number.POSITIVE_INFINITY,
        rewinding: false,
        paused: false,
      });
    }
  }

  forget(partitions: readonly SinkPartition[]): void {
    for (const { topic, partition } of partitions) this.#positions.delete(keyOf(topic, partition));
  }

  /**
   * These are to be put. True when they begin before what was read last: the log was cut off, or is
   * another one by now; `restart` when everything before them has its result.
   */
  sent(run: SinkPartition & { firstOffset: number; nextOffset: number }): boolean {
    const position = this.#find(run);
    if (position === undefined) return false;
    const isBack = Math.min(run.firstOffset, run.nextOffset) < position.sent;
    position.sent = run.nextOffset;
    if (isBack) position.wentBack = true;
    return isBack;
  }

  /** What is taken from now on counts from there, also where more was taken before. */
  restart(offset: SinkOffset): void {
    const position = this.#find(offset);
    if (position === undefined) return;
    position.taken = offset.offset;
    position.committed = offset.offset;
    position.isUnsaved = true;
    position.wentBack = false;
  }

  /** The plugin took everything before these offsets. */
  took(offsets: readonly SinkOffset[]): void {
    for (const offset of offsets) {
      const position = this.#find(offset);
      if (position !== undefined && offset.offset > position.taken) position.taken = offset.offset;
    }
  }

  /** Where reading has to go back to, because puts were not executed; they count as not sent. */
  takeUnsent(): SinkOffset[] {
    const back: SinkOffset[] = [];
    for (const position of this.#positions.values()) {
      if (position.sent === position.taken && !position.wentBack) continue;
      position.sent = position.taken;
      position.wentBack = false;
      back.push({ ...plain(position), offset: position.taken });
    }
    return back;
  }

  /** The task wants to read these again; nothing of them may be committed until it is applied. */
  markRewinding(partitions: readonly SinkPartition[]): void {
    for (const partition of partitions) {
      const position = this.#find(partition);
      if (position !== undefined) position.rewinding = true;
    }
  }

  /** Reading goes on from there. Answers the partitions that are still owned. */
  rewind(offsets: readonly SinkOffset[]): SinkOffset[] {
    const owned: SinkOffset[] = [];
    for (const offset of offsets) {
      const position = this.#find(offset);
      if (position === undefined) continue;
      position.taken = offset.offset;
      position.committed = offset.offset;
      position.sent = offset.offset;
      position.wentBack = false;
      position.rewinding = false;
      owned.push({ ...plain(position), offset: offset.offset });
    }
    return owned;
  }

  /** A flush failed: everything goes back to what is committed. */
  rewindToCommitted(): SinkOffset[] {
    const all = [...this.#positions.values()];
    return this.rewind(all.map((position) => ({ ...plain(position), offset: position.committed })));
  }

  /** What a Flush may name: taken, not committed, and no rewind of it is pending. */
  toFlush(only?: readonly SinkPartition[]): SinkOffset[] {
    const wanted = only && new Set(only.map((one) => keyOf(one.topic, one.partition)));
    const offsets: SinkOffset[] = [];
    for (const [key, position] of this.#positions) {
      if (position.rewinding) continue;
      if (wanted !== undefined && !wanted.has(key)) continue;
      const offset = Math.min(position.taken, position.failedFrom);
      if (offset === position.committed && !position.isUnsaved) continue;
      offsets.push({ ...plain(position), offset });
    }
    return offsets;
  }

  /** I2: of what the plugin calls safe, what may be committed: nothing beyond what the Flush named. */
  safe(named: readonly SinkOffset[], answered: readonly SinkOffset[]): SinkOffset[] {
    const limits = new Map(named.map((one) => [keyOf(one.topic, one.partition), one.offset]));
    return answered.filter((offset) => {
      const position = this.#find(offset);
      const limit = limits.get(keyOf(offset.topic, offset.partition));
      if (position === undefined || limit === undefined || position.rewinding) return false;
      const isNews = offset.offset !== position.committed || position.isUnsaved;
      return isNews && offset.offset <= Math.min(limit, position.failedFrom);
    });
  }

  committed(offsets: readonly SinkOffset[]): void {
    for (const offset of offsets) {
      const position = this.#find(offset);
      if (position === undefined) continue;
      position.committed = offset.offset;
      position.isUnsaved = false;
    }
  }

  /** I2: a record failed, and nothing past it is committed; null = nobody says where it was. */
  failed(record: SinkOffset | null): void {
    if (record === null) {
      for (const position of this.#positions.values()) position.failedFrom = position.committed;
      return;
    }
    const position = this.#find(record);
    if (position === undefined) return;
    position.failedFrom = Math.min(position.failedFrom, record.offset);
  }

  setPaused(partitions: readonly SinkPartition[], paused: boolean): void {
    for (const { topic, partition } of partitions) {
      const position = this.#positions.get(keyOf(topic, partition));
      if (position !== undefined) position.paused = paused;
    }
  }

  /** The partitions (not) paused by the task itself. */
  where(paused: boolean): SinkPartition[] {
    return [...this.#positions.values()].filter((one) => one.paused === paused).map(plain);
  }

  #find(offset: SinkPartition): Position | undefined {
    return this.#positions.get(keyOf(offset.topic, offset.partition));
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

function plain({ topic, partition }: SinkPartition): SinkPartition {
  return { topic, partition };
}
