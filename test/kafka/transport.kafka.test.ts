/** Connections to a real broker, through a proxy that does to them what networks do. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, afterEach, before, describe, test } from "node:test";
import type { HostError } from "../../src/base/error.ts";
import { brokerCode } from "../../src/kafka/broker-error.ts";
import type { Connections, Transport } from "../../src/kafka/calls.ts";
import { findCoordinator } from "../../src/kafka/protocol/find-coordinator.ts";
import { joinGroup } from "../../src/kafka/protocol/join-group.ts";
import { metadata } from "../../src/kafka/protocol/metadata.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import type { TcpProxy } from "../harness/kafka/tcp-proxy.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();

const brokers = { topics: [], create: false };
const node = { at: "node", node: 1 } as const;

describe("the connections to a broker", { skip: missing ?? false }, () => {
  let broker: Broker;
  let proxy: TcpProxy;
  let transport: Transport;
  const open = (config: Record<string, string> = {}, bootstrapServers = [broker.bootstrap]) =>
    createTransport({ bootstrapServers, config, clientId: "test", logger: silentLogger() });
  const role = (config: Record<string, string> = {}): Connections =>
    transport.connections({ clientId: "role", config });

  before(async () => {
    broker = await startBroker({ proxied: true });
    proxy = broker.proxy;
    transport = await open({ "reconnect.backoff.ms": "10", "retry.backoff.ms": "20" });
  });
  afterEach(() => {
    proxy.heal();
    if (broker.isFrozen) broker.thaw();
  });
  after(async () => {
    await transport?.close();
    await broker?.stop();
  });

  test("a topic that does not exist fails only itself, and is made when asked for", async () => {
    const [there, absent] = [uniqueName("there"), uniqueName("absent")];
    await transport.map.refresh([there], { create: true });
    await waitFor(
      async () => {
        await transport.map.refresh([there, absent]);
        return transport.map.topic(there) !== undefined;
      },
      { withinMs: 20_000, what: "a new topic" },
    );
    assert.deepEqual(transport.map.topic(there)?.leaders, [1]);
    assert.equal(transport.map.topicError(there), 0);
    assert.equal(transport.map.topic(absent), undefined);
    assert.equal(transport.map.topicError(absent), 3);
    assert.equal(transport.map.topicError(uniqueName("never")), undefined);
    const names = await transport.map.topicNames();
    assert.ok(names.includes(there) && !names.includes(absent));
    assert.notEqual(transport.clusterId, "");
  });

  test("callers that come together share one connection", async () => {
    const connections = role();
    const before = proxy.accepted;
    await Promise.all(Array.from({ length: 20 }, () => connections.call(node, metadata, brokers)));
    assert.equal(proxy.accepted - before, 1);
    assert.ok(connections.versionOf(1, metadata)! >= 4);
    assert.equal(connections.addressOf(1), broker.bootstrap);
    await connections.close();
  });

  test("a coordinator is asked for once, until it is forgotten", async () => {
    const of = { kind: "group", id: uniqueName("group") } as const;
    const found = () => transport.map.coordinator(of).catch(() => undefined);
    // The broker makes its topic for the offsets of groups at the first question.
    await waitFor(async () => (await found()) === 1, { withinMs: 20_000, what: "a coordinator" });
    assert.equal(transport.map.coordinator(of), transport.map.coordinator(of));
    const known = transport.map.coordinator(of);
    transport.map.forgetCoordinator(of);
    assert.notEqual(transport.map.coordinator(of), known);
    assert.equal(await transport.map.coordinator(of), 1);
  });

  test("a join that waits holds up nothing of another role", async () => {
    const groupId = uniqueName("group");
    const [first, second] = [role(), role()];
    const join = {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: "",
      instanceId: null,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: Buffer.from("00") }],
    };
    let asked = await first.call(node, joinGroup, join);
    // Until the broker has loaded its part of the groups, it is not their coordinator.
    await waitFor(
      async () => {
        asked = await first.call(node, joinGroup, join);
        return asked.errorCode === brokerCode.memberIdRequired;
      },
      { withinMs: 20_000, what: "the coordinator" },
    );
    const joined = await first.call(node, joinGroup, { ...join, memberId: asked.memberId });
    assert.equal(joined.errorCode, 0);
    const other = await second.call(node, joinGroup, join);
    // It waits for the first member, who does not come back.
    let hasWaited = false;
    const waiting = second
      .call(node, joinGroup, { ...join, memberId: other.memberId }, { timeoutMs: 60_000 })
      .catch((error: unknown) => error)
      .finally(() => {
        hasWaited = true;
      });
    await first.call(node, metadata, brokers);
    assert.equal(hasWaited, false);
    await second.close();
    assert.equal(((await waiting) as HostError).code, "kafka.closed");
    await first.close();
  });

  test("a cut connection fails what is in flight by name, and the next call has a new one", async () => {
    const connections = role();
    await connections.call(node, metadata, brokers);
    const lost = proxy.loseAnswers(metadata.key);
    const inFlight = [
      connections.call(node, metadata, brokers),
      connections.call(node, findCoordinator, { kind: "group", id: "x" }),
    ].map((call) => call.catch((error: unknown) => error));
    await lost;
    const [first, second] = (await Promise.all(inFlight)) as HostError[];
    assert.equal(first?.code, "kafka.disconnected");
    assert.equal(first?.name, "RetriableError");
    assert.match(first?.message ?? "", /Metadata from broker 1 \(127\.0\.0\.1:\d+\)/);
    assert.match(second?.message ?? "", /FindCoordinator from broker 1/);
    const before = proxy.accepted;
    const again = Array.from({ length: 5 }, () => connections.call(node, metadata, brokers));
    assert.equal((await Promise.all(again)).length, 5);
    // The map may look for the broker too.
    assert.ok(proxy.accepted - before <= 2, `${proxy.accepted - before} connections`);
    await connections.close();
  });

  test("a half-open connection is replaced after a time-out", async () => {
    const connections = role({ "request.timeout.ms": "1200" });
    await connections.call(node, metadata, brokers);
    proxy.freeze();
    const calls = [metadata, metadata].map((api) => connections.call(node, api, brokers));
    for (const call of calls) {
      await assert.rejects(call, (error: HostError) => {
        assert.equal(error.code, "kafka.request_timeout");
        assert.match(error.message, /Metadata from broker 1/);
        assert.match(String((error.cause as Error).message), /within 1200 ms/);
        return true;
      });
    }
    proxy.heal();
    const before = proxy.accepted;
    await connections.call(node, metadata, brokers);
    assert.ok(proxy.accepted > before);
    await connections.close();
  });

  test("a frozen broker is timed out, also while it is connected to, and used again", async () => {
    const config = {
      "request.timeout.ms": "1200",
      "socket.connection.setup.timeout.ms": "1200",
      "socket.connection.setup.timeout.max.ms": "1200",
    };
    const [used, fresh] = [role(config), role(config)];
    await used.call(node, metadata, brokers);
    await broker.freeze();
    await assert.rejects(used.call(node, metadata, brokers), { code: "kafka.request_timeout" });
    await assert.rejects(fresh.call(node, metadata, brokers), { code: "kafka.disconnected" });
    broker.thaw();
    await waitFor(
      async () =>
        fresh.call(node, metadata, brokers).then(
          () => true,
          () => false,
        ),
      {
        withinMs: 20_000,
        what: "the broker to answer again",
      },
    );
    await used.call(node, metadata, brokers);
    await Promise.all([used.close(), fresh.close()]);
  });

  test("a call that is given up does not disturb those beside it", async () => {
    const connections = role();
    await connections.call(node, metadata, brokers);
    const stop = new AbortController();
    const given = connections.call(node, metadata, brokers, { signal: stop.signal });
    const kept = connections.call(node, metadata, brokers);
    stop.abort(new Error("enough"));
    await assert.rejects(given, /enough/);
    assert.equal((await kept).brokers.length, 1);
    await connections.close();
  });

  test("one dead server among the bootstrap servers does no harm", async () => {
    const dead = createServer().listen(0, "127.0.0.1");
    await once(dead, "listening");
    const { port } = dead.address() as { port: number };
    dead.close();
    for (let n = 0; n < 3; n += 1) {
      const other = await open({}, [`127.0.0.1:${port}`, broker.bootstrap]);
      await other.map.refresh(["x"]);
      await other.close();
    }
  });

  test("an IPv6 literal is an address", async (t) => {
    const relay = createServer((socket) => {
      const through = connect(broker.ports.client, "127.0.0.1");
      socket.pipe(through).pipe(socket);
      for (const each of [socket, through]) each.on("error", () => socket.destroy());
    });
    relay.listen(0, "::1");
    const [failed] = await Promise.race([
      once(relay, "listening").then(() => []),
      once(relay, "error"),
    ]);
    if (failed !== undefined) return t.skip("this machine has no IPv6");
    const { port } = relay.address() as { port: number };
    const other = await open({}, [`[::1]:${port}`]);
    assert.equal(other.clusterId, transport.clusterId);
    await other.close();
    relay.close();
  });

  test("where nobody listens, it says so once the time is over", async () => {
    const config = { "default.api.timeout.ms": "300", "reconnect.backoff.max.ms": "100" };
    const startMs = performance.now();
    await assert.rejects(open(config, ["127.0.0.1:1"]), (error: HostError) => {
      assert.equal(error.code, "kafka.disconnected");
      assert.match(error.message, /cannot connect to the broker at 127\.0\.0\.1:1 .*ECONNREFUSED/);
      assert.match(error.hint ?? "", /whether the broker is up/);
      return true;
    });
    assert.ok(performance.now() - startMs < 20_000);
  });

  test("closing leaves no connection behind", async () => {
    const other = await open();
    const connections = other.connections({ clientId: "other" });
    await connections.call(node, metadata, brokers);
    const before = proxy.open;
    await other.close();
    await waitFor(() => proxy.open <= before - 2, { withinMs: 20_000, what: "closed sockets" });
    await assert.rejects(connections.call(node, metadata, brokers), { code: "kafka.closed" });
    await assert.rejects(other.map.refresh([]), { code: "kafka.closed" });
  });
});
