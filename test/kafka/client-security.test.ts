/** Who one is and whom one trusts, read from files as Java's tools make them (test/fixtures/stores). */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ConfigError, errorHint, errorTrace } from "../../src/base/error.ts";
import { readClientSecurity } from "../../src/kafka/security/client-security.ts";
import { pkcs12Certificates } from "../../src/kafka/security/pkcs12.ts";

const store = (name: string) =>
  fileURLToPath(new URL(`../fixtures/stores/${name}`, import.meta.url));
const text = (name: string) => readFile(store(name), "utf8");

let folder: string;
let identityFile: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "bulkhead-stores-"));
  identityFile = join(folder, "identity.pem");
  await writeFile(identityFile, (await text("key.pem")) + (await text("chain.pem")));
  await writeFile(join(folder, "no store"), "hello");
});
after(() => rm(folder, { recursive: true }));

const trusts = (name: string, password?: string) => ({
  "ssl.truststore.location": store(name),
  ...(password !== undefined && { "ssl.truststore.password": password }),
});
const is = (name: string, password?: string) => ({
  "ssl.keystore.location": store(name),
  ...(password !== undefined && { "ssl.keystore.password": password }),
});

const usable: { name: string; config: () => Promise<Record<string, string>> | object }[] = [
  { name: "nothing, which trusts whom Node trusts", config: () => ({}) },
  { name: "a PEM truststore", config: () => trusts("authority.pem") },
  { name: "a truststore made by keytool", config: () => trusts("trust.p12", "store-pass") },
  {
    name: "a PKCS12 store whose type says JKS, as Java's default does",
    config: () => ({ ...trusts("trust.p12", "store-pass"), "ssl.truststore.type": "JKS" }),
  },
  {
    name: "certificates in the config itself",
    config: async () => ({
      "ssl.truststore.type": "PEM",
      "ssl.truststore.certificates": await text("authority.pem"),
    }),
  },
  { name: "a keystore made by keytool", config: () => is("worker.p12", "store-pass") },
  { name: "a PEM keystore", config: () => ({ "ssl.keystore.location": identityFile }) },
  {
    name: "an encrypted key in the config itself",
    config: async () => ({
      "ssl.keystore.type": "PEM",
      "ssl.keystore.key": await text("key-encrypted.pem"),
      "ssl.keystore.certificate.chain": await text("chain.pem"),
      "ssl.key.password": "key-pass",
    }),
  },
  { name: "one TLS version", config: () => ({ "ssl.enabled.protocols": "TLSv1.3" }) },
];
for (const { name, config } of usable) {
  test(`${name} can be used`, async () => {
    const security = await readClientSecurity({ "security.protocol": "SSL", ...(await config()) });
    assert.ok(security.tls?.secureContext);
  });
}

test("the certificates of a truststore are those that were put in", async () => {
  const [certificate, ...others] = await pkcs12Certificates(
    await readFile(store("trust.p12")),
    "store-pass",
  );
  assert.deepEqual(others, []);
  const pem = (await text("authority.pem")).replace(/-----[^-]+-----|\s/g, "");
  assert.equal(Buffer.from(certificate!).toString("base64"), pem);
});

test("names of brokers are checked unless that is switched off", async () => {
  const key = "ssl.endpoint.identification.algorithm";
  const checked = await readClientSecurity({ "security.protocol": "SSL", [key]: "https" });
  assert.equal(checked.tls?.checkServerIdentity, undefined);
  const unchecked = await readClientSecurity({ "security.protocol": "SSL", [key]: "" });
  assert.equal(unchecked.tls?.checkServerIdentity?.("x", {} as never), undefined);
});

const jaas =
  'org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="key-pass";';
