/** Logins as a scripted broker sees them: when, as whom, and between which requests. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { errorTrace, type HostError } from "../../src/base/error.ts";
import type { Transport } from "../../src/kafka/calls.ts";
import { metadata } from "../../src/kafka/protocol/metadata.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { ScriptedBroker, type ScriptedRequest } from "../harness/kafka/scripted-broker.ts";
import { waitFor } from "../harness/wait-for.ts";

const node = { at: "node", node: 1 } as const;
const brokers = { topics: [], create: false };
const [handshake, authenticate] = [17, 36];

const login = (name: string) => ({
  "security.protocol": "SASL_PLAINTEXT",
  "sasl.mechanism": "PLAIN",
  "sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required username="${name}" password="s3cret";`,
});

let broker: ScriptedBroker;
let transport: Transport | undefined;
let sessionMs: number;
beforeEach(async () => {
  sessionMs = 0;
  broker = await ScriptedBroker.start();
  for (const key of [handshake, authenticate]) broker.versions.set(key, [0, 1]);
  broker.answers.set(handshake, () => Buffer.from("\0\0\0\0\0\x01\0\x05PLAIN"));
  broker.answers.set(authenticate, () => accepted(sessionMs));
});
afterEach(async () => {
  await transport?.close();
  broker.stop();
});

/** No error, no message, no bytes, the session. */
function accepted(ms: number): Buffer {
  const bytes = Buffer.from("0000ffff000000000000000000000000", "hex");
  bytes.writeInt32BE(ms, 12);
  return bytes;
}

const refused = Buffer.from("\0\x3a\0\x04gone\0\0\0\0\0\0\0\0\0\0\0\0");

async function open(): Promise<void> {
  transport = await createTransport({
    bootstrapServers: [broker.address],
    config: { "default.api.timeout.ms": "0", "reconnect.backoff.ms": "5", ...login("alice") },
    clientId: "map",
    logger: silentLogger(),
  });
}

/** Of one role. */
const sentBy = (clientId: string) =>
  broker.requests.filter((request: ScriptedRequest) => request.clientId === clientId);

test("a login is renewed between the requests before it and those that came behind it", async () => {
  sessionMs = 400;
  await open();
  const connections = transport!.connections({ clientId: "role" });
  await connections.call(node, metadata, brokers);
  const opened = broker.connections;
  // From 85 % of the session on.
  const sinceMs = performance.now();
  await waitFor(() => performance.now() - sinceMs > 390, { withinMs: 20_000 });
  // The next one outlasts whatever holds the calls up.
  sessionMs = 600_000;
  const versionsBefore = sentBy("role").length;
  await Promise.all([1, 2, 3].map(() => connections.call(node, metadata, brokers)));
  const keys = sentBy("role")
    .slice(versionsBefore)
    .map(({ key }) => key);
  assert.deepEqual(keys, [handshake, authenticate, 3, 3, 3]);
  assert.equal(broker.connections, opened);
});

test("a login that is refused when it is renewed fails those that waited for it", async () => {
  sessionMs = 400;
  await open();
  const connections = transport!.connections({ clientId: "role" });
  await connections.call(node, metadata, brokers);
  broker.answers.set(authenticate, () => refused);
  const sinceMs = performance.now();
  await waitFor(() => performance.now() - sinceMs > 390, { withinMs: 20_000 });
  const calls = [1, 2, 3].map(() => connections.call(node, metadata, brokers));
  for (const call of await Promise.allSettled(calls)) {
    const error = (call as PromiseRejectedResult).reason as HostError;
    assert.equal(error.code, "kafka.authentication_failed");
    assert.equal(error.name, "TaskError");
    assert.match(error.message, /broker 1 \(127\.0\.0\.1:\d+\).*gone/);
    assert.doesNotMatch(errorTrace(error), /s3cret/);
  }
  // The next call tries again, once.
  const before = broker.requests.filter(({ key }) => key === authenticate).length;
  await assert.rejects(connections.call(node, metadata, brokers), {
    code: "kafka.authentication_failed",
  });
  const after = broker.requests.filter(({ key }) => key === authenticate).length;
  assert.ok(after - before >= 1 && after - before <= 2, `${after - before} logins`);
  broker.answers.set(authenticate, () => accepted(0));
  await connections.call(node, metadata, brokers);
});

test("a client may log in as somebody else than the worker", async () => {
  await open();
  const connections = transport!.connections({ clientId: "role", config: login("bob") });
  await connections.call(node, metadata, brokers);
  const users = (clientId: string) =>
    sentBy(clientId)
      .filter(({ key }) => key === authenticate)
      .map(({ body }) => body.subarray(4).toString().split("\0")[1]);
  assert.deepEqual(users("role"), ["bob"]);
  assert.deepEqual([...new Set(users("map"))], ["alice"]);
});

test("a client whose own login cannot be read fails its calls and nobody else's", async () => {
  await open();
  const config = { ...login("bob"), "sasl.mechanism": "GSSAPI" };
  const connections = transport!.connections({ clientId: "role", config });
  await assert.rejects(connections.call(node, metadata, brokers), { code: "config.invalid" });
  await transport!.map.refresh([]);
});
