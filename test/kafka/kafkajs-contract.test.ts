/**
 * What src/kafka/transport.ts touches inside kafkajs 2.2.4. If this fails, the pin was moved: look at
 * transport.ts before anything else.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";

const load = createRequire(import.meta.url);
const Broker = load("kafkajs/src/broker");
const ConnectionPool = load("kafkajs/src/network/connectionPool");
const SaslAuthenticator = load("kafkajs/src/broker/saslAuthenticator");

const silence = { namespace: () => silence, debug() {}, info() {}, warn() {}, error() {} };

/** A broker that knows ApiVersions, SaslHandshake and SaslAuthenticate, and sees what it is asked. */
let server: Server;
const asked: { key: number; version: number; body: Buffer }[] = [];
before(async () => {
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; ) {
        const size = chunk.readInt32BE(at);
        const frame = chunk.subarray(at + 4, at + 4 + size);
        at += 4 + size;
        const key = frame.readInt16BE(0);
        const clientBytes = frame.readInt16BE(8);
        const body = Buffer.from(frame.subarray(10 + clientBytes));
        asked.push({ key, version: frame.readInt16BE(2), body });
        const answer = Buffer.from(answers[key]!, "hex");
        const head = Buffer.alloc(8);
        head.writeInt32BE(4 + answer.length);
        frame.copy(head, 4, 4, 8);
        socket.write(Buffer.concat([head, answer]));
      }
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => server.close());

const answers: Record<number, string> = {
  // No error; Produce 3-9, ApiVersions 0-2, SaslHandshake 0-1, SaslAuthenticate 0-1; no throttle.
  18: `0000${"00000004"}000000030009${"001200000002"}001100000001${"002400000001"}00000000`,
  // No error; PLAIN.
  17: `0000${"00000001"}0005${Buffer.from("PLAIN").toString("hex")}`,
  // No error, no message, no bytes, a session of 60 s.
  36: `0000ffff00000000${"000000000000ea60"}`,
};

function pool(sockets: Socket[], sasl: object | null) {
  const { port } = server.address() as { port: number };
  return new ConnectionPool({
    host: "127.0.0.1",
    port,
    clientId: "pinned",
    ssl: null,
    sasl,
    logger: silence,
    connectionTimeout: 5_000,
    requestTimeout: 5_000,
    socketFactory: ({ onConnect }: { onConnect: () => void }) => {
      const socket = connect({ host: "127.0.0.1", port }, onConnect);
      sockets.push(socket);
      return socket;
    },
  });
}

const login = () => ({ mechanism: "PLAIN", username: "alice", password: "secret" });

test("it is the version that was looked at", () => {
  assert.equal(load("kafkajs/package.json").version, "2.2.4");
});

test("Broker.connect connects the pool's first connection, and only that", async () => {
  const sockets: Socket[] = [];
  const connections = pool(sockets, null);
  const broker = new Broker({ connectionPool: connections, logger: silence });
  await broker.connect();
  assert.equal(sockets.length, 1);
  assert.equal(connections.pool[0].socket, sockets[0]);
  assert.deepEqual(broker.versions["0"], { minVersion: 3, maxVersion: 9 });
  assert.equal(connections.pool[0].sessionLifetime.toNumber(), 0);
  const queue = connections.pool[0].requestQueue;
  assert.equal(typeof queue.scheduleCheckPendingRequests, "function");
  assert.ok(Array.isArray(queue.pending));
  assert.equal(connections.pool[0].bytesBuffered, 0, "nothing is read ahead of us");
  queue.destroy();
  sockets[0]!.destroy();
});

test("its listeners are those on data, end, error and timeout", async () => {
  const sockets: Socket[] = [];
  const connections = pool(sockets, null);
  await new Broker({ connectionPool: connections, logger: silence }).connect();
  const [socket] = sockets;
  const plain = connect((server.address() as { port: number }).port, "127.0.0.1");
  await once(plain, "connect");
  for (const event of ["data", "end", "error", "timeout", "close", "drain", "readable"]) {
    const expected = ["data", "end", "error", "timeout"].includes(event) ? 1 : 0;
    const extra = socket!.listenerCount(event) - plain.listenerCount(event);
    assert.equal(extra, expected, event);
  }
  connections.pool[0].requestQueue.destroy();
  socket!.destroy();
  plain.destroy();
});

test("destroying its queue leaves no timer of its own", async () => {
  const sockets: Socket[] = [];
  const connections = pool(sockets, null);
  await new Broker({ connectionPool: connections, logger: silence }).connect();
  const queue = connections.pool[0].requestQueue;
  queue.destroy();
  assert.equal(queue.throttleCheckTimeoutId, null);
  assert.equal(queue.requestTimeoutIntervalId._destroyed, true);
  sockets[0]!.destroy();
});

test("with SASL it logs in and knows how long the session lasts", async () => {
  const sockets: Socket[] = [];
  const connections = pool(sockets, login());
  asked.length = 0;
  await new Broker({ connectionPool: connections, logger: silence }).connect();
  assert.deepEqual(
    asked.map(({ key }) => key),
    [18, 17, 36],
  );
  assert.equal(asked[2]!.body.subarray(4).toString(), "\0alice\0secret");
  assert.equal(connections.pool[0].sessionLifetime.toNumber(), 60_000);
  connections.pool[0].requestQueue.destroy();
  sockets[0]!.destroy();
});

test("its authenticator works over any carrier of requests", async () => {
  const versions = { 17: { minVersion: 0, maxVersion: 1 }, 36: { minVersion: 0, maxVersion: 1 } };
  const sent: { key: number; version: number; name: string; body: Buffer }[] = [];
  const carrier = {
    host: "x",
    port: 1,
    sasl: login(),
    // biome-ignore lint/suspicious/noExplicitAny: kafkajs' own shapes.
    async send({ request, response }: any) {
      const { buffer } = await request.encode();
      const { apiKey: key, apiVersion: version, apiName: name } = request;
      sent.push({ key, version, name, body: buffer });
      return response.parse(await response.decode(Buffer.from(answers[key]!, "hex")));
    },
  };
  const authenticator = new SaslAuthenticator(carrier, silence, versions, true);
  await authenticator.authenticate();
  assert.deepEqual(
    sent.map(({ key, version, name }) => [key, version, name]),
    [
      [17, 1, "SaslHandshake"],
      [36, 1, "SaslAuthenticate"],
    ],
  );
  assert.equal(Number(authenticator.sessionLifetime), 60_000);
});

for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
  test(`a login by ${mechanism} that is refused says so by its name`, async () => {
    const carrier = {
      host: "x",
      port: 1,
      sasl: { ...login(), mechanism },
      // biome-ignore lint/suspicious/noExplicitAny: kafkajs' own shapes.
      async send({ request, response }: any) {
        const name = Buffer.from(mechanism);
        const size = Buffer.from([0, name.length]).toString("hex");
        const handshake = `000000000001${size}${name.toString("hex")}`;
        const refusal = `003a0003${Buffer.from("bad").toString("hex")}000000000000000000000000`;
        const answer = Buffer.from(request.apiKey === 17 ? handshake : refusal, "hex");
        return response.parse(await response.decode(answer));
      },
    };
    const versions = { 17: { minVersion: 0, maxVersion: 1 }, 36: { minVersion: 0, maxVersion: 1 } };
    await assert.rejects(new SaslAuthenticator(carrier, silence, versions, true).authenticate(), {
      name: "KafkaJSSASLAuthenticationError",
      message: /bad/,
    });
  });
}
