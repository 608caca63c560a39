import { TaskError } from "../base/error.ts";
import { isJson } from "../base/json-text.ts";
import type { Columns, Definitions } from "../record/columns.ts";

/** The offsets of one source partition in (a part of) a batch, as texts; null = no offset. */
export interface SourceOffsetEntry {
  readonly partition: string;
  readonly first: string | null;
  last: string | null;
}

const utf8 = new TextDecoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The first and last offset of each source partition among the records `from` to `to` (without it).
 * Only those texts are decoded, however many records there are.
 * @throws TaskError when a last one is no JSON text: it can never be committed
 */
export function sourceOffsetsOf(
  columns: Columns,
  definitions: Definitions,
  mode: "per-record" | "last",
  from = 0,
  to = mode === "last" ? columns.sourcePartitions.length : columns.count,
): SourceOffsetEntry[] {
  if (from >= to) return [];
  const places = textPlaces(columns);
  const found = new Map<number, { first: number; last: number }>();
  const { sourcePartitions } = columns;
  const single = mode === "per-record" && sourcePartitions.length === 1;
  if (single) found.set(sourcePartitions[0] as number, { first: from, last: to - 1 });
  else {
    for (let index = from; index < to; index += 1) {
      const id = sourcePartitions[index] as number;
      const entry = found.get(id);
      if (entry === undefined) found.set(id, { first: index, last: index });
      else entry.last = index;
    }
  }
  return [...found].map(([id, { first, last }]) => {
    const partition = partitionText(definitions, id);
    if (!isCommittable(columns, places, last)) {
      const text = textAt(columns, places, last)?.slice(0, 200);
      throw new TaskError(
        "plugin.protocol_error",
        `the plugin sent an offset of source partition ${partition} that is not JSON: ${text}`,
      );
    }
    return {
      partition,
      first: textAt(columns, places, first),
      last: textAt(columns, places, last),
    };
  });
}

/**
 * The last offset of each source partition among the first `length` records that no later record of
 * the batch shares and that `counts`. Decodes every text: for a task that ends, not for the hot path. One
 * that is no JSON text is left out; its records come again.
 */
export function sourceOffsetsBefore(
  columns: Columns,
  definitions: Definitions,
  length: number,
  counts: (index: number) => boolean,
): { partition: string; offset: string | null }[] {
  const places = textPlaces(columns);
  const found = new Map<number, string | null>();
  const following = new Map<number, string | null>();
  for (let index = columns.count - 1; index >= 0; index -= 1) {
    const id = partitionAt(columns, index);
    if (found.has(id)) continue;
    const text = textAt(columns, places, index);
    if (
      index < length &&
      counts(index) &&
      following.has(id) &&
      following.get(id) !== text &&
      isCommittable(columns, places, index)
    ) {
      found.set(id, text);
    }
    following.set(id, text);
  }
  return [...found].map(([id, offset]) => ({ partition: partitionText(definitions, id), offset }));
}

/** The offset of the last record that `counts`, by source partition; without those that have none. */
export function sourceOffsetsThat(
  columns: Columns,
  definitions: Definitions,
  counts: (index: number) => boolean,
): Map<string, string | null> {
  const places = textPlaces(columns);
  const found = new Map<string, string | null>();
  for (let index = columns.count - 1; index >= 0; index -= 1) {
    if (!counts(index)) continue;
    const partition = partitionText(definitions, partitionAt(columns, index));
    if (found.has(partition) || !isCommittable(columns, places, index)) continue;
    found.set(partition, textAt(columns, places, index));
  }
  return found;
}

/** Where one record of a batch was read; both null where only the batch has offsets (mode "last"). */
export interface SourcePlace {
  readonly partition: string | null;
  readonly offset: string | null;
}

/** Decodes the columns up to the record: for reports, not for the hot path. */
export function sourcePlaceOf(
  columns: Columns,
  definitions: Definitions,
  mode: "per-record" | "last",
  index: number,
): SourcePlace {
  if (mode === "last") return { partition: null, offset: null };
  const partition = definitions.partitions[partitionAt(columns, index)] ?? null;
  return { partition, offset: textAt(columns, textPlaces(columns), index) };
}

function partitionAt({ sourcePartitions }: Columns, index: number): number {
  return sourcePartitions[sourcePartitions.length === 1 ? 0 : index] as number;
}

function partitionText(definitions: Definitions, id: number): string {
  const text = definitions.partitions[id];
  if (text !== undefined) return text;
  throw new TaskError(
    "plugin.protocol_error",
    `the plugin sent a record of source partition id ${id}, which it has not defined`,
  );
}

/** Where each entry's text begins in the offset arena; -1 = null. An entry "same" points back. */
function textPlaces(columns: Columns): Int32Array {
  const { offsetSizes } = columns;
  const places = new Int32Array(offsetSizes.length * 2);
  let at = 0;
  for (let index = 0; index < offsetSizes.length; index += 1) {
    const size = offsetSizes[index] as number;
    if (size === 1) {
      places[index * 2] = places[index * 2 - 2] as number;
      places[index * 2 + 1] = places[index * 2 - 1] as number;
    } else if (size === 0) places[index * 2] = -1;
    else {
      places[index * 2] = at;
      at += size - 2;
      places[index * 2 + 1] = at;
    }
  }
  return places;
}

/** Whether the offset topic can take it and everyone can read it again. */
function isCommittable(columns: Columns, places: Int32Array, index: number): boolean {
  const start = places[index * 2] as number;
  if (start < 0) return true;
  const bytes = columns.offsetArena.subarray(start, places[index * 2 + 1] as number);
  try {
    return isJson(strictUtf8.decode(bytes));
  } catch {
    return false;
  }
}

function textAt(columns: Columns, places: Int32Array, index: number): string | null {
  const start = places[index * 2] as number;
  if (start < 0) return null;
  return utf8.decode(columns.offsetArena.subarray(start, places[index * 2 + 1] as number));
}
