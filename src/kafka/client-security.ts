/** Kafka's client keys about who one is and whom one trusts, with Java's names. */
import type { ConnectionOptions } from "node:tls";
import type { Secret } from "../config/secret.ts";
import { wrongKey } from "./client-config.ts";
import type { Entrance } from "./connect-error.ts";
import type { ClientConfig } from "./kafka.ts";

export interface ClientSecurity extends Entrance {
  /** For `tls.connect`; undefined without TLS. */
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

/** @throws ConfigError naming the key that cannot be used, never a password */
export async function readClientSecurity(config: ClientConfig): Promise<ClientSecurity> {
  const protocol = (config["security.protocol"] ?? "PLAINTEXT").trim().toUpperCase();
  if (!protocols.includes(protocol)) {
    throw wrongKey("security.protocol", `${protocol} is none of ${protocols.join(", ")}`);
  }
  return { protocol, mechanism: undefined, tls: undefined, sasl: undefined };
}
