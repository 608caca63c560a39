import type { ByteSlice } from "../record/record-slice.ts";
import { Copier } from "./copier.ts";
import { copySlice, sliceSize } from "./encode.ts";
import { partitionOfKey } from "./murmur2.ts";

/** Chooses partitions by key as Kafka's producers do, also for keys that lie in pieces. */
export class KeyPartitioner {
  #bytes = new Uint8Array(256);
  readonly #copier = new Copier();

  /** Of a key that is not null. */
  partitionOf(key: ByteSlice, partitionCount: number): number {
    if (partitionCount === 1) return 0;
    if (key.prefix.length === 0 && key.suffix.length === 0) {
      return partitionOfKey(key.bytes, key.start, key.end, partitionCount);
    }
    const size = sliceSize(key);
    if (this.#bytes.length < size) this.#bytes = new Uint8Array(size * 2);
    copySlice(key, this.#bytes, 0, this.#copier);
    return partitionOfKey(this.#bytes, 0, size, partitionCount);
  }
}
