/** A TCP proxy that does to a broker's connections what networks do: cut, freeze, delay, lose an answer. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { FrameSplitter } from "./frame-splitter.ts";

/** What happens to bytes that pass. */
type Mode = "pass" | "freeze" | "swallow answers" | "refuse";

/** Answers to lose: the first `count` to requests of an API. */
interface Loss {
  apiKey: number;
  /** Requests still to be picked. */
  left: number;
  /** Answers still to be lost. */
  unanswered: number;
  /** Cut the connection in the answer's place, or keep it open and say nothing for ever. */
  then: "cut" | "silence";
  done: () => void;
}

/** Starts one in front of a port of this machine; it listens on `port` at 127.0.0.1. */
export async function startTcpProxy(targetPort: number, port = 0): Promise<TcpProxy> {
  const proxy = new TcpProxy(targetPort);
  await proxy.listen(port);
  return proxy;
}

/** See the file's first line. Every fault holds until `heal`, for old and new connections. */
export class TcpProxy {
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #mode: Mode = "pass";
  #delayMs = 0;
  #losses: Loss[] = [];
  /** How many connections it has accepted so far. */
  accepted = 0;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.unref();
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("proxy does not listen");
    return address.port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#connections.size;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
  }

  /** Resets every open connection; new ones pass. */
  cut(): void {
    for (const connection of this.#connections) connection.end();
  }

  /** Resets what is open and whatever connects. */
  refuse(): void {
    this.#mode = "refuse";
    this.cut();
  }

  /** Nothing moves in either direction, as when a machine is gone without a word. */
  freeze(): void {
    this.#mode = "freeze";
    for (const connection of this.#connections) connection.pause();
  }

  /** Requests arrive and are served; of the answers nothing comes back. */
  swallowAnswers(): void {
    this.#mode = "swallow answers";
  }

  /** Holds back every chunk, each way. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /**
   * Lets requests of one API (Produce is 0) through and loses the answers to the next `count` of them,
   * once the broker has given them. Resolves when all are lost. Not for TLS.
   */
  loseAnswers(
    apiKey: number,
    options: { count?: number; then?: Loss["then"] } = {},
  ): Promise<void> {
    const { count = 1, then = "cut" } = options;
    return new Promise((done) =>
      this.#losses.push({ apiKey, left: count, unanswered: count, then, done }),
    );
  }

  /** Ends every fault. Connections that missed an answer are cut: they could only be out of step. */
  heal(): void {
    this.#mode = "pass";
    this.#delayMs = 0;
    this.#losses = [];
    for (const connection of this.#connections) {
      if (connection.missedAnswers) connection.end();
      else connection.resume();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    if (this.#mode === "refuse") {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const connection = new Connection(client, this.#targetPort, {
      delayMs: () => this.#delayMs,
      areAnswersSwallowed: () => this.#mode === "swallow answers",
      lossFor: (apiKey) => this.#losses.find((loss) => loss.apiKey === apiKey && loss.left > 0),
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    if (this.#mode === "freeze") connection.pause();
  }
}

interface Rules {
  delayMs: () => number;
  areAnswersSwallowed: () => boolean;
  lossFor: (apiKey: number) => Loss | undefined;
  onClose: () => void;
}

/** A client's connection and ours to the broker. */
class Connection {
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #rules: Rules;
  readonly #requests: Lane;
  readonly #answers: Lane;
  /** By correlation id, the answers that shall not arrive. */
  readonly #toLose = new Map<number, Loss>();
  missedAnswers = false;

  constructor(client: Socket, targetPort: number, rules: Rules) {
    const broker = connect(targetPort, "127.0.0.1");
    this.#client = client;
    this.#broker = broker;
    this.#rules = rules;
    this.#requests = new Lane(client, broker, rules.delayMs);
    this.#answers = new Lane(broker, client, rules.delayMs);
    const requests = new FrameSplitter(8, (head) => this.#onRequest(head));
    client.on("data", (chunk: Buffer) => {
      requests.push(chunk);
      this.#requests.push(chunk);
    });
    const answers = new FrameSplitter(4, (head) => this.#onAnswer(head));
    broker.on("data", (chunk: Buffer) => {
      const missedBefore = this.missedAnswers;
      const lostFrom = answers.push(chunk);
      if (rules.areAnswersSwallowed()) this.missedAnswers = true;
      else if (!missedBefore) this.#answers.push(chunk.subarray(0, lostFrom));
    });
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.end());
    }
    // What was said before the end still arrives, as a broker's reason for refusing somebody.
    broker.on("close", () => client.end());
    client.on("close", () => this.end());
    broker.once("close", () => this.#giveBack());
  }

  pause(): void {
    this.#requests.pause();
    this.#answers.pause();
  }

  resume(): void {
    this.#requests.resume();
    this.#answers.resume();
  }

  /** Resets both sides. */
  end(): void {
    this.#client.resetAndDestroy();
    this.#broker.destroy();
    this.#rules.onClose();
  }

  /** What was picked and can have no answer here any more: another request is picked for it. */
  #giveBack(): void {
    for (const loss of this.#toLose.values()) loss.left += 1;
    this.#toLose.clear();
  }

  #onRequest(head: Buffer): boolean {
    const loss = this.#rules.lossFor(head.readInt16BE(0));
    if (loss === undefined) return false;
    loss.left -= 1;
    this.#toLose.set(head.readInt32BE(4), loss);
    return true;
  }

  /** Whether this answer shall be lost; what follows on the connection is lost with it. */
  #onAnswer(head: Buffer): boolean {
    const correlationId = head.readInt32BE(0);
    const loss = this.#toLose.get(correlationId);
    if (loss === undefined) return false;
    this.#toLose.delete(correlationId);
    this.missedAnswers = true;
    loss.unanswered -= 1;
    if (loss.then === "cut") setImmediate(() => this.end());
    if (loss.unanswered === 0) loss.done();
    return true;
  }
}

/** One direction: the order of bytes holds whatever the delay does. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #delayMs: () => number;
  readonly #held: { chunk: Buffer; dueAt: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isPaused = false;

  constructor(from: Socket, to: Socket, delayMs: () => number) {
    this.#from = from;
    this.#to = to;
    this.#delayMs = delayMs;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#held.push({ chunk, dueAt: performance.now() + this.#delayMs() });
    this.#move();
  }

  pause(): void {
    this.#isPaused = true;
    this.#from.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#move();
    this.#from.resume();
  }

  #move(): void {
    if (this.#isPaused || this.#timer !== undefined) return;
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      const earlyMs = next.dueAt - performance.now();
      if (earlyMs > 0 && this.#delayMs() > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#move();
        }, earlyMs);
        return;
      }
      this.#held.shift();
      if (!this.#to.writable || this.#to.write(next.chunk)) continue;
      this.#from.pause();
      this.#to.once("drain", () => {
        if (!this.#isPaused) this.#from.resume();
      });
    }
  }
}
