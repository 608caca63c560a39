/** Dates against what Java's own class did (test/goldens/dates). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RecordError } from "../base/error.ts";
import { formatDate, patternParts } from "./date-pattern.ts";
import { DateReader } from "./date-reader.ts";

const file = new URL("../../test/goldens/dates/simple-date-format.jsonl", import.meta.url);
const cases: readonly {
  pattern: string;
  format?: number;
  parse?: string;
  [more: string]: unknown;
}[] = readFileSync(file, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line));

test("moments are written as Java writes them", () => {
  const written = cases.filter(({ format }) => format !== undefined);
  assert.ok(written.length > 100);
  for (const { pattern, format = 0, text } of written) {
    assert.equal(formatDate(patternParts(pattern), format), text, `${format} by ${pattern}`);
  }
});

test("texts are read as Java reads them, damaged ones too", () => {
  const read = cases.filter(({ parse }) => parse !== undefined);
  assert.ok(read.length > 100);
  for (const { pattern, parse = "", ms } of read) {
    const found = new DateReader(patternParts(pattern)).read(parse) ?? null;
    assert.equal(found, ms, `${parse} by ${pattern}`);
  }
});

const nowMs = Date.UTC(2026, 10, 23);

for (const { pattern, text, year } of [
  { pattern: "yy", text: "45", year: 2045 },
  { pattern: "yy", text: "47", year: 1947 },
  { pattern: "yy", text: "-5", year: -5 },
  { pattern: "yy", text: "2001", year: 2001 },
  { pattern: "yyyy", text: "45", year: 45 },
]) {
  test(`the year ${text} by ${pattern} is ${year} in 2026`, () => {
    const ms = new DateReader(patternParts(pattern), nowMs).read(text);
    const moment = formatDate(patternParts("yyyy G"), ms ?? Number.NaN);
    const shown =
      year > 0 ? `${String(year).padStart(4, "0")} AD` : `${String(1 - year).padStart(4, "0")} BC`;
    assert.equal(moment, shown);
  });
}

for (const { pattern, says } of [
  { pattern: "yyyy-bb", says: "Illegal pattern character 'b'" },
  { pattern: "'at", says: "Unterminated quote" },
  { pattern: "XXXX", says: "invalid ISO 8601 format: length=4" },
]) {
  test(`the pattern ${pattern} is refused in Java's words`, () => {
    assert.throws(
      () => patternParts(pattern),
      (error: unknown) =>
        error instanceof RecordError &&
        error.message === says &&
        error.javaClass === "java.lang.IllegalArgumentException",
    );
  });
}
