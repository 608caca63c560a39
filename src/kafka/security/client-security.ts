/** Kafka's client keys about who one is and whom one trusts, with Java's names. */
import { type ConnectionOptions, createSecureContext, type SecureVersion } from "node:tls";
import type { Secret } from "../../config/secret.ts";
import { wrongKey } from "../connection/client-config.ts";
import type { Entrance } from "../connection/connect-error.ts";
import type { ClientConfig } from "../kafka.ts";
import { parseJaas } from "./jaas.ts";
import { readKeyStore, readTrustStore } from "./key-store.ts";

export interface ClientSecurity extends Entrance {
  /** For `tls.connect`; undefined without TLS. Files and passwords are read and not kept. */
  readonly tls: ConnectionOptions | undefined;
  readonly sasl: SaslLogin | undefined;
}

export interface SaslLogin {
  readonly mechanism: string;
  readonly username: string;
  readonly password: Secret;
}

/** The keys that this file reads. */
export const securityKeys = /^(security\.protocol$|sasl\.|ssl\.)/;

const protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
const mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
/** Oldest first. */
const tlsVersions: readonly SecureVersion[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** They name Java classes, or ciphers by names that Node does not know: ignoring them would be unsafe. */
const unserved = [
  "sasl.client.callback.handler.class",
  "sasl.login.callback.handler.class",
  "sasl.login.class",
  "security.providers",
  "ssl.cipher.suites",
  "ssl.engine.factory.class",
  "ssl.provider",
];

/**
 * Reads the files that the config names.
 * @throws ConfigError naming the key that cannot be used, never a password
 */
export async function readClientSecurity(config: ClientConfig): Promise<ClientSecurity> {
  const protocol = (config["security.protocol"] ?? "PLAINTEXT").trim().toUpperCase();
  if (!protocols.includes(protocol)) {
    throw wrongKey("security.protocol", `${protocol} is none of ${protocols.join(", ")}`);
  }
  const refused = unserved.find((key) => (config[key] ?? "").trim() !== "");
  if (refused !== undefined && protocol !== "PLAINTEXT") {
    throw wrongKey(refused, "only Kafka's own client in Java has it", `remove ${refused}`);
  }
  const tls = protocol.endsWith("SSL") ? await readTls(config) : undefined;
  const sasl = protocol.startsWith("SASL") ? readSasl(config) : undefined;
  return { protocol, mechanism: sasl?.mechanism, tls, sasl };
}

function readSasl(config: ClientConfig): SaslLogin {
  const mechanism = (config["sasl.mechanism"] ?? "GSSAPI").trim().toUpperCase();
  if (!mechanisms.includes(mechanism)) {
    const which = config["sasl.mechanism"] === undefined ? `${mechanism}, the default,` : mechanism;
    throw wrongKey("sasl.mechanism", `${which} is none of ${mechanisms.join(", ")}`);
  }
  const jaas = config["sasl.jaas.config"];
  if (jaas === undefined) {
    const hint = "a login file given to Java by java.security.auth.login.config is not read";
    throw wrongKey("sasl.jaas.config", "it is missing", hint);
  }
  return { mechanism, ...parseJaas(jaas, mechanism) };
}

async function readTls(config: ClientConfig): Promise<ConnectionOptions> {
  const trust = await readTrustStore(config);
  const identity = await readKeyStore(config);
  const secureContext = createSecureContext({ ...trust, ...identity, ...versionsOf(config) });
  return { secureContext, ...nameCheck(config) };
}

/** As far as Node can: it knows the oldest and the newest, not single ones between. */
function versionsOf(config: ClientConfig): {
  minVersion: SecureVersion;
  maxVersion: SecureVersion;
} {
  const key = "ssl.enabled.protocols";
  const names = (config[key] ?? "TLSv1.2,TLSv1.3").split(",").map((name) => name.trim());
  const places = names.map((name) => tlsVersions.indexOf(name as SecureVersion));
  const wrong = names.find((_, index) => places[index] === -1);
  if (wrong !== undefined) {
    throw wrongKey(key, `${JSON.stringify(wrong)} is none of ${tlsVersions.join(", ")}`);
  }
  places.sort((one, other) => one - other);
  return { minVersion: tlsVersions[places[0]!]!, maxVersion: tlsVersions[places.at(-1)!]! };
}

function nameCheck(config: ClientConfig): ConnectionOptions {
  const key = "ssl.endpoint.identification.algorithm";
  const algorithm = (config[key] ?? "https").trim().toLowerCase();
  if (algorithm === "https") return {};
  if (algorithm !== "") throw wrongKey(key, `${algorithm} is neither https nor empty`);
  return { checkServerIdentity: () => undefined };
}
