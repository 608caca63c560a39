/** From the bytes of a fetch, or of a segment, to batches that can be read: whole, checked, decompressed. */
import { TaskError } from "../base/error.ts";
import { noBytes } from "../record/record-slice.ts";
import {
  at,
  attribute,
  BatchHeader,
  batchSize,
  checksumFits,
  lengthOverhead,
} from "./batch-header.ts";
import { codecOf, decompress, decompressedBytesMaxDefault } from "./compression.ts";
import { RecordCursor } from "./decode.ts";
import { writeInt16, writeInt32 } from "./varint.ts";

/** I5: what a run holds of decompressed bytes, beyond its first batch. */
const openedBytesMaxDefault = 4 * 1024 * 1024;

/** I5: decompressed at a time. What they are expected to hold is not known for certain. */
const threadsMax = 4;

/** What to open, and how much of it. */
export interface OpenOptions {
  /** Where the batches come from, for messages: `orders-3`. */
  readonly source: string;
  /** Records before it are not wanted; batches that end before it are left out. */
  readonly firstOffset: number;
  /** Where in the bytes to begin and to end; default: all of them. */
  readonly start?: number;
  readonly end?: number;
  /** The checksums are known to be right. */
  readonly isChecked?: boolean;
  /** Ends the run early once so much was decompressed (4 MiB); the first batch is opened all the same. */
  readonly openedBytesMax?: number;
  /** The most that one batch may hold once it is decompressed (128 MiB). */
  readonly batchBytesMax?: number;
  /**
   * Asked once for each batch of the run in order, control batches too, after its checksum was seen to be
   * right; false leaves the batch out. The header is used again, its places are in `bytes`. After a run
   * that ended before a broken batch the next run asks again from that one on.
   */
  readonly keeps?: (header: BatchHeader, bytes: Uint8Array) => boolean;
  /**
   * Memory for a run that has to be put together, at least so many bytes; asked at most once. Default:
   * fresh memory.
   */
  readonly memory?: (bytes: number) => Uint8Array;
}

/** As the port's `Fetched` has it, and where to go on. */
export interface OpenedBatches {
  /** A view of what was given where nothing had to be changed. */
  batches: Uint8Array;
  firstOffset: number;
  nextOffset: number;
  /** Records from firstOffset on, without the marks of transactions. */
  recordCount: number;
  /** Behind the last batch of the run: at the next one, or at one that is not whole; equal to the start
   *  when there is not even one whole batch. */
  end: number;
}

/** A stretch of the result: bytes as they were given, or a batch's header and what it held. */
type Piece =
  | { at: "plain"; start: number; end: number }
  | { at: "opened"; header: number; attributes: number; records: Uint8Array };

/** How far a run has come: behind the last batch. */
interface Reached {
  readonly place: number;
  readonly nextOffset: number;
  readonly pieceCount: number;
}

/** One run while it is put together. */
interface Opening {
  readonly pieces: Piece[];
  readonly inThread: Promise<void>[];
  openedBytes: number;
  /** The first batch that cannot be opened, and what is before it. */
  broken: { readonly before: Reached; readonly error: unknown } | undefined;
}

/**
 * The next run of batches. An unfinished batch at the end is left where it is. The checksum field of a
 * batch that was compressed is that of its compressed form. A batch that cannot be opened ends the run
 * before it: what precedes it is not lost with it.
 * @throws TaskError when that is the first one: `batch.corrupt` for a wrong checksum or a damaged
 *   payload, `batch.too_large`, `batch.format_old`, `batch.codec_missing`
 */
export async function openBatches(bytes: Uint8Array, options: OpenOptions): Promise<OpenedBatches> {
  const { firstOffset, start = 0, end = bytes.length } = options;
  const { openedBytesMax = openedBytesMaxDefault } = options;
  const header = new BatchHeader();
  const opening: Opening = { pieces: [], inThread: [], openedBytes: 0, broken: undefined };
  let reached: Reached = { place: start, nextOffset: firstOffset, pieceCount: 0 };
  try {
    while (readHeader(header, bytes, reached.place, end, options)) {
      const isCompressed = (header.attributes & attribute.compression) !== 0;
      if (opening.broken || (isCompressed && opening.openedBytes >= openedBytesMax)) break;
      if (!options.isChecked) check(header, bytes, options);
      const isKept = options.keeps?.(header, bytes) ?? true;
      const isWanted = header.lastOffset >= firstOffset;
      if (isWanted && isKept && isCompressed) {
        if (opening.inThread.length >= threadsMax) await Promise.all(opening.inThread.splice(0));
        open(opening, bytes, header, reached, options);
      } else if (isWanted && isKept) addPlain(opening.pieces, header);
      reached = {
        place: header.end,
        nextOffset: isWanted ? header.lastOffset + 1 : reached.nextOffset,
        pieceCount: opening.pieces.length,
      };
    }
  } catch (error) {
    breakOff(opening, reached, error);
  }
  await Promise.all(opening.inThread);
  const { broken } = opening;
  if (broken?.before.place === start) throw broken.error;
  const { place, nextOffset, pieceCount } = broken?.before ?? reached;
  const batches = gather(bytes, opening.pieces.slice(0, pieceCount), options.memory ?? freshMemory);
  return { batches, firstOffset, nextOffset, recordCount: count(batches, firstOffset), end: place };
}

