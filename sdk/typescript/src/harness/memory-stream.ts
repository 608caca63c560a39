import { EventEmitter } from "node:events";
import type { ByteStream } from "../channel.ts";

/** A task's stream without a connection: what the task writes is a call, and so is what it hears. */
export class MemoryStream {
  readonly #emitter: EventEmitter;
  #isCut = false;

  constructor(onMessage: (bytes: Uint8Array) => void) {
    this.#emitter = Object.assign(new EventEmitter(), {
      write: (bytes: Uint8Array) => {
        if (!this.#isCut) onMessage(bytes);
        return true;
      },
      end() {},
      cancel: () => {
        this.#isCut = true;
      },
    });
    // The host takes the ticket.
    setImmediate(() => this.#emitter.emit("metadata"));
  }

  /** The plugin's end. It has what a task's stream uses of gRPC's. */
  get plugin(): ByteStream {
    return this.#emitter as unknown as ByteStream;
  }

  send(bytes: Uint8Array): void {
    if (!this.#isCut) this.#emitter.emit("data", Buffer.from(bytes));
  }
}
