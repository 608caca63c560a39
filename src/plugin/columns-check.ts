/** What a source's batch must be before anyone walks it. All that follows may then trust the columns. */
import { type Columns, type Definitions, sizeOf } from "../record/columns.ts";
import { sumOfHeaders } from "./columns-decode.ts";
import { limits } from "./limits.ts";
import { protocolError } from "./protocol-error.ts";

export interface ColumnsRules {
  offsetMode: "per-record" | "last";
  definitions: Definitions;
  messageBytesMax: number;
}

/** @throws TaskError `plugin.protocol_error` with a sentence on the column that breaks a rule. */
export function checkSourceColumns(columns: Columns, rules: ColumnsRules): void {
  checkColumns(columns, rules, "topics");
  checkOffsets(columns, rules);
}

/** As `checkSourceColumns`, of what a stage sends back; a converter's records need no topic. */
export function checkStageColumns(
  columns: Columns,
  rules: Omit<ColumnsRules, "offsetMode">,
  needs: "topics" | "no topics",
): void {
  checkColumns(columns, rules, needs);
}

function checkColumns(
  columns: Columns,
  rules: Omit<ColumnsRules, "offsetMode">,
  needs: "topics" | "no topics",
): void {
  const { definitions } = rules;
  if (columns.count > 0) checkShape(columns, needs);
  else checkEmpty(columns);
  const size = sizeOf(columns);
  if (size > rules.messageBytesMax) {
    throw protocolError(
      `a batch counts ${size} bytes; at most ${rules.messageBytesMax} are allowed`,
    );
  }
  checkIds("topics", columns.topics, definitions.topics);
  checkIds("key_forms", columns.keyForms, definitions.forms);
  checkIds("value_forms", columns.valueForms, definitions.forms);
  checkIds("header_names", columns.headerNames, definitions.names);
  checkIds("header_forms", columns.headerForms, definitions.forms);
}

function checkShape(columns: Columns, needs: "topics" | "no topics"): void {
  const n = columns.count;
  // Both bounds hold for what columns-decode.ts has read; the generated decoder knows neither.
  if (n > limits.batchRecordsMax) {
    throw protocolError(`a batch has ${n} records; at most ${limits.batchRecordsMax} are allowed`);
  }
  const h = sumOfHeaders(columns.headerCounts);
  zeroOrAll("key_sizes", columns.keySizes.length, n);
  zeroOrAll("value_sizes", columns.valueSizes.length, n);
  zeroOneOrAll("key_forms", columns.keyForms.length, n);
  zeroOneOrAll("value_forms", columns.valueForms.length, n);
  if (columns.topics.length === 0 && needs === "topics")
    throw wrongLength("topics", 0, `1 or ${n}`);
  zeroOneOrAll("topics", columns.topics.length, n);
  zeroOneOrAll("partitions", columns.partitions.length, n);
  zeroOneOrAll("timestamps", columns.timestamps.length, n);
  zeroOrAll("header_counts", columns.headerCounts.length, n);
  if (columns.headerNames.length !== h) {
    throw wrongLength("header_names", columns.headerNames.length, `${h}`);
  }
  zeroOrAll("header_sizes", columns.headerSizes.length, h);
  zeroOneOrAll("header_forms", columns.headerForms.length, h);
  const arena =
    sumOfSizes(columns.keySizes) + sumOfSizes(columns.valueSizes) + sumOfSizes(columns.headerSizes);
  if (arena !== columns.arena.length) {
    throw protocolError(`the sizes add up to ${arena}, the arena has ${columns.arena.length}`);
  }
}

function checkEmpty(columns: Columns): void {
  for (const [name, column] of Object.entries(columns)) {
    // A batch without records still ends a poll or a transaction; it carries no offsets either.
    if (name !== "count" && (column as Uint8Array).length !== 0) {
      throw protocolError(`a batch of no records has entries in column ${name}`);
    }
  }
}

function sumOfSizes(sizes: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < sizes.length; i += 1) {
    const size = sizes[i] as number;
    if (size > 0) sum += size - 1;
  }
  return sum;
}

function zeroOrAll(name: string, length: number, all: number): void {
  if (length !== 0 && length !== all) throw wrongLength(name, length, `0 or ${all}`);
}

function zeroOneOrAll(name: string, length: number, all: number): void {
  if (length > 1 && length !== all) throw wrongLength(name, length, `0, 1 or ${all}`);
  if (length === 1 && all === 0) throw wrongLength(name, length, "0");
}

function wrongLength(name: string, length: number, expected: string): Error {
  return protocolError(`column ${name} has ${length} entries instead of ${expected}`);
}

function checkIds(name: string, ids: Uint32Array, defined: readonly unknown[]): void {
  for (let i = 0; i < ids.length; i += 1) {
    if (defined[ids[i] as number] === undefined) {
      throw protocolError(`column ${name} has the id ${ids[i]}, which is not defined`);
    }
  }
}

function checkOffsets(columns: Columns, { offsetMode, definitions }: ColumnsRules): void {
  const { count: n, sourcePartitions, offsetSizes } = columns;
  checkIds("source_partitions", sourcePartitions, definitions.partitions);
  const last = offsetMode === "last";
  if (!last && n > 0 && sourcePartitions.length !== 1 && sourcePartitions.length !== n) {
    throw wrongLength("source_partitions", sourcePartitions.length, `1 or ${n}`);
  }
  if (last && new Set(sourcePartitions).size !== sourcePartitions.length) {
    throw protocolError("column source_partitions names a partition twice");
  }
  const expected = last ? sourcePartitions.length : n;
  if (offsetSizes.length !== expected) {
    throw wrongLength("offset_sizes", offsetSizes.length, `${expected}`);
  }
  let sum = 0;
  for (let i = 0; i < offsetSizes.length; i += 1) {
    const size = offsetSizes[i] as number;
    if (size > 1) sum += size - 2;
    if (size === 1 && (last || i === 0)) {
      throw protocolError(`offset ${i} says "same as before" where that is not allowed`);
    }
    if (size > limits.offsetBytesMax + 2) {
      throw protocolError(`offset ${i} has ${size - 2} bytes, over ${limits.offsetBytesMax}`);
    }
  }
  if (sum !== columns.offsetArena.length) {
    throw protocolError(
      `offset_sizes add up to ${sum}, the offset arena has ${columns.offsetArena.length}`,
    );
  }
}
