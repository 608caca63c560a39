/** `bulkhead transform`: tries the transforms of a connector on records, without running anything. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { styleText } from "node:util";
import { errnoWords } from "../base/errno.ts";
import { ConfigError, HostError, RecordError } from "../base/error.ts";
import { jsonLines } from "../cli/json-lines.ts";
import { plainSides, type SideStyle, sideBySide } from "../cli/side-by-side.ts";
import type { SubmittedConfig } from "../config/parse.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { parseExactJson } from "../record/exact-json.ts";
import { javaClassOfError } from "../record/java-error.ts";
import { readRecord, readValue, writeRecord } from "../record/tagged-json.ts";
import { createSteps } from "../transform/chain.ts";
import { applyStep, type Step } from "../transform/step.ts";
import { readConnectorFile } from "./connector-file.ts";
import { readerGone } from "./reader-gone.ts";
import { answerLines } from "./transform-lines.ts";

export interface TransformOptions {
  /** A file of records; without it stdin. */
  readonly records?: string;
  /** `key=value`, over the file's. */
  readonly set?: readonly string[];
  readonly kind: "sink" | "source";
  readonly jsonLines?: boolean;
}

const terminalColumns = 120;
const recordMembers = [
  "kind",
  "topic",
  "partition",
  "offset",
  "timestamp",
  "key",
  "value",
  "headers",
];

/**
 * Shows each record before and after the transforms; answers with the exit status: 1 when one failed.
 * @throws ConfigError for a config that cannot be used, with the words that a worker has for it
 */
export async function transformCommand(
  file: string | undefined,
  options: TransformOptions,
): Promise<number> {
  if (options.jsonLines === true) {
    await answerLines(process.stdin, process.stdout, readerGone());
    return 0;
  }
  const steps = createSteps(await configOf(file, options.set ?? []));
  const viewer = new Viewer(steps);
  const gone = readerGone();
  let line = 0;
  for await (const text of createInterface({ input: await inputOf(options.records) })) {
    line += 1;
    if (gone.aborted) break;
    if (text.trim() !== "") viewer.show(recordOf(text, line, options.kind));
  }
  viewer.end();
  return viewer.failed === 0 ? 0 : 1;
}

async function configOf(
  file: string | undefined,
  set: readonly string[],
): Promise<SubmittedConfig> {
  const config = file === undefined ? {} : (await readConnectorFile(file)).config;
  const over = set.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1)];
    throw new ConfigError("config.invalid", `cannot set ${text}: write key=value`);
  });
  const all = { ...config, ...Object.fromEntries(over) };
  if ((all["transforms"] ?? "").trim() !== "") return all;
  throw new ConfigError("config.invalid", "there are no transforms to try", {
    hint: "name a connector file that has the key transforms, or give the keys with --set",
  });
}

async function inputOf(records: string | undefined): Promise<NodeJS.ReadableStream> {
  if (records === undefined) return process.stdin;
  const stream = createReadStream(records);
  return new Promise((resolve, reject) => {
    stream.once("open", () => resolve(stream));
    stream.once("error", (cause) => {
      const words = errnoWords(cause) ?? cause.message;
      reject(
        new ConfigError("config.file_unreadable", `cannot read records from ${records}: ${words}`),
      );
    });
  });
}

/** A whole record in the notation of `--json-lines`, or any JSON as the value of one. */
function recordOf(text: string, line: number, kind: "sink" | "source"): ConnectRecord {
  try {
    const json = parseExactJson(text);
    const isRecord =
      json instanceof Map && [...json.keys()].every((name) => recordMembers.includes(name));
    const value = isRecord ? json.get("value") : undefined;
    if (isRecord && (value === undefined || (value instanceof Map && value.has("value")))) {
      return readRecord(json.has("kind") ? json : new Map([...json, ["kind", kind]]));
    }
    const record = readRecord(new Map([["kind", kind]]));
    record.value = { schema: null, value: readValue(null, json) };
    return record;
  } catch (cause) {
    throw new ConfigError("command.line_invalid", `cannot read line ${line} as a record`, {
      cause,
    });
  }
}

class Viewer {
  failed = 0;
  #shown = 0;
  #dropped = 0;
  readonly #steps: readonly Step[];
  readonly #columns = process.stdout.columns ?? terminalColumns;
  readonly #style: SideStyle;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    const isColoured = process.stdout.isTTY === true && !process.env["NO_COLOR"];
    this.#style = isColoured
      ? { left: (text) => styleText("red", text), right: (text) => styleText("green", text) }
      : plainSides;
  }

  show(record: ConnectRecord): void {
    this.#shown += 1;
    const before = jsonLines(writeRecord(record));
    const end = this.#run(record);
    process.stdout.write(`record ${this.#shown}${end === undefined ? "" : `: ${end}`}\n`);
    const after = end === undefined ? jsonLines(writeRecord(record)) : [];
    const lines = sideBySide(before, after, this.#columns, this.#style);
    process.stdout.write(`${lines.join("\n")}\n\n`);
  }

  end(): void {
    const { failed } = this;
    const records = this.#shown === 1 ? "1 record" : `${this.#shown} records`;
    process.stderr.write(`${records}: ${this.#dropped} dropped, ${failed} failed\n`);
  }

  /** Undefined when the record came through, else what became of it. */
  #run(record: ConnectRecord): string | undefined {
    for (const step of this.#steps) {
      const called = `${step.alias} (${step.className})`;
      try {
        if (applyStep(step, record)) continue;
        this.#dropped += 1;
        return `dropped by ${called}`;
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        this.failed += 1;
        const kind = error instanceof RecordError ? "failed at" : "stopped at";
        return `${kind} ${called}: ${javaClassOfError(error)}: ${error.message}`;
      }
    }
    return undefined;
  }
}
