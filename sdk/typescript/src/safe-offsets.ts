import type { Log } from "./log.ts";
import type { SinkOffset, SinkPartition } from "./sink.ts";

const partitionsShown = 5;

/**
 * What a FlushResult may say of what the user's flush returned: nothing of a partition that the Flush
 * did not name, nothing beyond the offset that it named.
 * @throws RangeError where it is no offset
 */
export function safeOffsets(
  named: readonly SinkOffset[],
  returned: readonly SinkOffset[],
  owned: PartitionSet,
  log: Log,
): SinkOffset[] {
  if (!Array.isArray(returned)) {
    throw new TypeError(`flush returned a ${typeof returned}: it has to return offsets or nothing`);
  }
  const limits = new Map(named.map((one) => [keyOf(one), one]));
  const safe = new Map<string, SinkOffset>();
  const others = new Set<string>();
  for (const one of returned) {
    const key = keyOf(one);
    if (!Number.isSafeInteger(one.offset) || one.offset < 0) {
      throw new RangeError(`flush returned ${one.offset} as the offset of ${key}`);
    }
    const limit = limits.get(key);
    // A sink may well return all that it keeps, and may have put more than the host knew it had when
    // it asked; what is not its own is a mistake.
    if (limit === undefined) {
      if (!owned.has(one)) others.add(key);
    } else safe.set(key, one.offset > limit.offset ? limit : one);
  }
  if (others.size > 0) {
    const shown = [...others].slice(0, partitionsShown).join(", ");
    const more = others.size > partitionsShown ? " and more" : "";
    log.warn(
      `flush returned offsets of partitions that are not this task's, ignored: ${shown}${more}`,
    );
  }
  return [...safe.values()];
}

/** A task's partitions. */
export class PartitionSet {
  readonly #keys = new Set<string>();

  get size(): number {
    return this.#keys.size;
  }

  has(one: SinkPartition): boolean {
    return this.#keys.has(keyOf(one));
  }

  add(partitions: readonly SinkPartition[]): void {
    for (const one of partitions) this.#keys.add(keyOf(one));
  }

  remove(partitions: readonly SinkPartition[]): void {
    for (const one of partitions) this.#keys.delete(keyOf(one));
  }
}

function keyOf({ topic, partition }: SinkPartition): string {
  return `${topic}-${partition}`;
}