/** The first one counts, which need not be the first to be known of. */
function breakOff(opening: Opening, before: Reached, error: unknown): void {
  const { broken } = opening;
  if (broken === undefined || before.place < broken.before.place)
    opening.broken = { before, error };
}

/** False where no whole batch stands any more. */
function readHeader(
  header: BatchHeader,
  bytes: Uint8Array,
  place: number,
  end: number,
  { source, firstOffset }: OpenOptions,
): boolean {
  if (header.read(bytes, place, end)) return true;
  if (end - place < at.records) return false;
  const magic = bytes[place + at.magic]!;
  if (magic < 2) {
    throw new TaskError(
      "batch.format_old",
      `cannot read ${source} from offset ${firstOffset} on: its messages have the format v${magic}, ` +
        "of Kafka before 0.11",
      { hint: "Copy the topic with a Java client, or begin behind these messages." },
    );
  }
  if (batchSize(bytes, place, end) === 0) {
    throw new TaskError(
      "batch.corrupt",
      `cannot read ${source} from offset ${firstOffset} on: there is no record batch at byte ${place}`,
    );
  }
  return false;
}

function check(header: BatchHeader, bytes: Uint8Array, options: OpenOptions): void {
  if (checksumFits(bytes, header.start, header.end)) return;
  throw new TaskError(
    "batch.corrupt",
    `cannot read ${nameOf(header, options)}: it does not fit its checksum`,
    {
      hint: "It was damaged on the way or on the broker's disk; another replica may have it whole.",
    },
  );
}

function nameOf({ baseOffset }: BatchHeader, { source }: OpenOptions): string {
  return `the record batch at offset ${baseOffset} of ${source}`;
}

function addPlain(pieces: Piece[], { start, end }: BatchHeader): void {
  const last = pieces.at(-1);
  if (last?.at === "plain" && last.end === start) last.end = end;
  else pieces.push({ at: "plain", start, end });
}

function open(
  opening: Opening,
  bytes: Uint8Array,
  header: BatchHeader,
  before: Reached,
  options: OpenOptions,
): void {
  const name = nameOf(header, options);
  const codec = codecOf(header.attributes & attribute.compression);
  if (codec === undefined) {
    throw new TaskError("batch.corrupt", `cannot read ${name}: its codec has no meaning`);
  }
  const piece = {
    at: "opened" as const,
    header: header.start,
    attributes: header.attributes,
    records: noBytes as Uint8Array,
  };
  opening.pieces.push(piece);
  const { expectedBytes, done } = decompress(
    bytes.subarray(header.start + at.records, header.end),
    { codec, bytesMax: options.batchBytesMax ?? decompressedBytesMaxDefault, what: name },
  );
  if (done instanceof Uint8Array) {
    piece.records = done;
    opening.openedBytes += done.length;
    return;
  }
  opening.openedBytes += expectedBytes;
  const kept = done.then(
    (records) => {
      piece.records = records;
    },
    (error: unknown) => breakOff(opening, before, error),
  );
  opening.inThread.push(kept);
}

const freshMemory = (bytes: number): Uint8Array => Buffer.allocUnsafeSlow(bytes);

/** One array of all pieces: the given one where there is a single plain piece. */
function gather(
  bytes: Uint8Array,
  pieces: readonly Piece[],
  memory: (bytes: number) => Uint8Array,
): Uint8Array {
  const [first] = pieces;
  if (first === undefined) return noBytes;
  if (pieces.length === 1 && first.at === "plain") return bytes.subarray(first.start, first.end);
  let size = 0;
  for (const piece of pieces) {
    size += piece.at === "plain" ? piece.end - piece.start : at.records + piece.records.length;
  }
  const room = memory(size);
  const batches = new Uint8Array(room.buffer, room.byteOffset, size);
  let place = 0;
  for (const piece of pieces) {
    if (piece.at === "plain") {
      batches.set(bytes.subarray(piece.start, piece.end), place);
      place += piece.end - piece.start;
      continue;
    }
    const { header, records, attributes } = piece;
    batches.set(bytes.subarray(header, header + at.records), place);
    batches.set(records, place + at.records);
    writeInt32(batches, place + at.length, at.records + records.length - lengthOverhead);
    writeInt16(batches, place + at.attributes, attributes & ~attribute.compression);
    place += at.records + records.length;
  }
  return batches;
}

/** Compaction leaves holes, so the records of a batch that is entered midway have to be counted. */
function count(batches: Uint8Array, firstOffset: number): number {
  const header = new BatchHeader();
  let sum = 0;
  for (let place = 0; header.read(batches, place, batches.length); place = header.end) {
    if (header.isControl) continue;
    if (header.baseOffset >= firstOffset) sum += header.recordCount;
    else sum += countFrom(batches.subarray(header.start, header.end), firstOffset);
  }
  return sum;
}

function countFrom(batches: Uint8Array, firstOffset: number): number {
  const cursor = new RecordCursor();
  cursor.reset({ batches, firstOffset });
  let sum = 0;
  while (cursor.next()) sum += 1;
  return sum;
}
