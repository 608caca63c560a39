/** Certificates of a test CA in every format that Kafka's clients are given, made once per user by keytool. */
import { execFile } from "node:child_process";
import { createHash, createPrivateKey } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { javaProgram } from "./java-tool.ts";
import { kafkaJars } from "./kafka-jars.ts";
import { putInPlace } from "./put-in-place.ts";
import { underLock } from "./under-lock.ts";

const runFile = promisify(execFile);
const toolMsMax = 60_000;
const keyToPem = fileURLToPath(new URL("KeyToPem.java", import.meta.url));
const days = ["-validity", "36500"];

/** Of every store and every encrypted key. It protects nothing. */
export const storePassword = "store-secret";

/**
 * Paths of files that all stay where they are. The brokers' certificate holds for the address 127.0.0.1
 * and for no name: `localhost` is another host to whoever checks.
 */
export interface Certificates {
  /** The CA that signed the brokers' and the client's certificates. */
  ca: string;
  /** A CA that signed nothing. */
  otherCa: string;
  clientCertificate: string;
  /** PKCS8, in the clear. */
  clientKey: string;
  /** By PBES2, as openssl does; Kafka's own clients on Java 17 cannot read that, nor the PEM below. */
  clientKeyEncrypted: string;
  /** Key, certificate and CA in one file, as `ssl.keystore.type=PEM` has it; the key in the clear. */
  clientPem: string;
  clientPemEncrypted: string;
  /** PKCS12 with key and chain; the same for the brokers. */
  clientStore: string;
  serverStore: string;
  /** The CA alone. */
  trustStore: string;
  trustStoreJks: string;
}

/** Makes them if this user has none yet: 10 s. @throws Error without a JDK */
export async function testCertificates(): Promise<Certificates> {
  const { jars, missing } = await kafkaJars();
  if (jars === undefined) throw new Error(`cannot make certificates: ${missing}`);
  const recipe = await readFile(fileURLToPath(import.meta.url));
  const digest = createHash("sha256").update(recipe).digest("hex").slice(0, 16);
  const folder = join(jars.folder, `certificates-${digest}`);
  if (!existsSync(folder)) {
    await underLock(`${folder}.lock`, async () => {
      if (!existsSync(folder)) await makeInto(folder);
    });
  }
  return filesIn(folder);
}

function filesIn(folder: string): Certificates {
  return {
    ca: join(folder, "ca.pem"),
    otherCa: join(folder, "other-ca.pem"),
    clientCertificate: join(folder, "client-certificate.pem"),
    clientKey: join(folder, "client-key.pem"),
    clientKeyEncrypted: join(folder, "client-key-encrypted.pem"),
    clientPem: join(folder, "client.pem"),
    clientPemEncrypted: join(folder, "client-encrypted.pem"),
    clientStore: join(folder, "client.p12"),
    serverStore: join(folder, "server.p12"),
    trustStore: join(folder, "trust.p12"),
    trustStoreJks: join(folder, "trust.jks"),
  };
}

async function makeInto(folder: string): Promise<void> {
  const scratch = await mkdtemp(`${folder}-making-`);
  try {
    const files = filesIn(scratch);
    const caStore = join(scratch, "ca.p12");
    await authority(caStore, "CN=Bulkhead test CA", files.ca);
    await authority(join(scratch, "other-ca.p12"), "CN=Another test CA", files.otherCa);
    const addresses = "san=ip:127.0.0.1,ip:0:0:0:0:0:0:0:1";
    await Promise.all([
      signed(files.serverStore, "broker", caStore, files.ca, ["-ext", addresses]),
      signed(files.clientStore, "client", caStore, files.ca, []),
    ]);
    const trusted = ["-importcert", "-noprompt", "-alias", "ca", "-file", files.ca];
    await keytool(files.trustStore, trusted);
    await keytool(files.trustStoreJks, [...trusted, "-storetype", "JKS"]);
    await exportAsPem(files);
    await putInPlace(scratch, folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function authority(store: string, name: string, pem: string): Promise<void> {
  const uses = ["-ext", "bc:c", "-ext", "ku=keyCertSign,cRLSign"];
  await keytool(store, ["-genkeypair", ...named("ca", name), ...uses, ...days]);
  await keytool(store, ["-exportcert", "-rfc", "-alias", "ca", "-file", pem]);
}

/** A store with a key, its certificate by the CA, and the CA. */
async function signed(
  store: string,
  name: string,
  caStore: string,
  ca: string,
  extensions: string[],
): Promise<void> {
  const [request, certificate] = [`${store}.request`, `${store}.pem`];
  const alias = ["-alias", name];
  await keytool(store, ["-genkeypair", ...named(name, `CN=${name}`), ...days]);
  await keytool(store, ["-certreq", ...alias, "-file", request]);
  const signing = ["-gencert", "-alias", "ca", "-rfc", ...extensions, ...days];
  await keytool(caStore, [...signing, "-infile", request, "-outfile", certificate]);
  await keytool(store, ["-importcert", "-noprompt", "-alias", "ca", "-file", ca]);
  await keytool(store, ["-importcert", ...alias, "-file", certificate]);
}

async function exportAsPem(files: Certificates): Promise<void> {
  const { clientKey, clientStore, clientCertificate } = files;
  await javaProgram(keyToPem, [clientStore, storePassword, "client", clientKey]);
  const key = await readFile(clientKey, "utf8");
  const lock = { cipher: "aes-256-cbc", passphrase: storePassword } as const;
  const encrypted = createPrivateKey(key).export({ type: "pkcs8", format: "pem", ...lock });
  const certificate = certificateIn(await readFile(`${clientStore}.pem`, "utf8"));
  const chain = `${certificate}${await readFile(files.ca, "utf8")}`;
  await writeFile(clientCertificate, certificate);
  await writeFile(files.clientKeyEncrypted, encrypted);
  await writeFile(files.clientPem, `${key}${chain}`);
  await writeFile(files.clientPemEncrypted, `${encrypted}${chain}`);
}

/** Without the CA that keytool adds. */
function certificateIn(pem: string): string {
  const [first = ""] =
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*/.exec(pem) ?? [];
  return first;
}

function named(alias: string, name: string): string[] {
  return ["-alias", alias, "-dname", name, "-keyalg", "RSA", "-keysize", "2048"];
}

async function keytool(store: string, args: string[]): Promise<void> {
  const type = args.includes("-storetype") ? [] : ["-storetype", "PKCS12"];
  const all = [...args, "-keystore", store, ...type, "-storepass", storePassword];
  await runFile("keytool", ["-J-XX:TieredStopAtLevel=1", ...all], { timeout: toolMsMax });
}
