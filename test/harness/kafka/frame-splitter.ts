/** Finds where Kafka's length-prefixed messages begin in a stream of chunks, without keeping them. */

const sizeBytes = 4;
/** No message is larger; then it is not Kafka's protocol (TLS, for one) and is not looked at any more. */
const messageBytesMax = 200_000_000;

/** One direction of one connection. */
export class FrameSplitter {
  readonly #head: Buffer;
  readonly #onMessage: (head: Buffer) => boolean;
  #have = 0;
  #skip = 0;
  #isOther = false;

  /** `onMessage` sees the first `headBytes` bytes after the size and says whether it looked for this one. */
  constructor(headBytes: number, onMessage: (head: Buffer) => boolean) {
    this.#head = Buffer.alloc(sizeBytes + headBytes);
    this.#onMessage = onMessage;
  }

  /** Where in the chunk the first message begins that was looked for; 0 if it began before. */
  push(chunk: Buffer): number | undefined {
    let found: number | undefined;
    for (let at = 0; at < chunk.length && !this.#isOther; ) {
      const skipped = Math.min(this.#skip, chunk.length - at);
      this.#skip -= skipped;
      at += skipped;
      const copied = chunk.copy(this.#head, this.#have, at);
      this.#have += copied;
      at += copied;
      if (this.#have < this.#head.length) continue;
      this.#have = 0;
      this.#skip = this.#head.readInt32BE(0) - (this.#head.length - sizeBytes);
      this.#isOther = this.#skip < 0 || this.#skip > messageBytesMax;
      if (!this.#isOther && this.#onMessage(this.#head.subarray(sizeBytes))) {
        found ??= Math.max(0, at - this.#head.length);
      }
    }
    return found;
  }
}
