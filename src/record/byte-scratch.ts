import { Buffer } from "node:buffer";

/**
 * A buffer that is written again and again. What `taken` gives is valid until the next `clear`: there
 * is one value at a time, and nothing is allocated for it but the view.
 */
export class ByteScratch {
  bytes: Buffer = Buffer.allocUnsafeSlow(1_024);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  /** Makes room for so many more bytes; `bytes` may be another buffer then. */
  reserve(more: number): void {
    const wanted = this.length + more;
    if (wanted <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  appendRun(bytes: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    // A loop for short runs: a view would cost more than the bytes.
    if (end - start > 64) this.bytes.set(bytes.subarray(start, end), this.length);
    else
      for (let at = start; at < end; at += 1)
        this.bytes[this.length + at - start] = bytes[at] as number;
    this.length += end - start;
  }

  appendText(text: string): void {
    this.reserve(3 * text.length);
    this.length += this.bytes.write(text, this.length, "utf8");
  }

  taken(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
