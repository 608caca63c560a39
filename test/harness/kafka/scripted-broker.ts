/** A TCP server that answers as a broker as told: for what no real broker can be made to do. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { requiredApis } from "../../../src/kafka/connection/required-apis.ts";

/** A request without its header. */
export interface ScriptedRequest {
  key: number;
  version: number;
  correlationId: number;
  clientId: string;
  body: Buffer;
}

/** The body of an answer; undefined for none, or bytes to be written just as they are. */
export type ScriptedAnswer = Buffer | undefined | { raw: Buffer };

/** A broker without topics. `answers` are by the API's number; ApiVersions and Metadata are built in. */
export class ScriptedBroker {
  readonly requests: ScriptedRequest[] = [];
  readonly answers = new Map<number, (request: ScriptedRequest) => ScriptedAnswer>();
  /** What ApiVersions tells, by the API's number. */
  readonly versions = new Map<number, [min: number, max: number]>();
  /** What Metadata tells of itself; set it to another port to have it moved. */
  advertisedPort: number;
  /** What Metadata calls it. */
  nodeId = 1;
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.advertisedPort = this.port;
    for (const api of requiredApis)
      this.versions.set(api.key, [api.versions.min, api.versions.max]);
    this.answers.set(18, () => this.#versionsAnswer());
    this.answers.set(3, ({ version }) => this.#metadataAnswer(version));
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(): Promise<ScriptedBroker> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedBroker(server);
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    let held = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const frame = held.subarray(4, 4 + held.readInt32BE(0));
        held = held.subarray(4 + frame.length);
        this.#answer(socket, requestOf(frame));
      }
    });
  }

  #answer(socket: Socket, request: ScriptedRequest): void {
    this.requests.push(request);
    const answer = this.answers.get(request.key)?.(request);
    if (answer === undefined) return;
    if ("raw" in answer) {
      socket.write(answer.raw);
      return;
    }
    const head = Buffer.alloc(8);
    head.writeInt32BE(4 + answer.length, 0);
    head.writeInt32BE(request.correlationId, 4);
    socket.write(Buffer.concat([head, answer]));
  }

  #versionsAnswer(): Buffer {
    const all = [...this.versions, [18, [0, 2]] as const];
    const bytes = Buffer.alloc(6 + 6 * all.length + 4);
    bytes.writeInt32BE(all.length, 2);
    for (const [index, [key, [min, max]]] of all.entries()) {
      bytes.writeInt16BE(key, 6 + 6 * index);
      bytes.writeInt16BE(min, 8 + 6 * index);
      bytes.writeInt16BE(max, 10 + 6 * index);
    }
    return bytes;
  }

  #metadataAnswer(version: number): Buffer {
    if (version < 4) throw new Error("only the versions that the driver asks for");
    const host = Buffer.from("\0\x09127.0.0.1");
    const node = Buffer.alloc(12);
    node.writeInt32BE(1, 4);
    node.writeInt32BE(this.nodeId, 8);
    const port = Buffer.alloc(6);
    port.writeInt32BE(this.advertisedPort, 0);
    port.writeInt16BE(-1, 4);
    const end = Buffer.from("\0\x04test\0\0\0\x01\0\0\0\0");
    return Buffer.concat([node, host, port, end]);
  }
}

function requestOf(frame: Buffer): ScriptedRequest {
  const clientBytes = frame.readInt16BE(8);
  return {
    key: frame.readInt16BE(0),
    version: frame.readInt16BE(2),
    correlationId: frame.readInt32BE(4),
    clientId: frame.subarray(10, 10 + clientBytes).toString(),
    body: Buffer.from(frame.subarray(10 + clientBytes)),
  };
}
