/** Connections to a broker that does what no real one can be made to do. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, test } from "node:test";
import { errorHint, errorTrace, type HostError } from "../../src/base/error.ts";
import type { Connections, Transport } from "../../src/kafka/calls.ts";
import { requiredApis } from "../../src/kafka/connection/required-apis.ts";
import type { Api } from "../../src/kafka/protocol/api.ts";
import { findCoordinator } from "../../src/kafka/protocol/find-coordinator.ts";
import { metadata } from "../../src/kafka/protocol/metadata.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { ScriptedBroker } from "../harness/kafka/scripted-broker.ts";
import { waitFor } from "../harness/wait-for.ts";

const node = { at: "node", node: 1 } as const;
const brokers = { topics: [], create: false };

/** An API whose bodies are bytes. */
const echo: Api<Uint8Array, string> = {
  key: 900,
  name: "Echo",
  versions: { min: 2, max: 5 },
  flexibleFrom: 4,
  write: (to, body) => to.raw(body),
  read: (from) => Buffer.from(from.rest()).toString(),
};

let broker: ScriptedBroker;
let transport: Transport | undefined;
beforeEach(async () => {
  broker = await ScriptedBroker.start();
  broker.versions.set(echo.key, [0, 3]);
  broker.answers.set(echo.key, ({ body }) => body);
});
afterEach(async () => {
  await transport?.close();
  broker.stop();
});

async function open(config: Record<string, string> = {}): Promise<Connections> {
  transport = await createTransport({
    bootstrapServers: [broker.address],
    config: {
      "default.api.timeout.ms": "0",
      "reconnect.backoff.ms": "5",
      "retry.backoff.ms": "5",
      "socket.connection.setup.timeout.ms": "2000",
      ...config,
    },
    clientId: "map",
    logger: silentLogger(),
  });
  return transport.connections({ clientId: "role" });
}

test("the highest common version is used, and told", async () => {
  const connections = await open();
  assert.equal(await connections.call(node, echo, Buffer.from("hello")), "hello");
  const { version, clientId } = broker.requests.at(-1)!;
  assert.deepEqual([version, clientId], [3, "role"]);
  assert.equal(connections.versionOf(1, echo), 3);
  assert.equal(connections.versionOf(2, echo), undefined);
});

test("a flexible version has tags in both headers", async () => {
  broker.versions.set(echo.key, [4, 9]);
  // An answer's header has one tagged field here, which nobody wants.
  broker.answers.set(echo.key, ({ body }) => Buffer.concat([Buffer.from([1, 7, 2, 0, 0]), body]));
  const connections = await open();
  assert.equal(await connections.call(node, echo, Buffer.from("hi")), "\0hi");
  assert.equal(broker.requests.at(-1)!.version, 5);
});

/** Its answers begin with how long the broker wants to hear nothing, from version 3 on for us to keep. */
const throttled: Api<Uint8Array, string> = { ...echo, throttle: { from: 3, at: 0 } };

/** The first answer asks for so much quiet; tells when each request arrived. */
function throttling(throttleMs: number): number[] {
  const arrivedMs: number[] = [];
  broker.answers.set(echo.key, () => {
    arrivedMs.push(performance.now());
    const answer = Buffer.alloc(4);
    answer.writeInt32BE(arrivedMs.length === 1 ? throttleMs : 0);
    return answer;
  });
  return arrivedMs;
}

test("a broker that wants to hear nothing for a while is left alone, on that connection", async () => {
  const connections = await open();
  const arrivedMs = throttling(400);
  await connections.call(node, throttled, Buffer.from("a"));
  const later = ["b", "c"].map((text) => connections.call(node, throttled, Buffer.from(text)));
  await transport!.map.refresh([]);
  await Promise.all(later);
  const [first = 0, ...others] = arrivedMs;
  assert.equal(others.length, 2);
  for (const atMs of others) assert.ok(atMs - first >= 395, `after ${atMs - first} ms`);
  const bodies = broker.requests.filter(({ key }) => key === echo.key).map(({ body }) => `${body}`);
  assert.deepEqual(bodies, ["a", "b", "c"]);
});