const refused: {
  name: string;
  config: () => Promise<Record<string, string>> | object;
  key: string;
  says: RegExp;
  hint?: RegExp;
}[] = [
  {
    name: "a JKS truststore",
    config: () => trusts("trust.jks", "store-pass"),
    key: "ssl.truststore.location",
    says: /is a JKS store/,
    hint: /keytool -importkeystore -srckeystore \S+\/trust\.jks -srcstoretype JKS -destkeystore \S+\/trust\.p12 -deststoretype PKCS12/,
  },
  {
    name: "a JKS store that claims to be PKCS12",
    config: () => ({ ...is("trust.jks", "store-pass"), "ssl.keystore.type": "PKCS12" }),
    key: "ssl.keystore.location",
    says: /is a JKS store/,
    hint: /-deststoretype PKCS12/,
  },
  {
    name: "a store with encryption of old",
    config: () => trusts("trust-old.p12", "store-pass"),
    key: "ssl.truststore.location",
    says: /old way/,
    hint: /keytool -importkeystore/,
  },
  {
    name: "a wrong truststore password",
    config: () => trusts("trust.p12", "key-pass"),
    key: "ssl.truststore.password",
    says: /does not open/,
  },
  {
    name: "a missing truststore password",
    config: () => trusts("trust.p12"),
    key: "ssl.truststore.password",
    says: /missing/,
  },
  {
    name: "a wrong keystore password",
    config: () => is("worker.p12", "key-pass"),
    key: "ssl.keystore.password",
    says: /does not open/,
  },
  {
    name: "a missing keystore password",
    config: () => is("worker.p12"),
    key: "ssl.keystore.password",
    says: /missing/,
  },
  {
    name: "a truststore as keystore",
    config: () => is("trust.p12", "store-pass"),
    key: "ssl.keystore.location",
    says: /no private key/,
  },
  {
    name: "a file that is not there",
    config: () => trusts("absent.p12", "store-pass"),
    key: "ssl.truststore.location",
    says: /no such file/,
  },
  {
    name: "a file that is no store",
    config: () => ({ "ssl.truststore.location": join(folder, "no store") }),
    key: "ssl.truststore.location",
    says: /neither PEM nor PKCS12/,
  },
  {
    name: "a PEM file without a key",
    config: () => is("authority.pem"),
    key: "ssl.keystore.location",
    says: /no private key/,
  },
  {
    name: "a store password beside PEM",
    config: () => trusts("authority.pem", "store-pass"),
    key: "ssl.truststore.password",
    says: /no store password/,
  },
  {
    name: "a wrong key password",
    config: async () => ({
      "ssl.keystore.key": await text("key-encrypted.pem"),
      "ssl.keystore.certificate.chain": await text("chain.pem"),
      "ssl.key.password": "store-pass",
    }),
    key: "ssl.key.password",
    says: /does not open/,
  },
  {
    name: "a missing key password",
    config: async () => ({
      "ssl.keystore.key": await text("key-encrypted.pem"),
      "ssl.keystore.certificate.chain": await text("chain.pem"),
    }),
    key: "ssl.key.password",
    says: /missing/,
  },
  {
    name: "a key of another certificate",
    config: async () => ({
      "ssl.keystore.key": await text("key.pem"),
      "ssl.keystore.certificate.chain": await text("authority.pem"),
    }),
    key: "ssl.keystore.key",
    says: /not that of/,
  },
  {
    name: "an unknown protocol",
    config: () => ({ "security.protocol": "TLS" }),
    key: "security.protocol",
    says: /none of PLAINTEXT/,
  },
  {
    name: "an unknown TLS version",
    config: () => ({ "ssl.enabled.protocols": "SSLv3" }),
    key: "ssl.enabled.protocols",
    says: /SSLv3/,
  },
  {
    name: "an unknown check of names",
    config: () => ({ "ssl.endpoint.identification.algorithm": "ldaps" }),
    key: "ssl.endpoint.identification.algorithm",
    says: /neither/,
  },
  {
    name: "a list of ciphers",
    config: () => ({ "ssl.cipher.suites": "TLS_AES_128_GCM_SHA256" }),
    key: "ssl.cipher.suites",
    says: /Java/,
  },
  {
    name: "SASL without a mechanism",
    config: () => ({ "security.protocol": "SASL_SSL" }),
    key: "sasl.mechanism",
    says: /GSSAPI, the default/,
  },
  {
    name: "SASL without a login",
    config: () => ({ "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN" }),
    key: "sasl.jaas.config",
    says: /missing/,
  },
  {
    name: "a login of another mechanism",
    config: () => ({
      "security.protocol": "SASL_PLAINTEXT",
      "sasl.mechanism": "SCRAM-SHA-256",
      "sasl.jaas.config": jaas,
    }),
    key: "sasl.jaas.config",
    says: /not for/,
  },
];
for (const { name, config, key, says, hint } of refused) {
  test(`${name} is refused by its key, and no password is shown`, async () => {
    const given = { "security.protocol": "SSL", ...(await config()) };
    await assert.rejects(readClientSecurity(given), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.key),
        [key],
      );
      assert.match(error.message, says);
      if (hint !== undefined) assert.match(errorHint(error) ?? "", hint);
      const shown = `${errorTrace(error)}${errorHint(error)}${JSON.stringify(error)}`;
      assert.doesNotMatch(shown, /store-pass|key-pass|PRIVATE KEY/);
      return true;
    });
  });
}
