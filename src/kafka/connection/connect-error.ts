/** Why a connection to a broker could not be made, in words that say what to change. */
import { HostError, RetriableError, TaskError } from "../../base/error.ts";
import { type BrokerAddress, brokerName } from "./broker-address.ts";

/** How the client tried to come in; for the hints. */
export interface Entrance {
  /** As in `security.protocol`. */
  readonly protocol: string;
  /** As in `sasl.mechanism`; undefined without SASL. */
  readonly mechanism: string | undefined;
}

/** A certificate that cannot be trusted, as Node and OpenSSL name it. */
const untrusted =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_\w+|INVALID_CA|ERR_TLS_CERT_\w+)$/;

/** What a client sees when one side speaks TLS and the other does not. */
const notTls = /wrong version number|packet length too long|http request|unknown protocol/i;

/** A TLS alert: the broker refused our certificate, or there is no version or cipher in common. */
const alert = /alert (\w[\w ]*)/i;

/** What kafkajs or Node said, as an error of ours. */
export function connectError(cause: unknown, to: BrokerAddress, entrance: Entrance): HostError {
  if (cause instanceof HostError) return cause;
  const { name, code, message } = facts(cause);
  const prefix = `cannot connect to ${brokerName(to)} (security.protocol=${entrance.protocol})`;
  if (/SASL|Protocol/.test(name)) return saslError(prefix, message, entrance);
  if (untrusted.test(code)) return untrustedError(prefix, code, message);
  if (notTls.test(message) || code === "EPROTO" || code.startsWith("ERR_SSL")) {
    return tlsError(prefix, message);
  }
  const hint = hintOf(code, message, entrance);
  return new RetriableError("kafka.disconnected", `${prefix}: ${words(code, message)}`, {
    ...(hint !== undefined && { hint }),
  });
}

function saslError(prefix: string, message: string, { mechanism }: Entrance): TaskError {
  return new TaskError("kafka.authentication_failed", `${prefix}: ${message}`, {
    hint: /requested SASL mechanism|not supported by the server/i.test(message)
      ? `look which mechanisms the broker offers: sasl.mechanism is ${mechanism ?? "not set"}`
      : "look at the user and the password in sasl.jaas.config, and at sasl.mechanism",
  });
}

function untrustedError(prefix: string, code: string, message: string): TaskError {
  const isName = code === "ERR_TLS_CERT_ALTNAME_INVALID";
  return new TaskError(
    "kafka.authentication_failed",
    `${prefix}: the broker's certificate cannot be trusted: ${message}`,
    {
      hint: isName
        ? "use a name in bootstrap.servers and advertised.listeners that the certificate has"
        : "give the certificate of its authority in ssl.truststore.location",
    },
  );
}

function tlsError(prefix: string, message: string): HostError {
  if (notTls.test(message)) {
    const text = `${prefix}: the broker does not speak TLS on this port`;
    return new TaskError("kafka.authentication_failed", text, {
      hint: "look at security.protocol: without TLS it is PLAINTEXT or SASL_PLAINTEXT",
    });
  }
  const [, what] = alert.exec(message) ?? [];
  const text = `${prefix}: the TLS handshake failed: ${what ?? message}`;
  return new TaskError("kafka.authentication_failed", text, {
    hint: /certificate|unknown ca|bad cert/i.test(what ?? message)
      ? "the broker wants a certificate of this worker that it trusts: look at ssl.keystore.location"
      : "look at ssl.enabled.protocols and at what the broker allows",
  });
}

/** What to look at when a broker hangs up without having said a word. */
export function hangUpHint({ protocol, mechanism }: Entrance): string | undefined {
  if (protocol === "PLAINTEXT") {
    return "this port may expect TLS or a login: look at security.protocol, which is PLAINTEXT";
  }
  if (mechanism === undefined) {
    return `this port may expect a login: look at security.protocol, which is ${protocol}`;
  }
  return `this port may expect TLS, or none: look at security.protocol, which is ${protocol}`;
}

function hintOf(code: string, message: string, entrance: Entrance): string | undefined {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return "look at the host names in bootstrap.servers and in the brokers' advertised.listeners";
  }
  if (code === "ECONNREFUSED") return "look whether the broker is up and listens on this port";
  const hungUp = code === "ECONNRESET" || /closed|disconnected before secure/i.test(message);
  return hungUp || code === "SETUP_TIMEOUT" ? hangUpHint(entrance) : undefined;
}

function words(code: string, message: string): string {
  if (/^(KafkaJS)?Closed connection|Connection closed by the server/.test(message)) {
    return "the broker closed the connection";
  }
  return message === "" ? code : message;
}

function facts(cause: unknown): { name: string; code: string; message: string } {
  const { name, code, message, errors } = cause as {
    name?: unknown;
    code?: unknown;
    message?: unknown;
    errors?: unknown;
  };
  const text = String(message ?? cause).replace(/^Connection error: /, "");
  // Several addresses of one name were tried, and each has an error of its own.
  const each = Array.isArray(errors) ? errors.map((one) => String(one?.message)).join(", ") : "";
  return {
    name: String(name ?? ""),
    code: typeof code === "string" ? code : "",
    message: text === "" ? each : text,
  };
}
