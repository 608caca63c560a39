/** Who the driver lets in and who lets it in: TLS and SASL against a real broker. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { errorHint, errorTrace, type HostError } from "../../src/base/error.ts";
import type { Transport } from "../../src/kafka/calls.ts";
import { metadata } from "../../src/kafka/protocol/metadata.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { type Broker, startBroker } from "../harness/kafka/broker.ts";
import {
  type Certificates,
  storePassword,
  testCertificates,
} from "../harness/kafka/certificates.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { saslUsers } from "../harness/kafka/sasl-users.ts";
import type { SecureListener } from "../harness/kafka/secure-listeners.ts";
import { askScramUser } from "../harness/kafka/steer-broker.ts";
import { startTcpProxy } from "../harness/kafka/tcp-proxy.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();

const brokers = { topics: [], create: false };
const node = { at: "node", node: 1 } as const;
const reauth = "listener.name.sasl_plaintext.scram-sha-256.connections.max.reauth.ms";

describe("the security of connections", { skip: missing ?? false }, () => {
  let broker: Broker;
  let files: Certificates;
  before(async () => {
    files = await testCertificates();
    broker = await startBroker({ secure: true, config: { [reauth]: "2000" } });
  });
  after(() => broker?.stop());

  const open = (server: string, config: Record<string, string>): Promise<Transport> =>
    createTransport({
      bootstrapServers: [server],
      config: { "default.api.timeout.ms": "0", "request.timeout.ms": "5000", ...config },
      clientId: "test",
      logger: silentLogger(),
    });
  const trust = () => ({ "ssl.truststore.type": "PEM", "ssl.truststore.location": files.ca });
  const trustStore = () => ({
    "ssl.truststore.type": "PKCS12",
    "ssl.truststore.location": files.trustStore,
    "ssl.truststore.password": storePassword,
  });
  const login = (mechanism: string, name: string, password: string) => {
    const kind = mechanism === "PLAIN" ? "plain.Plain" : "scram.Scram";
    const module = `org.apache.kafka.common.security.${kind}LoginModule`;
    return {
      "sasl.mechanism": mechanism,
      "sasl.jaas.config": `${module} required username="${name}" password="${password}";`,
    };
  };

  const welcome: { name: string; at: SecureListener; config: () => Record<string, string> }[] = [
    { name: "TLS, a PEM truststore", at: "SSL", config: trust },
    { name: "TLS, a PKCS12 truststore of keytool", at: "SSL", config: trustStore },
    {
      name: "TLS 1.2 only",
      at: "SSL",
      config: () => ({ ...trust(), "ssl.enabled.protocols": "TLSv1.2" }),
    },
    {
      name: "a certificate in PKCS12",
      at: "MTLS",
      config: () => ({
        ...trustStore(),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": files.clientStore,
        "ssl.keystore.password": storePassword,
      }),
    },
    {
      name: "a certificate in PEM, its key encrypted",
      at: "MTLS",
      config: () => ({
        ...trust(),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": files.clientPemEncrypted,
        "ssl.key.password": storePassword,
      }),
    },
    ...["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      {
        name: `${mechanism} in plain text`,
        at: "SASL_PLAINTEXT" as const,
        config: () => login(mechanism, "alice", saslUsers.alice),
      },
      {
        name: `${mechanism} over TLS`,
        at: "SASL_SSL" as const,
        config: () => ({ ...trust(), ...login(mechanism, "alice", saslUsers.alice) }),
      },
    ]),
  ];
  for (const { name, at, config } of welcome) {
    test(`${name} is let in, and requests go through`, async () => {
      const protocol = at === "MTLS" ? "SSL" : at;
      const server = broker.secureBootstrap(at);
      const transport = await open(server, { "security.protocol": protocol, ...config() });
      const connections = transport.connections({ clientId: "role" });
      const calls = Array.from({ length: 20 }, () => connections.call(node, metadata, brokers));
      assert.equal((await Promise.all(calls)).length, 20);
      await transport.close();
    });
  }

  const refused: {
    name: string;
    at: SecureListener | "PLAINTEXT";
    config: () => Record<string, string>;
    code?: string;
    says: RegExp;
    hint: RegExp;
  }[] = [
    {
      name: "a broker whose authority is not trusted",
      at: "SSL",
      config: () => ({ "security.protocol": "SSL", "ssl.truststore.location": files.otherCa }),
      says: /certificate cannot be trusted/,
      hint: /ssl\.truststore\.location/,
    },
    {
      name: "a worker without a certificate",
      at: "MTLS",
      config: () => ({ "security.protocol": "SSL", ...trust() }),
      says: /certificate required|bad certificate/,
      hint: /ssl\.keystore\.location/,
    },
    ...["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].map((mechanism) => ({
      name: `a wrong password under ${mechanism}`,
      at: "SASL_PLAINTEXT" as const,
      config: () => ({
        "security.protocol": "SASL_PLAINTEXT",
        ...login(mechanism, "alice", "not-hers"),
      }),
      says: /authentication failed|Authentication failed/,
      hint: /password in sasl\.jaas\.config/,
    })),
    {
      name: "plain text on a TLS port",
      at: "SSL",
      config: () => ({
        "request.timeout.ms": "15000",
        "socket.connection.setup.timeout.ms": "15000",
      }),
      code: "kafka.disconnected",
      says: /security\.protocol=PLAINTEXT/,
      hint: /expect TLS or a login: look at security\.protocol/,
    },
    {
      name: "TLS on a plain-text port",
      at: "PLAINTEXT",
      config: () => ({
        "security.protocol": "SSL",
        ...trust(),
        "request.timeout.ms": "15000",
        "socket.connection.setup.timeout.ms": "15000",
      }),
      code: "kafka.disconnected",
      says: /security\.protocol=SSL/,
      hint: /look at security\.protocol/,
    },
    {
      name: "no login where one is expected",
      at: "SASL_PLAINTEXT",
      config: () => ({}),
      code: "kafka.disconnected",
      says: /Metadata/,
      hint: /expect TLS or a login/,
    },
  ];
  for (const { name, at, config, code = "kafka.authentication_failed", says, hint } of refused) {
    test(`${name} is an error that says what to look at`, async () => {
      const server = at === "PLAINTEXT" ? broker.bootstrap : broker.secureBootstrap(at);
      await assert.rejects(open(server, config()), (error: HostError) => {
        assert.equal(error.code, code, errorTrace(error));
        const shown = errorTrace(error);
        assert.match(shown, says);
        assert.match(errorHint(error) ?? "", hint);
        assert.doesNotMatch(shown, /not-hers/);
        return true;
      });
    });
  }

  test("a broker under a name that its certificate lacks is not trusted, unless told to", async () => {
    const proxy = await startTcpProxy(Number(broker.secureBootstrap("SSL").split(":")[1]));
    const config = { "security.protocol": "SSL", ...trust() };
    const server = `localhost:${proxy.port}`;
    await assert.rejects(open(server, config), (error: HostError) => {
      assert.equal(error.code, "kafka.authentication_failed");
      assert.match(error.hint ?? "", /advertised\.listeners/);
      return true;
    });
    const key = "ssl.endpoint.identification.algorithm";
    const transport = await open(server, { ...config, [key]: "" });
    await transport.close();
    await proxy.close();
  });

  test("a broker that never says a word is given up", async () => {
    const server = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const config = { "request.timeout.ms": "300", "socket.connection.setup.timeout.ms": "300" };
    for (const protocol of ["PLAINTEXT", "SSL"]) {
      const startMs = performance.now();
      const opening = open(`127.0.0.1:${port}`, { ...config, "security.protocol": protocol });
      await assert.rejects(opening, { code: "kafka.disconnected" });
      assert.ok(performance.now() - startMs < 20_000, protocol);
    }
    server.close();
  });

  // The broker hangs up on a session that is over, which would fail the calls in flight.
  test("a login is renewed under load, and no call notices", async () => {
    const transport = await open(broker.secureBootstrap("SASL_PLAINTEXT"), {
      "security.protocol": "SASL_PLAINTEXT",
      ...login("SCRAM-SHA-256", "alice", saslUsers.alice),
    });
    const connections = transport.connections({ clientId: "role" });
    const endMs = performance.now() + 4_500;
    let calls = 0;
    const caller = async () => {
      for (; performance.now() < endMs; calls += 1) {
        await connections.call(node, metadata, brokers);
      }
    };
    await Promise.all(Array.from({ length: 10 }, caller));
    assert.ok(calls > 100);
    await transport.close();
  });

  test("a login that is taken away fails the calls when it has to be renewed", async () => {
    const transport = await open(broker.secureBootstrap("SASL_PLAINTEXT"), {
      "security.protocol": "SASL_PLAINTEXT",
      ...login("SCRAM-SHA-256", "bob", saslUsers.bob),
    });
    const connections = transport.connections({ clientId: "role" });
    await connections.call(node, metadata, brokers);
    await askScramUser(broker.ports.internal, "bob", "SCRAM-SHA-256", undefined);
    let failure: unknown;
    await waitFor(
      async () => {
        failure = await connections.call(node, metadata, brokers).then(
          () => undefined,
          (error: unknown) => error,
        );
        return failure !== undefined;
      },
      { withinMs: 20_000, what: "the login to end", everyMs: 50 },
    );
    const isRefused = (error: unknown) => {
      assert.equal((error as HostError).code, "kafka.authentication_failed", errorTrace(error));
      assert.match(errorTrace(error), /broker 1 \(127\.0\.0\.1:\d+\)/);
      assert.doesNotMatch(errorTrace(error), new RegExp(saslUsers.bob));
      return true;
    };
    isRefused(failure);
    await assert.rejects(connections.call(node, metadata, brokers), isRefused);
    await askScramUser(broker.ports.internal, "bob", "SCRAM-SHA-256", saslUsers.bob);
    await waitFor(
      () =>
        connections.call(node, metadata, brokers).then(
          () => true,
          () => false,
        ),
      { withinMs: 20_000, what: "the login to work again", everyMs: 50 },
    );
    await transport.close();
  });
});
