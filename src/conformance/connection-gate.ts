import { createServer, connect as dial, type Server, type Socket } from "node:net";

/**
 * Stands between the plugin and the gRPC server, so that a connection can be cut as a crash of the
 * host cuts it: without a word.
 */
export class ConnectionGate {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string) {
    this.#server = createServer((outer) => {
      const inner = dial(target);
      for (const [socket, other] of [
        [outer, inner],
        [inner, outer],
      ] as const) {
        this.#sockets.add(socket);
        socket.pipe(other);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  /** Listens at one socket path and leads to another. */
  static async open(path: string, target: string): Promise<ConnectionGate> {
    const gate = new ConnectionGate(target);
    await new Promise<void>((resolve, reject) => {
      gate.#server.once("error", reject);
      gate.#server.listen(path, resolve);
    });
    return gate;
  }

  /** Every connection there is; new ones are let through. */
  cut(): void {
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
