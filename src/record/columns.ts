/**
 * A batch of records as packed columns: the contract's `Columns` message (proto/README.md,
 * "Batches") with its arrays unpacked into typed arrays and its deltas summed up. There is no object
 * per record; whoever reads a batch walks the columns with an index.
 *
 * N = count, H = the sum of headerCounts, P = the source partitions named (offset mode "last").
 * A column has one of the lengths named at its field; length 1 holds for every record (or header).
 */
export interface Columns {
  /** 0 to 10,000; at 0 all columns are empty. */
  count: number;
  /** Record by record: key, value, headers in order; no gaps, no rest. */
  arena: Uint8Array;
  /** 0 or N. 0 = null, n + 1 = n bytes. Left out: all null. */
  keySizes: Uint32Array;
  /** As keySizes. */
  valueSizes: Uint32Array;
  /** 0, 1 or N form ids. Left out: form 0, null without schema. */
  keyForms: Uint32Array;
  /** As keyForms. */
  valueForms: Uint32Array;
  /** 1 or N topic ids. */
  topics: Uint32Array;
  /** 0, 1 or N. partition + 1; 0 = the host chooses. */
  partitions: Uint32Array;
  /** 0, 1 or N, milliseconds since the epoch; -1 = none. Left out: all -1. */
  timestamps: Float64Array;
  /** 0 or N, each at most 1,000. */
  headerCounts: Uint32Array;
  /** H header-name ids. */
  headerNames: Uint32Array;
  /** 0 or H, as keySizes. */
  headerSizes: Uint32Array;
  /** 0, 1 or H form ids. */
  headerForms: Uint32Array;
  /** Source. Per record: 1 or N partition ids. Mode "last": P distinct ids. */
  sourcePartitions: Uint32Array;
  /** Source. Per record: N, last: P. 0 = null, 1 = same as the entry before, n + 2 = n bytes. */
  offsetSizes: Uint32Array;
  /** Source. UTF-8 JSON texts back to back. */
  offsetArena: Uint8Array;
  /** Sink. N Kafka offsets. */
  offsets: Float64Array;
  /** Sink. 0, 1 or N: 0 none, 1 CreateTime, 2 LogAppendTime. Left out: all 1. */
  timestampTypes: Uint32Array;
  /** Sink. 0, 1 or N topic ids. Left out: as topics. */
  originalTopics: Uint32Array;
  /** Sink. 0, 1 or N, partition + 1. Left out: as partitions. */
  originalPartitions: Uint32Array;
}

const noNumbers = new Uint32Array(0);
const noFloats = new Float64Array(0);
const noBytes = new Uint8Array(0);

/** A batch without records; fill in what is needed. */
export function emptyColumns(): Columns {
  return {
    count: 0,
    arena: noBytes,
    keySizes: noNumbers,
    valueSizes: noNumbers,
    keyForms: noNumbers,
    valueForms: noNumbers,
    topics: noNumbers,
    partitions: noNumbers,
    timestamps: noFloats,
    headerCounts: noNumbers,
    headerNames: noNumbers,
    headerSizes: noNumbers,
    headerForms: noNumbers,
    sourcePartitions: noNumbers,
    offsetSizes: noNumbers,
    offsetArena: noBytes,
    offsets: noFloats,
    timestampTypes: noNumbers,
    originalTopics: noNumbers,
    originalPartitions: noNumbers,
  };
}

/** How the bytes of a key, value or header are to be read. */
export type Encoding = "bytes" | "text" | "json";

/** An encoding with a schema (JsonConverter's JSON text) or none. */
export interface Form {
  readonly encoding: Encoding;
  readonly schema: string | null;
}

/** Form 0: null without schema, the tombstone. Its encoding is never looked at. */
export const nullForm: Form = { encoding: "bytes", schema: null };

/**
 * What the ids in a stream's columns mean, by id. Grows while the stream defines more ids and is
 * replaced as a whole by a new one after a Forget, so a batch keeps the one it was decoded with.
 */
export interface Definitions {
  readonly topics: readonly (string | undefined)[];
  readonly names: readonly (string | undefined)[];
  /** Index 0 is `nullForm`. */
  readonly forms: readonly (Form | undefined)[];
  readonly partitions: readonly (string | undefined)[];
}

/** The bytes that a batch costs in credit: the contract's size formula. */
export function sizeOf(columns: Columns): number {
  return (
    columns.arena.length +
    columns.offsetArena.length +
    64 * (columns.count + columns.headerNames.length) +
    4_096
  );
}
