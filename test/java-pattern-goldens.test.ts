/** Regular expressions against what Java's own did (test/goldens/java-pattern). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { HostError } from "../src/base/error.ts";
import { JavaPattern } from "../src/base/java-pattern.ts";
import { JavaMatcher } from "../src/base/java-pattern-matcher.ts";
import { parseJavaPattern } from "../src/base/java-pattern-parser.ts";

interface Golden {
  readonly pattern: string;
  readonly text: string;
  readonly replacement: string;
  readonly refused?: string;
  readonly spans?: number[][] | null;
  readonly replaced?: string;
  readonly error?: string;
}

const lines = readFileSync(
  new URL("goldens/java-pattern/java-17.jsonl", import.meta.url),
  "utf8",
).split("\n");
const goldens = lines.filter((line) => line !== "").map((line): Golden => JSON.parse(line));

function play({
  pattern,
  text,
  replacement,
}: Golden): Omit<Golden, "pattern" | "text" | "replacement"> {
  let compiled: JavaPattern;
  try {
    compiled = new JavaPattern(pattern);
  } catch (error) {
    assert.ok(error instanceof HostError);
    return { refused: error.message };
  }
  const matcher = new JavaMatcher(parseJavaPattern(pattern));
  const isMatch = matcher.matches(text);
  assert.equal(compiled.matches(text), isMatch);
  const spans = isMatch ? inPairs(matcher.spans) : null;
  try {
    return { spans, replaced: compiled.replaceFirst(text, replacement) };
  } catch (error) {
    assert.ok(error instanceof HostError);
    return { spans, error: `${error.javaClass} ${error.message}` };
  }
}

function inPairs(numbers: readonly number[]): number[][] {
  return numbers.flatMap((from, at) => (at % 2 === 0 ? [[from, numbers[at + 1] ?? -1]] : []));
}

test("patterns are read, matched and replaced as Java does", () => {
  assert.ok(goldens.length > 300);
  for (const golden of goldens) {
    const { pattern, text, replacement, ...answer } = golden;
    assert.deepEqual(play(golden), answer, JSON.stringify({ pattern, text, replacement }));
  }
});

test("a pattern that would run away is given up, and the next text is matched as ever", () => {
  const pattern = new JavaPattern("(x+x+)+y");
  assert.throws(() => pattern.matches("x".repeat(200)), /takes more than \d+ steps/);
  assert.throws(() => new JavaPattern("(?:ab)*").matches("ab".repeat(50_000)), /goes too deep/);
  assert.equal(pattern.matches("xxxy"), true);
});

test("what Java has and this host has not is refused with a sentence", () => {
  for (const pattern of ["\\X", "\\b{g}", "\\N{DIGIT ONE}", "\\p{InGreek}", "(?c)a", "("]) {
    const wanted = pattern === "(" ? /Unclosed group near index 1/ : /not supported by this host/;
    assert.throws(() => new JavaPattern(pattern), wanted, pattern);
  }
  assert.throws(() => new JavaPattern("(".repeat(5_000)), /More than 250 groups in each other/);
  assert.throws(() => new JavaPattern("[".repeat(5_000)), /More than 250 classes in each other/);
});
