import type { Socket } from "node:net";

/** Whoever takes a socket's bytes. */
export interface SocketReceiver {
  /** Where the next of them should be put; not empty. */
  room(): Uint8Array;
  /** The first `count` bytes of it have come. All is used at once: the memory may be another's next. */
  arrived(room: Uint8Array, count: number): void;
}

/** Where sockets read to while nobody knows how large an answer is; what is here is used at once. */
export const scratch: Uint8Array = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * The receiving end of a socket, to be made with it (`onread`). Without it node would take 64 KiB of
 * fresh memory for each read, which costs more than the reading.
 */
export class SocketInput {
  #receiver: SocketReceiver | undefined;
  #socket: Socket | undefined;

  readonly onread = {
    buffer: (): Uint8Array => this.#receiver?.room() ?? scratch,
    callback: (count: number, room: Uint8Array): boolean => {
      if (this.#receiver !== undefined) this.#receiver.arrived(room, count);
      else this.#socket?.push(Buffer.from(room.subarray(0, count)));
      return true;
    },
  };

  /** What comes before there is a receiver goes to the socket's own listeners. */
  attach(socket: Socket): void {
    this.#socket = socket;
  }

  /** From here on the socket emits no `data`. */
  receive(receiver: SocketReceiver): void {
    this.#receiver = receiver;
  }
}
