import { protocolError } from "./protocol-error.ts";

/** How much one side may still send, in records and in bytes. Sending may overdraw, once. */
export class Credit {
  #records = 0;
  #bytes = 0;

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Both are needed; how much does not matter, so that one large record always passes. */
  get open(): boolean {
    return this.#records > 0 && this.#bytes > 0;
  }

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
  }

  spend(records: number, bytes: number): void {
    this.#records -= records;
    this.#bytes -= bytes;
  }

  /**
   * As `spend`, for what the other side sent. It cannot know of less credit than this side gave, so
   * a batch that comes without credit here was sent without any (I5).
   * @throws TaskError `plugin.protocol_error`
   */
  receive(records: number, bytes: number): void {
    if (!this.open) {
      throw protocolError(
        `the plugin sent a batch without credit (left: ${this.#records} records, ${this.#bytes} bytes)`,
      );
    }
    this.spend(records, bytes);
  }
}
