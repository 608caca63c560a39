import { type SourceRecord, schema } from "@bulkhead/sdk";
import { makeTexts, seededRandom } from "./texts.ts";

/** One record that is filled again and again: the SDK has packed it when the generator goes on. */
export type Slot = { -readonly [Name in keyof SourceRecord]: SourceRecord[Name] };

/** Puts the value of the `n`th record into a slot; `at` is the slot's place in its batch. */
export type Filler = (slot: Slot, n: number, at: number, nowMs: number) => void;

export interface FillerOptions {
  readonly format: "bytes" | "string" | "struct";
  readonly size: number;
  readonly stamp: boolean;
  readonly seed: number;
}

const poolSize = 1_024;
const poolMask = poolSize - 1;
/** I5: large values come from a smaller pool; up to 16 KiB nothing changes. */
const poolBytesMax = 16 * 1_024 * 1_024;

const row = schema.struct(
  {
    id: schema.int64(),
    ts: schema.int64(),
    name: schema.string(),
    email: schema.string(),
    active: schema.boolean(),
    score: schema.double(),
    count: schema.int32(),
    note: schema.string({ optional: true }),
  },
  { name: "bench.Row" },
);

/** Values come from a pool of ready-made texts, round robin; structs are built anew. */
export function makeFiller(options: FillerOptions): Filler {
  const random = seededRandom(options.seed);
  if (options.format === "struct") return structFiller(random);
  const pool = makeTexts(poolOf(options.size), options.size, random);
  if (options.format === "string") return options.stamp ? stampedStrings(pool) : plain(pool);
  return options.stamp ? stampedBytes(pool) : plain(pool.map((text) => Buffer.from(text)));
}

/** A power of two: the pool is walked with a mask. */
function poolOf(valueBytes: number): number {
  const most = Math.max(1, Math.floor(poolBytesMax / valueBytes));
  return Math.min(poolSize, 2 ** Math.floor(Math.log2(most)));
}

function plain(pool: readonly (string | Buffer)[]): Filler {
  const mask = pool.length - 1;
  return (slot, n) => {
    slot.value = pool[n & mask];
  };
}

function stampedStrings(pool: readonly string[]): Filler {
  const rests = pool.map((text) => text.slice(17));
  const mask = rests.length - 1;
  return (slot, n) => {
    slot.value = `${stampNow()} ${rests[n & mask]}`;
  };
}

function stampedBytes(pool: readonly string[]): Filler {
  const rests = pool.map((text) => Buffer.from(text.slice(17)));
  const mask = rests.length - 1;
  const buffers: Buffer[] = [];
  return (slot, n, at) => {
    const rest = rests[n & mask]!;
    buffers[at] ??= Buffer.alloc(17 + rest.length, " ");
    const buffer = buffers[at];
    buffer.write(stampNow(), 0, "latin1");
    buffer.set(rest, 17);
    slot.value = buffer;
  };
}

/** Microseconds since the epoch: 16 digits until the year 2286. */
function stampNow(): string {
  return String(Math.floor((performance.timeOrigin + performance.now()) * 1_000));
}

function structFiller(random: () => number): Filler {
  const names = makeTexts(poolSize, 16, random);
  const emails = makeTexts(poolSize, 16, random);
  const notes = makeTexts(poolSize, 40, random);
  return (slot, n, _, nowMs) => {
    const count = n & poolMask;
    slot.valueSchema = row;
    slot.value = {
      id: n,
      ts: nowMs,
      name: names[count],
      email: emails[count],
      active: n % 2 === 0,
      score: count * 0.25 + 0.125,
      count,
      note: (n & 7) === 7 ? null : notes[count],
    };
  };
}
