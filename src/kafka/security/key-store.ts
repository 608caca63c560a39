/** `ssl.truststore.*` and `ssl.keystore.*`: whom one trusts and who one is, from PEM or PKCS12. */
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { errnoWords } from "../../base/errno.ts";
import type { ConfigError } from "../../base/error.ts";
import { wrongKey } from "../connection/client-config.ts";
import type { ClientConfig } from "../kafka.ts";
import { OldEncryption, pkcs12Certificates } from "./pkcs12.ts";

type Store = "truststore" | "keystore";

type Format = "PEM" | "PKCS12";

interface StoreFile {
  readonly key: string;
  readonly path: string;
  readonly bytes: Buffer;
  readonly format: Format;
  readonly password: string | undefined;
}

/** Undefined: those that Node knows. @throws ConfigError naming the key */
export async function readTrustStore(
  config: ClientConfig,
): Promise<SecureContextOptions | undefined> {
  const inline = textOf(config, "ssl.truststore.certificates");
  const file = await readStore(config, "truststore");
  if (file !== undefined && inline !== undefined) throw twice("truststore", "certificates");
  if (inline !== undefined) {
    inlineIsPem(config, "truststore", "certificates");
    return { ca: pemCertificates("ssl.truststore.certificates", inline) };
  }
  if (file === undefined) return undefined;
  if (file.format === "PEM") {
    noPassword(config, "truststore");
    return { ca: pemCertificates(file.key, file.bytes.toString()) };
  }
  return { ca: await trustedCertificates(file) };
}

/** Undefined: the worker shows no certificate. @throws ConfigError naming the key */
export async function readKeyStore(
  config: ClientConfig,
): Promise<SecureContextOptions | undefined> {
  const key = textOf(config, "ssl.keystore.key");
  const chain = textOf(config, "ssl.keystore.certificate.chain");
  const file = await readStore(config, "keystore");
  const isInline = key !== undefined || chain !== undefined;
  if (file !== undefined && isInline) throw twice("keystore", "key");
  if (isInline) {
    inlineIsPem(config, "keystore", "key");
    const missing = key === undefined ? "ssl.keystore.key" : "ssl.keystore.certificate.chain";
    if (key === undefined || chain === undefined) throw wrongKey(missing, "it is missing");
    return pemIdentity(config, { keyKey: "ssl.keystore.key", key, chain });
  }
  if (file === undefined) return undefined;
  if (file.format === "PKCS12") return pkcs12Identity(file);
  noPassword(config, "keystore");
  const text = file.bytes.toString();
  return pemIdentity(config, { keyKey: file.key, key: text, chain: text });
}

function pemIdentity(
  config: ClientConfig,
  { keyKey, key, chain }: { keyKey: string; key: string; chain: string },
): SecureContextOptions {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) {
    throw wrongKey(keyKey, "it has no private key in PEM");
  }
  const cert = pemCertificates(keyKey.replace(/key$/, "certificate.chain"), chain).join("\n");
  const passphrase = config["ssl.key.password"];
  const isEncrypted = /ENCRYPTED/.test(key);
  if (isEncrypted && passphrase === undefined) {
    throw wrongKey("ssl.key.password", `it is missing, and the key in ${keyKey} is encrypted`);
  }
  const identity = { key, cert, ...(passphrase !== undefined && { passphrase }) };
  try {
    createSecureContext(identity);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH" || /mismatch/.test(message)) {
      throw wrongKey(keyKey, "its private key is not that of its first certificate");
    }
    if (isEncrypted) throw wrongKey("ssl.key.password", `it does not open the key in ${keyKey}`);
    throw wrongKey(keyKey, "its private key or certificate cannot be read");
  }
  return identity;
}

function pkcs12Identity(file: StoreFile): SecureContextOptions {
  const passwordKey = "ssl.keystore.password";
  const { password: passphrase } = file;
  if (passphrase === undefined) throw wrongKey(passwordKey, "it is missing");
  const identity = { pfx: file.bytes, passphrase };
  try {
    createSecureContext(identity);
  } catch (error) {
    throw storeError(file, passwordKey, error);
  }
  return identity;
}

