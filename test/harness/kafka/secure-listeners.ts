/** The listeners of a broker that asks its clients who they are, one of each kind. */
import { type Certificates, storePassword } from "./certificates.ts";
import { saslMechanisms, saslUsers } from "./sasl-users.ts";

/** `SSL` has no client certificates, `MTLS` insists on one; both SASL ones know every mechanism of `sasl-users.ts`. */
export type SecureListener = "SSL" | "MTLS" | "SASL_PLAINTEXT" | "SASL_SSL";

/** The `security.protocol` of each, by name. */
export const secureListeners: Readonly<Record<SecureListener, string>> = {
  SSL: "SSL",
  MTLS: "SSL",
  SASL_PLAINTEXT: "SASL_PLAINTEXT",
  SASL_SSL: "SASL_SSL",
};

/** The keys of `server.properties` that these listeners need. */
export function secureConfig(certificates: Certificates): Record<string, string> {
  const module = "org.apache.kafka.common.security";
  const users = Object.entries(saslUsers).map(([name, password]) => `user_${name}="${password}"`);
  const config: Record<string, string> = {
    "ssl.keystore.location": certificates.serverStore,
    "ssl.keystore.password": storePassword,
    "ssl.keystore.type": "PKCS12",
    "ssl.truststore.location": certificates.trustStore,
    "ssl.truststore.password": storePassword,
    "ssl.truststore.type": "PKCS12",
    "listener.name.mtls.ssl.client.auth": "required",
    "sasl.enabled.mechanisms": saslMechanisms.join(","),
  };
  for (const listener of ["sasl_plaintext", "sasl_ssl"]) {
    for (const mechanism of saslMechanisms) {
      const login =
        mechanism === "PLAIN"
          ? `${module}.plain.PlainLoginModule required ${users.join(" ")};`
          : `${module}.scram.ScramLoginModule required;`;
      config[`listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`] = login;
    }
  }
  return config;
}