test("a broker of old that says how late it answered is asked on at once", async () => {
  broker.versions.set(echo.key, [2, 2]);
  const connections = await open();
  throttling(3_600_000);
  for (const text of ["a", "b"]) await connections.call(node, throttled, Buffer.from(text));
});

test("what is held back for a broker ends with its signal, its connections and the transport", async () => {
  const connections = await open();
  const arrivedMs = throttling(3_600_000);
  await connections.call(node, throttled, Buffer.from("a"));
  const abort = new AbortController();
  const { signal } = abort;
  const givenUp = connections.call(node, throttled, Buffer.from("b"), { signal });
  const held = connections.call(node, throttled, Buffer.from("c"));
  abort.abort(new Error("given up"));
  await assert.rejects(givenUp, { message: "given up" });
  await Promise.all([assert.rejects(held, { code: "kafka.closed" }), transport!.close()]);
  assert.equal(arrivedMs.length, 1);
});

test("large parts of a request go out uncopied and in their place", async () => {
  const connections = await open();
  const large = Buffer.alloc(3_000_000, "x");
  const sent = [Buffer.from("small"), large, Buffer.from("end")];
  const answers = await Promise.all(sent.map((body) => connections.call(node, echo, body)));
  assert.deepEqual(
    answers.map((answer) => answer.length),
    [5, 3_000_000, 3],
  );
});

