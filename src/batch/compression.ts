/** Compressing the records of a batch and back: which codec, on which thread, and within which bounds. */
import { ConfigError, TaskError } from "../base/error.ts";
import { type Codec, type CodecName, TooLarge } from "./codec.ts";
import { gzipCodec } from "./gzip.ts";
import { lz4Codec } from "./lz4.ts";
import { snappyCodec } from "./snappy.ts";
import { zstdCodec } from "./zstd.ts";

/** I5: what one batch may hold once it is decompressed, unless who reads says otherwise. */
export const decompressedBytesMaxDefault = 128 * 1024 * 1024;

/** How batches are to be compressed. */
export interface Compression {
  readonly codec: CodecName;
  /** Undefined = the codec's own default. */
  readonly level?: number | undefined;
}

const codecs: Readonly<Record<CodecName, Codec>> = {
  gzip: gzipCodec,
  snappy: snappyCodec,
  lz4: lz4Codec,
  zstd: zstdCodec,
};

const levels: Readonly<Record<string, { min: number; max: number; other?: number }>> = {
  gzip: { min: 1, max: 9, other: -1 },
  lz4: { min: 1, max: 17 },
  zstd: { min: -131_072, max: 22 },
};

/**
 * What a producer's `compression.type` and `compression.<codec>.level` ask for; undefined for `none`. Loads
 * what the codec needs, so that a missing package is told before the first record.
 * @throws ConfigError with Kafka's texts; TaskError `batch.codec_missing`
 */
export function compressionOf(config: Readonly<Record<string, string>>): Compression | undefined {
  const name = config["compression.type"]?.trim() ?? "none";
  if (name === "none") return undefined;
  const codec = Object.hasOwn(codecs, name) ? codecs[name as CodecName] : undefined;
  if (codec === undefined) {
    const allowed = ["none", ...Object.keys(codecs)].join(", ");
    throw configError("compression.type", name, `String must be one of: ${allowed}`);
  }
  const compression = { codec: codec.name, level: levelOf(config, codec.name) };
  codecFor(codec, `use ${codec.name}`);
  return compression;
}

function levelOf(config: Readonly<Record<string, string>>, name: CodecName): number | undefined {
  const key = `compression.${name}.level`;
  const text = config[key]?.trim();
  const allowed = levels[name];
  if (text === undefined || allowed === undefined) return undefined;
  const level = Number(text);
  if (!/^[-+]?\d+$/.test(text)) throw configError(key, text, "Not a number of type INT");
  if (level === allowed.other || (level >= allowed.min && level <= allowed.max)) return level;
  const or = allowed.other === undefined ? "" : ` or equal to ${allowed.other}`;
  throw configError(key, text, `Value must be between ${allowed.min} and ${allowed.max}${or}`);
}

function configError(key: string, value: string, what: string): ConfigError {
  const message = `Invalid value ${value} for configuration ${key}: ${what}`;
  return new ConfigError("config.invalid", message, { problems: [{ key, message }] });
}

/** The number that stands for a codec in a batch's attributes. */
export function codecId({ codec }: Compression): number {
  return codecs[codec].id;
}

/** By the number in a batch's attributes; undefined for `none` and for numbers without a meaning. */
export function codecOf(id: number): Codec | undefined {
  return Object.values(codecs).find((codec) => codec.id === id);
}

/**
 * Small inputs at once, large ones in another thread; `bytes` must stay as they are until then.
 * @throws TaskError `batch.codec_missing`
 */
export function compress(
  bytes: Uint8Array,
  { codec: name, level }: Compression,
): Uint8Array | Promise<Uint8Array> {
  const codec = codecFor(codecs[name], `compress with ${name}`);
  return bytes.length < codec.threadBytesMin.compress
    ? codec.compress(bytes, level)
    : codec.compressInThread(bytes, level);
}

/** What is decompressed, for messages: `the record batch at offset 7 of orders-3`. */
export interface DecompressOptions {
  readonly codec: Codec;
  /** I5: more than this is refused. */
  readonly bytesMax: number;
  readonly what: string;
}

/**
 * As `compress`, back. `expectedBytes` is what may be counted on while the promise is not resolved.
 * @throws TaskError `batch.corrupt`, `batch.too_large`, `batch.codec_missing`
 */
export function decompress(
  payload: Uint8Array,
  options: DecompressOptions,
): { expectedBytes: number; done: Uint8Array | Promise<Uint8Array> } {
  const codec = codecFor(options.codec, `decompress ${options.what} (${options.codec.name})`);
  try {
    const expectedBytes = codec.expectedSize(payload, options.bytesMax);
    if (expectedBytes < codec.threadBytesMin.decompress) {
      return { expectedBytes, done: codec.decompress(payload, options.bytesMax) };
    }
    const done = codec.decompressInThread(payload, options.bytesMax).catch((cause: unknown) => {
      throw decompressError(cause, payload, options);
    });
    return { expectedBytes, done };
  } catch (cause) {
    throw decompressError(cause, payload, options);
  }
}

function decompressError(
  cause: unknown,
  payload: Uint8Array,
  { codec, bytesMax, what }: DecompressOptions,
): TaskError {
  const doing = `cannot decompress ${what} (${codec.name})`;
  if (!(cause instanceof TooLarge)) return new TaskError("batch.corrupt", doing, { cause });
  return new TaskError(
    "batch.too_large",
    `${doing}: its ${payload.length} bytes hold more than ${bytesMax}`,
    { hint: "Have its producer write smaller batches, and skip this one by altering the offset." },
  );
}

function codecFor(codec: Codec, doing: string): Codec {
  try {
    codec.load();
    return codec;
  } catch (cause) {
    throw new TaskError(
      "batch.codec_missing",
      `cannot ${doing}: the package ${codec.packageName} is not installed for this platform`,
      {
        cause,
        hint: "Install the host with its optional packages (no --omit=optional), or use gzip or none.",
      },
    );
  }
}
