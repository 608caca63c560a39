/** The harness's secure listeners, through Kafka's own clients: who may come in, and who may not. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Broker, startBroker } from "../harness/kafka/broker.ts";
import {
  type Certificates,
  storePassword,
  testCertificates,
} from "../harness/kafka/certificates.ts";
import { javaProgram } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { saslUsers } from "../harness/kafka/sasl-users.ts";
import type { SecureListener } from "../harness/kafka/secure-listeners.ts";

const mayEnter = fileURLToPath(new URL("../fixtures/kafka/MayEnter.java", import.meta.url));
const { missing } = await kafkaJars();

describe("a broker's secure listeners", { skip: missing ?? false }, () => {
  let broker: Broker;
  let certificates: Certificates;
  before(async () => {
    certificates = await testCertificates();
    broker = await startBroker({ secure: true });
  });
  after(() => broker?.stop());

  const trust = () => ({
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": certificates.ca,
  });
  const login = (mechanism: string, name: string, password: string) => {
    const kind = mechanism === "PLAIN" ? "plain.Plain" : "scram.Scram";
    const module = `org.apache.kafka.common.security.${kind}LoginModule`;
    return {
      "sasl.mechanism": mechanism,
      "sasl.jaas.config": `${module} required username="${name}" password="${password}";`,
    };
  };
  interface Visitor {
    name: string;
    listener: SecureListener;
    protocol: string;
    config: () => Record<string, string>;
    /** What the client says when it is not let in. */
    answer?: RegExp;
  }
  const visitors: Visitor[] = [
    {
      name: "a client that does not trust its CA",
      listener: "SSL",
      protocol: "SSL",
      config: () => ({ ...trust(), "ssl.truststore.location": certificates.otherCa }),
      answer: /SslAuthenticationException/,
    },
    {
      name: "a client with a certificate, and a JKS truststore",
      listener: "MTLS",
      protocol: "SSL",
      config: () => ({
        "ssl.truststore.type": "JKS",
        "ssl.truststore.location": certificates.trustStoreJks,
        "ssl.truststore.password": storePassword,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificates.clientPem,
      }),
    },
    {
      name: "a client without a certificate",
      listener: "MTLS",
      protocol: "SSL",
      config: trust,
      answer: /SslAuthenticationException/,
    },
    {
      name: "a client with a password under PLAIN",
      listener: "SASL_PLAINTEXT",
      protocol: "SASL_PLAINTEXT",
      config: () => login("PLAIN", "alice", saslUsers.alice),
    },
    {
      name: "a client with a wrong password under SCRAM-SHA-256",
      listener: "SASL_PLAINTEXT",
      protocol: "SASL_PLAINTEXT",
      config: () => login("SCRAM-SHA-256", "alice", "wrong"),
      answer: /SaslAuthenticationException/,
    },
    {
      name: "a client with a password under SCRAM-SHA-512 over TLS",
      listener: "SASL_SSL",
      protocol: "SASL_SSL",
      config: () => ({ ...trust(), ...login("SCRAM-SHA-512", "bob", saslUsers.bob) }),
    },
  ];
  test("let in whom they should, and nobody else", async () => {
    const files = visitors.map(({ listener, protocol, config }, index) => {
      const address = broker.secureBootstrap(listener);
      const settings = { "bootstrap.servers": address, "security.protocol": protocol, ...config() };
      const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
      return broker.write(`client-${index}.properties`, lines.join(""));
    });
    const { stdout } = await javaProgram(mayEnter, await Promise.all(files));
    const answers = stdout.trim().split("\n");
    for (const [index, { name, listener, answer = /^in$/ }] of visitors.entries()) {
      assert.match(answers[index] ?? "", answer, `${listener}: ${name}`);
    }
  });

  test("their certificates are files in every format a client may be given", () => {
    const absent = Object.values(certificates).filter((file) => !existsSync(file as string));
    assert.deepEqual(absent, []);
  });
});
