/** `bulkhead dlq`: what stands in a topic of dead letters, and back with it. */
import { once } from "node:events";
import { ConfigError } from "../base/error.ts";
import { table } from "../cli/table.ts";
import { askedToStop } from "./asked-to-stop.ts";
import {
  type FoundLetter,
  type LetterOptions,
  letterFilter,
  lettersOf,
  originText,
  placeIn,
  placeText,
} from "./dead-letters.ts";
import { type LogOptions, openLogOf } from "./log-access.ts";
import { readerGone } from "./reader-gone.ts";

const widthWithoutTerminal = 120;
const messageCharactersMax = 160;
const first = { partition: 0, offset: 0 };

export interface DlqListOptions extends LogOptions, LetterOptions {
  /** How many letters are shown; all are counted. */
  readonly limit: number;
  readonly json?: boolean;
}

/** Shows the letters that the filters let through, and counts them by stage and error. */
export async function listLetters(topic: string, options: DlqListOptions): Promise<void> {
  const holds = letterFilter(options);
  const from = options.from === undefined ? first : placeIn(options.from);
  const { kafka, consumer } = await openLogOf(options, { at: "look", topics: [topic] });
  const shown: FoundLetter[] = [];
  const counts = new Map<string, number>();
  let [found, read] = [0, 0];
  try {
    for await (const letter of lettersOf(kafka, consumer, topic, from, askedToStop())) {
      read += 1;
      if (!holds(letter)) continue;
      found += 1;
      const kind = `${letter.context.get("stage") ?? "?"}\t${shortError(letter)}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (found > options.limit) continue;
      if (options.json) await print(JSON.stringify(jsonOf(letter)));
      else shown.push(letter);
    }
  } finally {
    await kafka.close();
  }
  if (options.json) return;
  await printTables(shown, counts);
  const more = found > shown.length ? `, ${shown.length} of them shown (--limit)` : "";
  await print(`${read} dead letters in ${topic}, ${found} wanted${more}`);
}

async function printTables(
  letters: readonly FoundLetter[],
  counts: ReadonlyMap<string, number>,
): Promise<void> {
  if (letters.length === 0) return;
  const width = process.stdout.columns ?? widthWithoutTerminal;
  const rows = letters.map((letter) => [
    placeText(letter),
    timeText(letter.timestampMs),
    originText(letter),
    letter.context.get("stage") ?? "?",
    `${shortError(letter)}: ${shortened(letter.context.get("exception.message") ?? "")}`,
  ]);
  await print(`${table(["letter", "time", "record", "stage", "error"], rows, width)}\n`);
  const kinds = [...counts].sort(([, a], [, b]) => b - a);
  const summary = kinds.map(([kind, count]) => [`${count}`, ...kind.split("\t")]);
  await print(`${table(["letters", "stage", "error"], summary, width)}\n`);
}

export interface DlqShowOptions extends LogOptions {
  readonly json?: boolean;
}

/**
 * Shows everything of one letter.
 * @throws ConfigError where there is none at that place
 */
export async function showLetter(
  topic: string,
  place: string,
  options: DlqShowOptions,
): Promise<void> {
  const from = placeIn(place);
  const { kafka, consumer } = await openLogOf(options, { at: "look", topics: [topic] });
  try {
    for await (const letter of lettersOf(kafka, consumer, topic, from, askedToStop())) {
      if (letter.partition !== from.partition || letter.offset !== from.offset) break;
      await print(options.json ? JSON.stringify(jsonOf(letter), null, 2) : wholeText(letter));
      return;
    }
  } finally {
    await kafka.close();
  }
  throw new ConfigError("config.invalid", `cannot show the dead letter ${place} of ${topic}`, {
    hint: `there is none at that place; bulkhead dlq list ${topic} shows where there are some`,
  });
}

/** First who and why, then the record. */
function wholeText(letter: FoundLetter): string {
  const { context, headers, key, value, timestampMs } = letter;
  const trace = context.get("exception.stacktrace");
  const facts = [...context].filter(([name]) => name !== "exception.stacktrace");
  const named: [string, string][] = [
    ["letter", placeText(letter)],
    ["time", timeText(timestampMs)],
    ...facts.map(([name, text]): [string, string] => [name, text ?? "null"]),
    ...headers.map((header): [string, string] => [
      `header ${header.name}`,
      bytesText(header.value),
    ]),
    ["key", bytesText(key)],
    ["value", bytesText(value)],
  ];
  const width = Math.max(...named.map(([name]) => name.length));
  const lines = named.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
  return [...lines, ...(trace === undefined ? [] : ["", trace ?? ""])].join("\n");
}

function jsonOf(letter: FoundLetter): object {
  const { partition, offset, timestampMs, key, value, headers, context } = letter;
  return {
    ...{ partition, offset },
    timestamp: timestampMs < 0 ? null : timeText(timestampMs),
    context: Object.fromEntries(context),
    headers: headers.map((header) => ({ name: header.name, value: bytesJson(header.value) })),
    key: bytesJson(key),
    value: bytesJson(value),
  };
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function bytesJson(bytes: Buffer | null): string | null | { readonly base64: string } {
  if (bytes === null) return null;
  try {
    return strict.decode(bytes);
  } catch {
    return { base64: bytes.toString("base64") };
  }
}

function bytesText(bytes: Buffer | null): string {
  const json = bytesJson(bytes);
  if (json === null) return "null";
  return typeof json === "string" ? json : `base64 ${json.base64}`;
}

function shortError({ context }: FoundLetter): string {
  return context.get("exception.class.name")?.split(".").at(-1) ?? "?";
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= messageCharactersMax ? line : `${line.slice(0, messageCharactersMax)}…`;
}

function timeText(ms: number): string {
  const date = new Date(ms);
  return ms < 0 || Number.isNaN(date.getTime()) ? "-" : date.toISOString();
}

/** Waits for whoever reads; one that has gone is nobody to tell. */
async function print(text: string): Promise<void> {
  const signal = readerGone();
  if (signal.aborted || process.stdout.write(`${text}\n`)) return;
  await once(process.stdout, "drain", { signal }).catch(() => {});
}
