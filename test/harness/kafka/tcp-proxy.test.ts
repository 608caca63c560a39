/** The proxy against a server that answers each message with its correlation id and the length it had. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { waitFor } from "../wait-for.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

describe("the TCP proxy", () => {
  let server: Server;
  let proxy: TcpProxy;
  let client: Client;
  /** API keys of the requests that the server has seen. */
  const served: number[] = [];
  before(async () => {
    server = createServer((socket) => echo(socket, served)).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => server.close());
  beforeEach(async () => {
    served.length = 0;
    proxy = await startTcpProxy((server.address() as AddressInfo).port);
    client = await Client.to(proxy.port);
  });
  afterEach(async () => {
    client.socket.destroy();
    await proxy.close();
  });

  /** The server had time for whatever arrived before. */
  async function directAnswer(): Promise<void> {
    const direct = await Client.to((server.address() as AddressInfo).port);
    direct.send(7, 1);
    await direct.hasAnswers([1]);
    direct.socket.destroy();
  }

  test("passes messages in order, in both directions, however large", async () => {
    for (let id = 1; id <= 3; id += 1) client.send(0, id, 3_000_000);
    await client.hasAnswers([1, 2, 3]);
  });

  test("resets connections and lets new ones through", async () => {
    client.send(0, 1);
    await client.hasAnswers([1]);
    proxy.cut();
    await client.isClosed();
    const next = await Client.to(proxy.port);
    next.send(0, 2);
    await next.hasAnswers([2]);
    next.socket.destroy();
  });

  test("refuses until it is healed", async () => {
    proxy.refuse();
    await client.isClosed();
    // The reset may come before the connection is even reported.
    const refused = await Client.to(proxy.port).catch(() => undefined);
    await refused?.isClosed();
    proxy.heal();
    const next = await Client.to(proxy.port);
    next.send(0, 2);
    await next.hasAnswers([2]);
    next.socket.destroy();
  });

  test("holds everything while it is frozen and gives it back afterwards", async () => {
    proxy.freeze();
    client.send(0, 1);
    const late = await Client.to(proxy.port);
    late.send(0, 2);
    await waitFor(() => proxy.accepted === 2, { withinMs: 20_000, what: "the late client" });
    await directAnswer();
    assert.deepEqual([served, client.answers, late.answers], [[7], [], []]);
    proxy.heal();
    await client.hasAnswers([1]);
    await late.hasAnswers([2]);
    late.socket.destroy();
  });

  test("keeps the order while it delays and when the delay ends", async () => {
    proxy.delay(50);
    const begun = performance.now();
    client.send(0, 1);
    await client.hasAnswers([1]);
    assert.ok(performance.now() - begun >= 99);
    client.send(0, 2);
    await waitFor(() => served.length === 1, { withinMs: 20_000 });
    proxy.heal();
    client.send(0, 3);
    await client.hasAnswers([1, 2, 3]);
  });

  test("swallows answers, and cuts whoever missed one when it is healed", async () => {
    proxy.swallowAnswers();
    client.send(0, 1);
    await waitFor(() => served.length === 1, { withinMs: 20_000 });
    await directAnswer();
    assert.deepEqual(client.answers, []);
    assert.equal(client.socket.destroyed, false);
    proxy.heal();
    await client.isClosed();
  });

  for (const then of ["cut", "silence"] as const) {
    test(`loses the answer to one API only, then: ${then}`, async () => {
      const lost = proxy.loseAnswers(0, { then });
      client.send(3, 1);
      client.send(0, 2);
      client.send(3, 3);
      await lost;
      await waitFor(() => served.includes(0), { withinMs: 20_000 });
      await client.hasAnswers([1]);
      if (then === "silence") {
        assert.equal(client.socket.destroyed, false);
        proxy.heal();
      }
      await client.isClosed();
      assert.deepEqual(client.answers, [1]);
    });
  }

  test("lets through what a broker says before it closes", async () => {
    client.send(99, 1);
    await client.isClosed();
    assert.deepEqual(client.answers, [1]);
  });
});

/** Answers with the correlation id; closes after API 99. */
function echo(socket: Socket, served: number[]): void {
  let received = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
      const size = received.readInt32BE(0);
      const key = received.readInt16BE(4);
      served.push(key);
      const answer = Buffer.alloc(4 + size);
      answer.writeInt32BE(size);
      received.copy(answer, 4, 8, 12);
      socket.write(answer);
      if (key === 99) socket.end();
      received = received.subarray(4 + size);
    }
  });
}

class Client {
  readonly socket: Socket;
  readonly answers: number[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    let received = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 8 && received.length >= 4 + received.readInt32BE(0)) {
        this.answers.push(received.readInt32BE(4));
        received = received.subarray(4 + received.readInt32BE(0));
      }
    });
  }

  static async to(port: number): Promise<Client> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new Client(socket);
  }

  send(key: number, correlationId: number, bytes = 16): void {
    const message = Buffer.alloc(4 + bytes);
    message.writeInt32BE(bytes);
    message.writeInt16BE(key, 4);
    message.writeInt32BE(correlationId, 8);
    this.socket.write(message);
  }

  async hasAnswers(ids: number[]): Promise<void> {
    await waitFor(() => this.answers.length >= ids.length, { withinMs: 20_000, what: "answers" });
    assert.deepEqual(this.answers, ids);
  }

  async isClosed(): Promise<void> {
    await waitFor(() => this.socket.closed, { withinMs: 20_000, what: "the connection's end" });
  }
}
