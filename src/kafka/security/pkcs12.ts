/**
 * The certificates of a PKCS12 store (RFC 7292), which Node reads only beside a private key. A store
 * made by keytool for trust has none.
 */
import { createDecipheriv, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);

/** I5: keytool takes 10,000. */
const iterationsMax = 10_000_000;

const oid = {
  data: "1.2.840.113549.1.7.1",
  encryptedData: "1.2.840.113549.1.7.6",
  certBag: "1.2.840.113549.1.12.10.1.3",
  x509: "1.2.840.113549.1.9.22.1",
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
};

const digests: Readonly<Record<string, string>> = {
  "1.2.840.113549.2.7": "sha1",
  "1.2.840.113549.2.8": "sha224",
  "1.2.840.113549.2.9": "sha256",
  "1.2.840.113549.2.10": "sha384",
  "1.2.840.113549.2.11": "sha512",
};

const ciphers: Readonly<Record<string, { name: string; keyBytes: number }>> = {
  "2.16.840.1.101.3.4.1.2": { name: "aes-128-cbc", keyBytes: 16 },
  "2.16.840.1.101.3.4.1.22": { name: "aes-192-cbc", keyBytes: 24 },
  "2.16.840.1.101.3.4.1.42": { name: "aes-256-cbc", keyBytes: 32 },
  "1.2.840.113549.3.7": { name: "des-ede3-cbc", keyBytes: 24 },
};

/** The store is encrypted in a way that OpenSSL 3 calls legacy (RC2, or PKCS12's own key derivation). */
export class OldEncryption extends Error {}

/**
 * DER, as they lie in the store. Does not check the store's own checksum.
 * @throws OldEncryption; Error for what is no such store or has another password
 */
export async function pkcs12Certificates(
  store: Uint8Array,
  password: string,
): Promise<readonly Uint8Array[]> {
  const [, authSafe] = Der.parse(store).items();
  const safes = Der.parse(octets(contentOf(authSafe!, oid.data))).items();
  const certificates: Uint8Array[] = [];
  for (const safe of safes) {
    const bags = Der.parse(await contentsOf(safe, password)).items();
    certificates.push(...bags.flatMap(certificateOf));
  }
  return certificates;
}

async function contentsOf(safe: Der, password: string): Promise<Uint8Array> {
  const [type] = safe.items();
  if (type!.oid() === oid.data) return octets(contentOf(safe, oid.data));
  const [, content] = contentOf(safe, oid.encryptedData).items();
  const [, algorithm, encrypted] = content!.items();
  return decrypted(algorithm!, octets(encrypted!), password);
}

/** What an explicit [0] behind a type holds. */
function contentOf(info: Der, type: string): Der {
  const [found, content] = info.items();
  if (found?.oid() !== type || content === undefined) throw new Error("it is no PKCS12 store");
  return content.items()[0]!;
}

function certificateOf(bag: Der): Uint8Array[] {
  const [type, value] = bag.items();
  if (type?.oid() !== oid.certBag) return [];
  return [octets(contentOf(value!.items()[0]!, oid.x509))];
}

async function decrypted(algorithm: Der, bytes: Uint8Array, password: string): Promise<Uint8Array> {
  const [type, parameters] = algorithm.items();
  if (type!.oid() !== oid.pbes2) throw new OldEncryption();
  const [derivation, encryption] = parameters!.items();
  const [cipherType, iv] = encryption!.items();
  const cipher = ciphers[cipherType!.oid()];
  const [derivationType, settings] = derivation!.items();
  if (cipher === undefined || derivationType!.oid() !== oid.pbkdf2) throw new OldEncryption();
  const [salt, iterations, ...others] = settings!.items();
  const prf = others.find(({ tag }) => tag === tags.sequence)?.items()[0];
  const digest = prf === undefined ? "sha1" : digests[prf.oid()];
  const count = iterations!.int();
  if (digest === undefined || count > iterationsMax) throw new OldEncryption();
  const key = await derive(password, octets(salt!), count, cipher.keyBytes, digest);
  const decipher = createDecipheriv(cipher.name, key, octets(iv!));
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

/** Also one that is put together from several, as some tools write it. */
function octets(from: Der): Uint8Array {
  const isWhole = (from.tag & tags.constructed) === 0;
  return isWhole ? from.bytes : Buffer.concat(from.items().map(octets));
}

const tags = { sequence: 0x30, constructed: 0x20 };

/** One value of ASN.1 in its distinguished encoding. */
class Der {
  readonly tag: number;
  readonly bytes: Uint8Array;

  constructor(tag: number, bytes: Uint8Array) {
    this.tag = tag;
    this.bytes = bytes;
  }

  static parse(bytes: Uint8Array): Der {
    return Der.#read(bytes, 0).value;
  }

  items(): readonly Der[] {
    const items: Der[] = [];
    for (let at = 0; at < this.bytes.length; ) {
      const { value, next } = Der.#read(this.bytes, at);
      items.push(value);
      at = next;
    }
    return items;
  }

  int(): number {
    return this.bytes.reduce((value, byte) => value * 256 + byte, 0);
  }

  oid(): string {
    const [first = 0, ...rest] = this.bytes;
    const numbers = [Math.floor(first / 40), first % 40];
    let value = 0;
    for (const byte of rest) {
      value = value * 128 + (byte & 0x7f);
      if (byte < 0x80) {
        numbers.push(value);
        value = 0;
      }
    }
    // The first two numbers share a byte, and only the branch 2 goes beyond 39.
    if (first >= 80) numbers.splice(0, 2, 2, first - 80);
    return numbers.join(".");
  }

  static #read(bytes: Uint8Array, start: number): { value: Der; next: number } {
    const [tag, first] = [bytes[start], bytes[start + 1]];
    let at = start + 2;
    let size = first ?? 0x80;
    if (size >= 0x80) {
      const sizeBytes = size & 0x7f;
      size = 0;
      for (let n = 0; n < sizeBytes; n += 1) size = size * 256 + (bytes[at + n] ?? 0);
      at += sizeBytes;
      if (sizeBytes === 0 || sizeBytes > 4) throw new Error("it is no PKCS12 store");
    }
    if (tag === undefined || at + size > bytes.length) throw new Error("it is no PKCS12 store");
    return { value: new Der(tag, bytes.subarray(at, at + size)), next: at + size };
  }
}
