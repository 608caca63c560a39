/** Previewed records on stdout: for a person, or one JSON object a line. */
import { styleText } from "node:util";
import { errorHint, errorLine } from "../base/error.ts";
import { jsonLines } from "../cli/json-lines.ts";
import { jsonValue } from "../cli/record-text.ts";
import { nearChanges, plainSides, type SideStyle, sideBySide } from "../cli/side-by-side.ts";
import { javaClassOfError } from "../record/java-error.ts";
import type { RecordEnd, SeenRecord, SeenStep, WrittenRecord } from "./preview-record.ts";

const terminalColumns = 120;
/** I5: of a value, for a person. */
const shownCharactersMax = 2_000;

export class PreviewView {
  readonly #isJson: boolean;
  readonly #columns = process.stdout.columns ?? terminalColumns;
  readonly #style: SideStyle;
  readonly #strong: (text: string) => string;
  shown = 0;
  dropped = 0;
  failed = 0;

  constructor(isJson: boolean) {
    this.#isJson = isJson;
    const isColoured = process.stdout.isTTY === true && !process.env["NO_COLOR"];
    this.#strong = isColoured ? (text) => styleText("bold", text) : (text) => text;
    this.#style = isColoured
      ? { left: (text) => styleText("red", text), right: (text) => styleText("green", text) }
      : plainSides;
  }

  show(seen: SeenRecord): void {
    this.shown += 1;
    if (seen.end.at === "dropped") this.dropped += 1;
    if (seen.end.at === "failed") this.failed += 1;
    process.stdout.write(
      this.#isJson ? `${jsonOf(this.shown, seen)}\n` : `${this.#lines(seen).join("\n")}\n\n`,
    );
  }

  #lines({ place, before, steps, end }: SeenRecord): string[] {
    const places = Object.entries(place).map(([name, text]) => `${name} ${text}`);
    const lines = [this.#strong([`record ${this.shown}`, ...places].join(", "))];
    let last = before === null ? [] : jsonLines(before);
    lines.push(...last.map((line) => `  ${line}`));
    for (const step of steps) {
      lines.push(this.#strong(`${calledOf(step)}: ${resultWords[step.result.at]}`));
      if (step.result.at !== "changed") continue;
      const after = jsonLines(step.result.record);
      lines.push(...nearChanges(sideBySide(last, after, this.#columns, this.#style)));
      last = after;
    }
    return [...lines, ...this.#endLines(end)];
  }

  #endLines(end: RecordEnd): string[] {
    if (end.at === "put") return [this.#strong("would be put as it is now")];
    if (end.at === "dropped") return [`dropped by ${calledOf(end.by)}: nothing would be written`];
    if (end.at === "written") return this.#writtenLines(end.record);
    const { stage, className } = end.step;
    const hint = errorHint(end.error);
    return [
      this.#strong(`failed at ${stage} (${className}): ${end.fate}`),
      `  ${javaClassOfError(end.error as Error)}: ${wordsOf(end.error)}`,
      ...(hint === undefined ? [] : [`  hint: ${hint}`]),
    ];
  }

  #writtenLines({ topic, partition, timestampMs, key, value, headers }: WrittenRecord): string[] {
    const where = partition === null ? "" : `, partition ${partition}`;
    const when = timestampMs === null ? "" : `, timestamp ${timestampMs}`;
    return [
      this.#strong(`would be written to topic ${topic}${where}${when}`),
      `  key    ${bytesText(key)}`,
      `  value  ${bytesText(value)}`,
      ...headers.map(({ name, value }) => `  header ${name}: ${bytesText(value)}`),
    ];
  }
}

const resultWords = {
  changed: "changed it",
  unchanged: "changed nothing",
  skipped: "its predicate let the record pass by",
  dropped: "dropped it",
  failed: "failed",
} as const;

function calledOf({ alias, className }: Pick<SeenStep, "alias" | "className">): string {
  return `${alias} (${className})`;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? errorLine(error) : String(error);
}

function bytesText(bytes: Uint8Array | null): string {
  if (bytes === null) return "null";
  const shown = jsonValue(bytes, 0, bytes.length);
  // Control characters would move a terminal's cursor.
  const isPlain = typeof shown === "string" && !/\p{Cc}/u.test(shown);
  const text = isPlain ? shown : JSON.stringify(shown);
  if (text.length <= shownCharactersMax) return text;
  return `${text.slice(0, shownCharactersMax)}… (${bytes.length} bytes)`;
}

/** Numbers stay as they were written, so records are joined as texts. */
function jsonOf(number: number, { place, before, steps, end }: SeenRecord): string {
  const places = Object.entries(place).map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  const stepTexts = steps.map(({ alias, className, result }) => {
    const head = JSON.stringify({ alias, class: className, result: result.at }).slice(0, -1);
    return result.at === "changed" ? `${head},"record":${result.record}}` : `${head}}`;
  });
  return (
    `{"record":${number},"place":{${places.join(",")}},"before":${before},` +
    `"steps":[${stepTexts.join(",")}],"end":${JSON.stringify(endOf(end))}}`
  );
}

function endOf(end: RecordEnd): object {
  if (end.at === "put") return { at: "put" };
  if (end.at === "dropped") return { at: "dropped", by: end.by.alias };
  if (end.at === "failed") {
    const { step, error, fate } = end;
    return {
      at: "failed",
      stage: step.stage,
      class: step.className,
      error: { class: javaClassOfError(error as Error), message: wordsOf(error) },
      fate,
    };
  }
  const { topic, partition, timestampMs, key, value, headers } = end.record;
  const part = (bytes: Uint8Array | null) =>
    bytes === null ? null : jsonValue(bytes, 0, bytes.length);
  return {
    at: "written",
    topic,
    partition,
    timestamp: timestampMs,
    key: part(key),
    value: part(value),
    headers: headers.map(({ name, value }) => ({ key: name, value: part(value) })),
  };
}