async function trustedCertificates(file: StoreFile): Promise<string[]> {
  const passwordKey = "ssl.truststore.password";
  const { password = "" } = file;
  try {
    // Node wants a key in it and so never takes a truststore, but it checks the password before.
    createSecureContext({ pfx: file.bytes, passphrase: password });
  } catch (error) {
    if (isWrongPassword(error)) throw storeError(file, passwordKey, error);
  }
  let found: readonly Uint8Array[];
  try {
    found = await pkcs12Certificates(file.bytes, password);
  } catch (error) {
    throw storeError(file, passwordKey, error);
  }
  if (found.length === 0) throw wrongKey(file.key, `${file.path} holds no certificate`);
  return found.map(
    (der) =>
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`,
  );
}

function storeError(file: StoreFile, passwordKey: string, error: unknown): ConfigError {
  const { path, key } = file;
  if (isWrongPassword(error)) {
    const isSet = file.password !== undefined;
    return wrongKey(passwordKey, isSet ? `it does not open ${path}` : "it is missing");
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof OldEncryption || /unsupported/i.test(`${code} ${message}`)) {
    const target = `${stem(path)}-new.p12`;
    return wrongKey(
      key,
      `${path} is encrypted in an old way that OpenSSL 3 refuses`,
      `write it anew with a keytool of Java 17 or later: keytool -importkeystore -srckeystore ${word(path)} ` +
        `-srcstoretype PKCS12 -destkeystore ${word(target)} -deststoretype PKCS12`,
    );
  }
  if (/private key/i.test(message)) return wrongKey(key, `${path} holds no private key`);
  return wrongKey(key, `${path} is no PKCS12 store that can be read`);
}

function isWrongPassword(error: unknown): boolean {
  return /mac verify failure|bad decrypt/i.test((error as Error).message);
}

async function readStore(config: ClientConfig, store: Store): Promise<StoreFile | undefined> {
  const key = `ssl.${store}.location`;
  const path = textOf(config, key);
  if (path === undefined) return undefined;
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw wrongKey(key, `${path} cannot be read: ${errnoWords(error) ?? (error as Error).message}`);
  }
  const password = config[`ssl.${store}.password`];
  return { key, path, bytes, format: formatOf(config, store, path, bytes), password };
}

/** Java reads a PKCS12 store also where its type says JKS, which is the default; so do we. */
function formatOf(config: ClientConfig, store: Store, path: string, bytes: Buffer): Format {
  const typeKey = `ssl.${store}.type`;
  const type = (config[typeKey] ?? "").trim().toUpperCase();
  if (!["", "PEM", "PKCS12", "JKS", "JCEKS"].includes(type)) {
    throw wrongKey(typeKey, `${type} is none of PEM, PKCS12`);
  }
  const magic = bytes.length < 4 ? 0 : bytes.readUInt32BE(0);
  if (magic === 0xfeedfeed || magic === 0xcececece) {
    throw javaStore(store, path, magic === 0xfeedfeed ? "JKS" : "JCEKS");
  }
  if (type === "PEM" || type === "PKCS12") return type;
  if (bytes[0] === 0x30) return "PKCS12";
  if (type === "" && bytes.includes("-----BEGIN ")) return "PEM";
  throw wrongKey(`ssl.${store}.location`, `${path} is neither PEM nor PKCS12`);
}

function javaStore(store: Store, path: string, type: string): ConfigError {
  const target = `${stem(path)}.p12`;
  return wrongKey(
    `ssl.${store}.location`,
    `${path} is a ${type} store, which only Java can read`,
    `convert it with: keytool -importkeystore -srckeystore ${word(path)} -srcstoretype ${type} ` +
      `-destkeystore ${word(target)} -deststoretype PKCS12; then set ssl.${store}.location=${target} ` +
      `and ssl.${store}.type=PKCS12`,
  );
}

/** As a shell takes it. */
function word(path: string): string {
  return /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function stem(path: string): string {
  return path.replace(/\.(jks|jceks|keystore|truststore|p12|pfx)$/i, "");
}

function pemCertificates(key: string, text: string): string[] {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw wrongKey(key, "it has no certificate in PEM");
  return found;
}

function textOf(config: ClientConfig, key: string): string | undefined {
  const text = config[key]?.trim();
  return text === "" ? undefined : text;
}

function inlineIsPem(config: ClientConfig, store: Store, what: string): void {
  const type = config[`ssl.${store}.type`]?.trim().toUpperCase() ?? "PEM";
  if (type === "PEM") return;
  throw wrongKey(`ssl.${store}.type`, `it must be PEM beside ssl.${store}.${what}, not ${type}`);
}

function noPassword(config: ClientConfig, store: Store): void {
  if (config[`ssl.${store}.password`] === undefined) return;
  const why = "a PEM file has no store password; a key's own goes into ssl.key.password";
  throw wrongKey(`ssl.${store}.password`, why);
}

function twice(store: Store, what: string): ConfigError {
  return wrongKey(`ssl.${store}.location`, `it is set beside ssl.${store}.${what}: choose one`);
}
