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
  /** The next offset to put; runs ahead of `taken` while puts are outstanding. */
  sent: number;
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
        sent: offset,
        rewinding: false,
        paused: false,
      });
    }
  }

  forget(partitions: readonly SinkPartition[]): void {
    for (const { topic, partition } of partitions) this.#positions.delete(keyOf(topic, partition));
  }

  sent(offset: SinkOffset): void {
    const position = this.#find(offset);
    if (position !== undefined) position.sent = offset.offset;
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
      if (position.sent <= position.taken) continue;
      position.sent = position.taken;
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
      if (position.taken === position.committed) continue;
      offsets.push({ ...plain(position), offset: position.taken });
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
      return offset.offset <= limit && offset.offset !== position.committed;
    });
  }

  committed(offsets: readonly SinkOffset[]): void {
    for (const offset of offsets) {
      const position = this.#find(offset);
      if (position !== undefined) position.committed = offset.offset;
    }
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