for (const { name, theirs, says } of [
  {
    name: "an API that is too new",
    theirs: [6, 9],
    says: /Echo \(the broker has versions 6 to 9, this driver versions 2 to 5\)/,
  },
  {
    name: "an API that is too old",
    theirs: [1, 1],
    says: /Echo \(the broker has version 1, this driver/,
  },
  { name: "an API it lacks", theirs: undefined, says: /Echo \(the broker does not know it/ },
] as const) {
  test(`${name} fails the call alone, with both sides' versions`, async () => {
    if (theirs === undefined) broker.versions.delete(echo.key);
    else broker.versions.set(echo.key, [...theirs]);
    const connections = await open();
    await assert.rejects(connections.call(node, echo, Buffer.from("x")), (error: HostError) => {
      assert.equal(error.code, "kafka.version_unsupported");
      assert.match(error.message, says);
      assert.match(error.message, /broker 1 \(127\.0\.0\.1:\d+\)/);
      return true;
    });
    await connections.call(node, metadata, brokers);
  });
}

test("a broker that lacks versions every worker needs is refused when it is connected", async () => {
  broker.versions.set(0, [14, 15]);
  broker.versions.set(11, [0, 4]);
  await assert.rejects(open({ "default.api.timeout.ms": "5000" }), (error: HostError) => {
    assert.equal(error.code, "kafka.version_unsupported");
    assert.match(error.message, /Produce \(the broker has versions 14 to 15, this driver/);
    assert.match(
      error.message,
      /JoinGroup \(the broker has versions 0 to 4, this driver versions 5 to 9\)/,
    );
    assert.match(error.hint ?? "", /Kafka 2\.4 or newer/);
    return true;
  });
  await waitFor(() => broker.open === 0, { withinMs: 20_000, what: "its socket to be closed" });
});

test("the port of a controller is recognised", async () => {
  broker.versions.delete(0);
  await assert.rejects(open(), { code: "kafka.version_unsupported", hint: /controller/ });
});

test("every API of the driver is either needed from the start or one of the admin's", async () => {
  const folder = new URL("../../src/kafka/protocol/", import.meta.url);
  const files = (await readdir(folder)).filter((file) => /^[a-z-]+\.ts$/.test(file));
  const found = await Promise.all(files.map((file) => import(new URL(file, folder).href)));
  const isApi = (value: unknown): value is Api<never, unknown> =>
    typeof value === "object" && value !== null && "versions" in value && "key" in value;
  const apis = found.flatMap((module) => Object.values(module)).filter(isApi);
  const names = apis.filter((api) => !requiredApis.includes(api)).map(({ name }) => name);
  const admin = ["CreateTopics", "DeleteGroups", "DeleteTopics", "DescribeConfigs", "OffsetDelete"];
  assert.deepEqual(names.filter((name) => !admin.includes(name)).sort(), []);
  assert.ok(apis.length > requiredApis.length);
});

test("a broker that moves is found at its new address", async () => {
  const connections = await open();
  await connections.call(node, echo, Buffer.from("here"));
  const other = await ScriptedBroker.start();
  other.versions.set(echo.key, [0, 3]);
  other.answers.set(echo.key, () => Buffer.from("there"));
  broker.advertisedPort = other.port;
  await transport!.map.refresh([]);
  assert.equal(await connections.call(node, echo, Buffer.from("x")), "there");
  assert.equal(connections.addressOf(1), other.address);
  // The broker it moved from is gone: the ways in and the new address remain.
  broker.stop();
  assert.equal(await connections.call(node, echo, Buffer.from("x")), "there");
  other.stop();
});

test("a broker that nobody can reach is looked for anew", async () => {
  const connections = await open();
  const other = await ScriptedBroker.start();
  broker.advertisedPort = other.port;
  await transport!.map.refresh([]);
  // It is gone from there and back at the old place, which only the cluster can tell.
  other.stop();
  broker.advertisedPort = broker.port;
  const call = () => connections.call(node, echo, Buffer.from("back"));
  await waitFor(
    () =>
      call().then(
        () => true,
        () => false,
      ),
    {
      withinMs: 20_000,
      what: "the broker to be found",
    },
  );
});

test("a broker that is not one of the cluster's is not waited for", async () => {
  const connections = await open();
  const calling = connections.call({ at: "node", node: 7 }, echo, Buffer.from("x"));
  await assert.rejects(calling, { code: "kafka.disconnected", message: /broker 7 is not known/ });
});

for (const { name, answer } of [
  { name: "an answer to another request", answer: Buffer.from("000000047fffffff", "hex") },
  { name: "a size that is none", answer: Buffer.from("7fffffff00000000", "hex") },
]) {
  test(`${name} ends the connection and all that is in flight`, async () => {
    const connections = await open();
    await connections.call(node, metadata, brokers);
    broker.answers.set(echo.key, () => ({ raw: answer }));
    const calls = [1, 2].map(() => connections.call(node, echo, Buffer.from("x")));
    for (const call of await Promise.allSettled(calls)) {
      assert.equal(call.status, "rejected");
      assert.equal((call.reason as HostError).code, "kafka.answer_malformed");
      assert.match((call.reason as HostError).message, /Echo from broker 1/);
    }
    await connections.call(node, metadata, brokers);
  });
}

test("an answer that is cut short fails its own call and nothing else", async () => {
  const connections = await open();
  broker.answers.set(findCoordinator.key, () => Buffer.from([0, 0]));
  const bad = connections.call(node, findCoordinator, { kind: "group", id: "g" });
  const good = connections.call(node, echo, Buffer.from("x"));
  await assert.rejects(bad, { code: "kafka.answer_malformed", message: /FindCoordinator/ });
  assert.equal(await good, "x");
});

test("a request without an answer is done when it is written", async () => {
  broker.answers.set(echo.key, ({ body }) => (body.toString() === "quiet" ? undefined : body));
  const connections = await open();
  const options = { isAnswered: false };
  assert.equal(await connections.call(node, echo, Buffer.from("quiet"), options), undefined);
  assert.equal(await connections.call(node, echo, Buffer.from("loud")), "loud");
});

test("of several time-outs the shortest counts, and the rest fails with it", async () => {
  broker.answers.set(echo.key, () => undefined);
  const connections = await open();
  const startMs = performance.now();
  const slow = connections.call(node, echo, Buffer.from("a"), { timeoutMs: 60_000 });
  const quick = connections.call(node, echo, Buffer.from("b"), { timeoutMs: 200 });
  for (const call of [slow, quick]) {
    await assert.rejects(call, (error: HostError) => {
      assert.equal(error.code, "kafka.request_timeout");
      assert.match(errorTrace(error), /no answer to Echo within 200 ms/);
      return true;
    });
  }
  assert.ok(performance.now() - startMs >= 195);
});

test("a connection that was idle for long is replaced before it is used", async () => {
  const connections = await open({ "connections.max.idle.ms": "50" });
  await connections.call(node, echo, Buffer.from("x"));
  const before = broker.connections;
  const idleSinceMs = performance.now();
  await waitFor(() => performance.now() - idleSinceMs > 80, { withinMs: 20_000 });
  await connections.call(node, echo, Buffer.from("x"));
  assert.equal(broker.connections, before + 1);
});

test("a connection that nothing is asked of sets no timer", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const connections = await open();
  await connections.call(node, metadata, brokers);
  // What times the answers may still be set, once for each of the two connections, and does not return.
  assert.ok(timers() - before <= 2, process.getActiveResourcesInfo().join());
});

test("brokers that left the cluster are forgotten", async () => {
  const connections = await open();
  await connections.call(node, echo, Buffer.from("x"));
  broker.nodeId = 2;
  await transport!.map.refresh([]);
  await connections.call({ at: "node", node: 2 }, echo, Buffer.from("x"));
  // The map's two, to the way in and to a node, and the role's new one.
  await waitFor(() => broker.open === 3, { withinMs: 20_000, what: "the old lane to be closed" });
  await assert.rejects(connections.call(node, echo, Buffer.from("x")), /broker 1 is not known/);
});

test("while nobody asks, a cluster that is away is left alone", async () => {
  const connections = await open({
    "reconnect.backoff.max.ms": "5",
    "metadata.max.age.ms": "60000",
  });
  await connections.call(node, metadata, brokers);
  const other = await ScriptedBroker.start();
  other.versions.set(0, [14, 15]);
  broker.advertisedPort = other.port;
  await transport!.map.refresh([]);
  broker.stop();
  await assert.rejects(connections.call(node, metadata, brokers));
  await waitFor(() => other.connections >= 2, { withinMs: 20_000, what: "the map to look" });
  const before = other.connections;
  const sinceMs = performance.now();
  await waitFor(() => performance.now() - sinceMs > 200, { withinMs: 20_000 });
  assert.ok(other.connections <= before + 1, `${other.connections - before} more tries`);
  other.stop();
});

test("a call with a signal that has fired is not sent", async () => {
  const connections = await open();
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(connections.call(node, echo, Buffer.from("x"), { signal }), /enough/);
  assert.ok(!broker.requests.some(({ key }) => key === echo.key));
});

test("questions about the map that come together are one request", async () => {
  await open();
  const count = () => broker.requests.filter(({ key }) => key === metadata.key).length;
  const before = count();
  await Promise.all(["a", "b", "a"].map((topic) => transport!.map.refresh([topic])));
  assert.equal(count(), before + 1);
});

test("a hang-up at the first request says what to look at", async () => {
  broker.answers.set(metadata.key, () => {
    broker.stop();
    return undefined;
  });
  await assert.rejects(open(), (error: HostError) => {
    assert.equal(error.code, "kafka.disconnected");
    assert.match(errorHint(error) ?? "", /look at security\.protocol, which is PLAINTEXT/);
    return true;
  });
});

test("a transport that cannot come in leaves nothing behind", async () => {
  broker.answers.set(metadata.key, () => undefined);
  await assert.rejects(open({ "request.timeout.ms": "200" }), { code: "kafka.request_timeout" });
  await waitFor(() => broker.open === 0, { withinMs: 20_000, what: "its sockets to be closed" });
});

for (const { servers, says } of [
  { servers: ["nonsense"], says: /nonsense is no address/ },
  { servers: ["a:1,b:99999"], says: /b:99999/ },
  { servers: ["::1:9092"], says: /::1:9092/ },
  { servers: [""], says: /no broker is named/ },
]) {
  test(`bootstrap.servers=${servers} is refused`, async () => {
    const opening = createTransport({
      bootstrapServers: servers,
      config: {},
      clientId: "x",
      logger: silentLogger(),
    });
    await assert.rejects(opening, { code: "config.invalid", message: says });
  });
}

test("a setting that is no number is refused by its key", async () => {
  const connections = open({ "request.timeout.ms": "soon" });
  await assert.rejects(connections, { code: "config.invalid", message: /request\.timeout\.ms/ });
});
