/**
 * The key that workers of a group sign requests to each other with. The leader makes it and writes it to the
 * config topic; everybody takes it from there.
 *
 * @see reference: KIP-507; InternalRequestSignature and DistributedHerder (checkKeyRotation) of connect/runtime
 */
import { createHmac, getHashes, randomBytes, timingSafeEqual } from "node:crypto";
import { RequestError } from "../base/error.ts";
import type { SessionKey } from "../state/config-record.ts";

/** How keys are made: `inter.worker.key.*`. */
export interface KeySettings {
  readonly algorithm: string;
  /** Null: what Java makes for the algorithm. */
  readonly sizeBits: number | null;
  /** 0 = a key lasts for ever. */
  readonly ttlMs: number;
}

/** The headers of a signed request, in the case that Java's workers send them. */
export const signatureHeaders = {
  signature: "X-Connect-Authorization",
  algorithm: "X-Connect-Request-Signature-Algorithm",
} as const;

/** Java's names, with what Node calls the hash and the size of key that Java makes by default. */
const macs: ReadonlyMap<string, { readonly hash: string; readonly keyBytes: number }> = new Map([
  ["HmacMD5", { hash: "md5", keyBytes: 64 }],
  ["HmacSHA1", { hash: "sha1", keyBytes: 64 }],
  ["HmacSHA224", { hash: "sha224", keyBytes: 28 }],
  ["HmacSHA256", { hash: "sha256", keyBytes: 32 }],
  ["HmacSHA384", { hash: "sha384", keyBytes: 48 }],
  ["HmacSHA512", { hash: "sha512", keyBytes: 64 }],
]);

/** Whether this platform can sign by it; names are not case-sensitive in Java. */
export function isMacAlgorithm(name: string): boolean {
  const mac = macOf(name);
  return mac !== undefined && getHashes().includes(mac.hash);
}

function macOf(name: string) {
  const found = [...macs.keys()].find((known) => known.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : macs.get(found);
}

/** A key of the settings' kind. Its text is a secret. */
export function newSessionKey({ algorithm, sizeBits }: KeySettings, nowMs: number): SessionKey {
  const size = sizeBits === null ? (macOf(algorithm)?.keyBytes ?? 32) : Math.ceil(sizeBits / 8);
  return { key: randomBytes(size).toString("base64"), algorithm, createdMs: nowMs };
}

/** Whether a leader has to make another: there is none, it is too old, or of another kind than wanted. */
export function needsNewKey(
  known: SessionKey | undefined,
  settings: KeySettings,
  nowMs: number,
): boolean {
  if (known === undefined) return true;
  if (settings.ttlMs > 0 && known.createdMs + settings.ttlMs <= nowMs) return true;
  if (known.algorithm !== settings.algorithm) return true;
  const bytes = Buffer.from(known.key, "base64").length;
  return settings.sizeBits !== null && bytes !== Math.ceil(settings.sizeBits / 8);
}

/** The headers that sign a request with this body; without a body it is of no bytes. */
export function sign(
  body: Uint8Array,
  { key }: Pick<SessionKey, "key">,
  algorithm: string,
): Readonly<Record<string, string>> {
  return {
    [signatureHeaders.signature]: mac(body, key, algorithm).toString("base64"),
    [signatureHeaders.algorithm]: algorithm,
  };
}

function mac(body: Uint8Array, key: string, algorithm: string): Buffer {
  const { hash } = macOf(algorithm) ?? { hash: algorithm };
  return createHmac(hash, Buffer.from(key, "base64")).update(body).digest();
}

/** What a request from another worker brings. */
export interface SignedRequest {
  readonly body: Uint8Array;
  readonly signature: string | undefined;
  readonly algorithm: string | undefined;
}

/**
 * Passes a request that a worker of this group has signed.
 * @throws RequestError with Connect's status and text for any other
 */
export function verify(
  { body, signature, algorithm }: SignedRequest,
  key: SessionKey | undefined,
  allowedAlgorithms: readonly string[],
): void {
  if (signature === undefined || algorithm === undefined) {
    throw refused(400, "Internal request missing required signature");
  }
  if (!isMacAlgorithm(algorithm)) throw refused(400, `Algorithm ${algorithm} not available`);
  if (!allowedAlgorithms.includes(algorithm))
    throw refused(400, notAllowed(algorithm, allowedAlgorithms));
  const given = decoded(signature);
  if (key === undefined) {
    throw refused(
      503,
      "This worker is still starting up and has not been able to read a session key from the config topic yet",
    );
  }
  const wanted = mac(body, key.key, algorithm);
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  throw refused(403, "Internal request contained invalid signature.");
}

/** @throws RequestError in the words of Java's decoder */
function decoded(signature: string): Buffer {
  const illegal = /[^A-Za-z0-9+/=]/.exec(signature)?.[0];
  if (illegal !== undefined) {
    throw refused(400, `Illegal base64 character ${illegal.charCodeAt(0).toString(16)}`);
  }
  return Buffer.from(signature, "base64");
}

function notAllowed(algorithm: string, allowed: readonly string[]): string {
  return (
    `This worker does not support the '${algorithm}' key signing algorithm used by other workers. ` +
    `This worker is currently configured to use: [${allowed.join(", ")}]. ` +
    "Check that all workers' configuration files permit the same set of signature algorithms, " +
    "and correct any misconfigured worker and restart it."
  );
}

function refused(status: number, message: string): RequestError {
  return new RequestError("cluster.signature_refused", message, { status });
}
