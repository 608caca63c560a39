/**
 * One record on its way into or out of a log, as places in byte arrays. There is one such object per
 * record path; it is filled again for each record, so nothing is allocated on the hot path and nobody
 * may keep it.
 */

/** A run of bytes, optionally with something before and after it. `start` = -1 means null. */
export interface ByteSlice {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Written before the run; empty unless a step was fused (JsonConverter's envelope). */
  prefix: Uint8Array;
  /** Written after the run. */
  suffix: Uint8Array;
}

/** One header; the name is UTF-8. `start` = -1 means a null value. */
export interface HeaderSlice {
  name: Uint8Array;
  bytes: Uint8Array;
  start: number;
  end: number;
}

export interface RecordSlice {
  topic: string;
  /** -1 = the producer chooses (murmur2 of the key, sticky without one). */
  partition: number;
  /** Milliseconds since the epoch; -1 = the time of sending. */
  timestampMs: number;
  key: ByteSlice;
  value: ByteSlice;
  /** Only the first `headerCount` are meant; the array is reused and may be longer. */
  headers: HeaderSlice[];
  headerCount: number;
}

export const noBytes = new Uint8Array(0);

function newByteSlice(): ByteSlice {
  return { bytes: noBytes, start: -1, end: -1, prefix: noBytes, suffix: noBytes };
}

export function newRecordSlice(): RecordSlice {
  return {
    topic: "",
    partition: -1,
    timestampMs: -1,
    key: newByteSlice(),
    value: newByteSlice(),
    headers: [],
    headerCount: 0,
  };
}
