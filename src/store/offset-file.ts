/**
 * The file in which Apache's standalone worker keeps source offsets (`FileOffsetBackingStore`): a
 * `java.util.HashMap<byte[], byte[]>` in Java's object serialization, whose keys and values are those
 * of the offsets topic. Read and written to the letter of the Java Object Serialization Specification,
 * so that a worker can be taken over both ways.
 */
import { ConfigError } from "../base/error.ts";

/** One entry; the bytes are the caller's. */
export interface OffsetFileEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const tag = {
  null: 0x70,
  reference: 0x71,
  classDescription: 0x72,
  object: 0x73,
  array: 0x75,
  blockData: 0x77,
  endBlockData: 0x78,
} as const;

const streamStart = [0xac, 0xed, 0, 5] as const;
const firstHandle = 0x7e0000;

/** `class java.util.HashMap`, serializable with a writeObject of its own, fields loadFactor and threshold. */
const hashMapClass = Buffer.concat([
  Buffer.of(tag.classDescription),
  javaText("java.util.HashMap"),
  Buffer.from("0507dac1c31660d1", "hex"),
  Buffer.of(3, 0, 2),
  Buffer.from("F"),
  javaText("loadFactor"),
  Buffer.from("I"),
  javaText("threshold"),
  Buffer.of(tag.endBlockData, tag.null),
]);
/** `class byte[]`, serializable, without fields. */
const byteArrayClass = Buffer.concat([
  Buffer.of(tag.classDescription),
  javaText("[B"),
  Buffer.from("acf317f8060854e0", "hex"),
  Buffer.of(2, 0, 0, tag.endBlockData, tag.null),
]);
/** Handles go to class descriptions and objects in the order of the stream: map class, map, array class. */
const byteArrayReference = Buffer.of(tag.reference, 0, 0x7e, 0, 2);

/** The whole file. */
export function encodeOffsetFile(entries: readonly OffsetFileEntry[]): Buffer {
  const bucketCount = Math.max(16, 2 ** Math.ceil(Math.log2((entries.length + 1) / 0.75)));
  const head = Buffer.alloc(8 + 2 + 8);
  head.writeFloatBE(0.75, 0);
  head.writeInt32BE(bucketCount * 0.75, 4);
  head[8] = tag.blockData;
  head[9] = 8;
  head.writeInt32BE(bucketCount, 10);
  head.writeInt32BE(entries.length, 14);
  const parts: Uint8Array[] = [Buffer.from(streamStart), Buffer.of(tag.object), hashMapClass, head];
  let arrayClass = byteArrayClass;
  for (const bytes of entries.flatMap(({ key, value }) => [key, value])) {
    const size = Buffer.alloc(4);
    size.writeInt32BE(bytes.length);
    parts.push(Buffer.of(tag.array), arrayClass, size, bytes);
    arrayClass = byteArrayReference;
  }
  parts.push(Buffer.of(tag.endBlockData));
  return Buffer.concat(parts);
}

/**
 * The entries in the order of the file; those whose key or value is null mean nothing and are left out.
 * An empty file has none, as for Apache's worker.
 * @throws ConfigError `config.file_invalid` when it is another kind of file, or is cut off
 */
export function decodeOffsetFile(bytes: Uint8Array, path: string): OffsetFileEntry[] {
  return bytes.length === 0 ? [] : new OffsetFileReader(bytes, path).entries();
}

class OffsetFileReader {
  readonly #bytes: Buffer;
  readonly #path: string;
  #at = 0;
  /** What the stream may refer back to: class names as text, arrays as bytes, the map as null. */
  readonly #handles: (string | Uint8Array | null)[] = [];

  constructor(bytes: Uint8Array, path: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#path = path;
  }

  entries(): OffsetFileEntry[] {
    if (!this.#take(4).equals(Buffer.from(streamStart)))
      throw this.#invalid("it is no Java object");
    this.#expect(tag.object);
    const name = this.#classDescription();
    if (name !== "java.util.HashMap") throw this.#invalid(`it holds a ${name} and no HashMap`);
    this.#handles.push(null);
    // The load factor and the threshold are Java's business, and so is the number of buckets.
    this.#take(8);
    this.#expect(tag.blockData);
    this.#expect(8);
    this.#take(4);
    const count = this.#take(4).readInt32BE();
    const entries: OffsetFileEntry[] = [];
    for (let n = 0; n < count; n += 1) {
      const key = this.#byteArray();
      const value = this.#byteArray();
      if (key !== null && value !== null) entries.push({ key, value });
    }
    this.#expect(tag.endBlockData);
    return entries;
  }

  #byteArray(): Uint8Array | null {
    const kind = this.#byte();
    if (kind === tag.null) return null;
    if (kind === tag.reference) {
      const known = this.#referred();
      if (known instanceof Uint8Array) return known;
      throw this.#invalid("a key or value refers to something else than bytes");
    }
    if (kind !== tag.array) throw this.#invalid("a key or value is something else than bytes");
    const name = this.#classDescription();
    if (name !== "[B") throw this.#invalid(`a key or value is a ${name} and no byte[]`);
    const size = this.#take(4).readInt32BE();
    const bytes = Uint8Array.from(this.#take(size));
    this.#handles.push(bytes);
    return bytes;
  }

  /** The name of the class; its fields have to be those that we know. */
  #classDescription(): string {
    const kind = this.#byte();
    if (kind === tag.reference) {
      const known = this.#referred();
      if (typeof known === "string") return known;
      throw this.#invalid("a class is not where it should be");
    }
    const start = this.#at - 1;
    if (kind !== tag.classDescription) throw this.#invalid("a class is not where it should be");
    const name = this.#take(this.#take(2).readUInt16BE()).toString();
    const known = [hashMapClass, byteArrayClass].find((each) =>
      each.equals(this.#bytes.subarray(start, start + each.length)),
    );
    if (known === undefined)
      throw this.#invalid(`it has a class that does not belong in it: ${name}`);
    this.#at = start + known.length;
    this.#handles.push(name);
    return name;
  }

  #referred(): string | Uint8Array | null | undefined {
    return this.#handles[this.#take(4).readInt32BE() - firstHandle];
  }

  #expect(byte: number): void {
    const found = this.#byte();
    if (found !== byte) throw this.#invalid(`byte ${this.#at - 1} is ${found} and not ${byte}`);
  }

  #byte(): number {
    return this.#take(1)[0]!;
  }

  #take(size: number): Buffer {
    const at = this.#at;
    if (size < 0 || at + size > this.#bytes.length) throw this.#invalid("it is cut off");
    this.#at = at + size;
    return this.#bytes.subarray(at, at + size);
  }

  #invalid(reason: string): ConfigError {
    return new ConfigError(
      "config.file_invalid",
      `cannot read source offsets from ${this.#path}: ${reason}`,
      { hint: "see that offset.storage.file.filename names the offset file of a Connect worker" },
    );
  }
}

/** A Java `UTF`: for names of ASCII letters the same as UTF-8. */
function javaText(text: string): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(text.length);
  return Buffer.concat([size, Buffer.from(text)]);
}
