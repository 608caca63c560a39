import { setTimeout as sleep } from "node:timers/promises";
import {
  config,
  DataError,
  type SourceContext,
  type SourceOffset,
  type SourceRecord,
  schema,
  source,
} from "@bulkhead/sdk";
import { type CutLine, LineCutter } from "./line-cutter.ts";
import { jsonText, readJson } from "./plain-json.ts";
import { Program } from "./program.ts";
import { parseRecordLine } from "./record-line.ts";
import { hiderOf, programKeys, programOptions, programProblems, refuse } from "./stdio-keys.ts";

const keys = {
  ...programKeys,
  topic: config.string({
    required: true,
    nonEmpty: true,
    doc: "Where records go that do not name a topic themselves.",
  }),
  format: config.oneOf(["text", "json", "records"], {
    default: "text",
    doc: "What a line is: a value as text, a value as JSON, or a whole record as JSON.",
  }),
  "on.exit": config.oneOf(["end", "restart"], {
    default: "end",
    importance: "medium",
    doc: "After exit status 0: that was all, or the program is started again.",
  }),
  "restart.delay.ms": config.long({
    default: 1000,
    min: 0,
    importance: "low",
    doc: "How long after its exit the program is started again.",
  }),
  "on.bad.line": config.oneOf(["fail", "skip"], {
    default: "fail",
    importance: "medium",
    doc: "What a line does that is no record: it fails the task, or is logged and left out.",
  }),
  "skip.lines": config.boolean({
    default: false,
    importance: "medium",
    doc: "The program always begins at its beginning: lines that are committed are left out.",
  }),
  acks: config.boolean({
    default: false,
    importance: "low",
    doc: "The program is told on its standard input how many of its lines are in Kafka.",
  }),
  "batch.size": config.int({
    default: 1000,
    min: 1,
    importance: "low",
    doc: "How many lines become one batch at most.",
  }),
};

/** The program that runs now, for those who want to tell it something. */
interface Running {
  program: Program | undefined;
}

/** Lines that a program writes to its standard output, as records. */
export const stdioSource = source({
  class: "bulkhead.StdioSource",
  config: keys,
  taskConfigs: ({ texts }) => [texts],
  validate({ config, texts, error }) {
    for (const { key, message } of programProblems(config, texts)) {
      error(isKey(key) ? key : "command", message);
    }
  },
  start: ({ config, texts }): Running => {
    refuse(programProblems(config, texts));
    return { program: undefined };
  },
  read: readRuns,
  acked(records, { config, state: { program } }) {
    const last = records.at(-1) as LineRecord | undefined;
    if (!config.acks || program === undefined || last?.pid !== program.pid) return;
    program.tellLatest(`{"acked":${last.line}}`);
  },
});

const isKey = (key: string): key is keyof typeof keys => Object.hasOwn(keys, key);

type Context = SourceContext<typeof keys, Running>;

/** A record that knows which line of which program it was. */
interface LineRecord extends SourceRecord {
  readonly pid: number;
  readonly line: number;
}

/** Where lines without an offset of their own are counted. */
const ownPartition = { stream: "stdout" };
const textSchema = schema.string();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

async function* readRuns(context: Context): AsyncGenerator<readonly SourceRecord[]> {
  const { config, signal, log } = context;
  const place = new Place(await context.offset(ownPartition), config["skip.lines"]);
  for (;;) {
    const program = await startAt(place, context);
    context.state.program = program;
    try {
      yield* new Lines(program, place, context).batches();
      await program.gone(signal);
    } finally {
      context.state.program = undefined;
      await program.stop("at-once");
    }
    if (signal.aborted) return;
    if (program.exit?.code !== 0) throw new Error(program.exitText() + program.lastWords());
    if (config["on.exit"] === "end") {
      log.info(`${program.exitText()}: there is nothing more to read`);
      return;
    }
    await sleep(config["restart.delay.ms"], undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}

async function startAt(place: Place, context: Context): Promise<Program> {
  const options = programOptions(context);
  const offset = jsonText(place.offset);
  const env = { ...options.env, STDIO_LINES: String(place.lines), STDIO_OFFSET: offset };
  const program = await Program.start({ ...options, env });
  program.tell(`{"sourceOffset":${offset}}`);
  return program;
}

/** How far the program's output has been read, over all its runs. */
class Place {
  readonly #skips: boolean;
  /** The newest of the adapter's own partition; null = none yet. */
  offset: SourceOffset | null;
  /** As the stored offset counts them. */
  lines: number;

  constructor(stored: SourceOffset | null, skips: boolean) {
    this.offset = stored;
    this.#skips = skips;
    const lines = stored?.["lines"];
    this.lines = typeof lines === "number" && Number.isSafeInteger(lines) ? lines : 0;
  }

  /** For the `line`th line of a run: its number, undefined = it was read in an earlier run. */
  numberOf(line: number, linesBefore: number): number | undefined {
    if (!this.#skips) return linesBefore + line;
    return line > linesBefore ? line : undefined;
  }
}

/** The lines of one run of the program. */
class Lines {
  readonly #program: Program;
  readonly #place: Place;
  readonly #context: Context;
  readonly #cutter: LineCutter;
  readonly #linesBefore: number;
  #line = 0;

  constructor(program: Program, place: Place, context: Context) {
    this.#program = program;
    this.#place = place;
    this.#context = context;
    this.#cutter = new LineCutter(context.config["line.bytes.max"]);
    this.#linesBefore = place.lines;
  }

  async *batches(): AsyncGenerator<readonly SourceRecord[]> {
    const { config, signal } = this.#context;
    const most = config["batch.size"];
    for (let over = false; !over; ) {
      const bytes = await this.#program.read(signal);
      if (signal.aborted) return;
      if (bytes !== undefined) this.#cutter.push(bytes);
      else {
        over = true;
        // How it ends decides whether a last line without a line feed counts.
        await this.#program.gone(signal);
        if (signal.aborted) return;
      }
      for (;;) {
        const batch: SourceRecord[] = [];
        const timestamp = Date.now();
        // What a bad line fails comes after the records before it.
        const failure = await this.#fill(batch, most, timestamp, over);
        if (batch.length > 0) yield batch;
        if (failure !== undefined) throw failure;
        if (batch.length < most) break;
      }
    }
  }

  /** The error that ends the reading, where a line is bad. */
  async #fill(
    batch: SourceRecord[],
    most: number,
    timestamp: number,
    over: boolean,
  ): Promise<Error | undefined> {
    while (batch.length < most) {
      const line = this.#cutter.next() ?? (over ? this.#lastLine() : undefined);
      if (line === undefined) return undefined;
      this.#line += 1;
      const number = this.#place.numberOf(this.#line, this.#linesBefore);
      if (number === undefined) continue;
      this.#place.lines = number;
      try {
        const record = this.#read(line, timestamp);
        if (record instanceof Promise) await record;
        else batch.push(record);
      } catch (error) {
        const failure = this.#badLine(line, error);
        if (this.#context.config["on.bad.line"] === "fail") return failure;
        this.#context.log.warn(`left out: ${failure.message}`);
      }
    }
    return undefined;
  }

  #lastLine(): CutLine | undefined {
    const line = this.#cutter.end();
    // A program that failed in the middle of a line has not said it.
    return this.#program.exit?.code === 0 ? line : undefined;
  }

  /** @throws Error that says what is wrong with the line */
  #read(line: CutLine, timestamp: number): LineRecord | Promise<void> {
    const { config } = this.#context;
    if (line.at === "too-long") {
      throw new Error(`it is longer than line.bytes.max, ${config["line.bytes.max"]} bytes`);
    }
    const text = decoded(line.bytes);
    const plain = { topic: config.topic, timestamp, pid: this.#program.pid, line: this.#line };
    switch (config.format) {
      case "text":
        return { ...plain, ...this.#ownOffset(), value: text, valueSchema: textSchema };
      case "json":
        return { ...plain, ...this.#ownOffset(), value: parsed(text) };
      case "records": {
        const said = parseRecordLine(parsed(text), config.topic);
        if (said.at === "question") return this.#answer(said.partition);
        const { record } = said;
        const given = record.timestamp ?? timestamp;
        return { ...plain, ...record, timestamp: given, ...this.#offsetOf(record) };
      }
    }
  }

  #ownOffset(): Pick<SourceRecord, "sourcePartition" | "sourceOffset"> {
    this.#place.offset = { lines: this.#place.lines };
    return { sourcePartition: ownPartition, sourceOffset: this.#place.offset };
  }

  #offsetOf(record: SourceRecord): Pick<SourceRecord, "sourcePartition" | "sourceOffset"> {
    const { sourcePartition, sourceOffset } = record;
    if (!sourceOffset) return this.#ownOffset();
    if (sourcePartition) return { sourcePartition, sourceOffset };
    this.#place.offset = sourceOffset;
    return { sourcePartition: ownPartition, sourceOffset };
  }

  async #answer(sourcePartition: Readonly<Record<string, unknown>>): Promise<void> {
    const sourceOffset = await this.#context.offset(sourcePartition);
    this.#program.tell(jsonText({ sourcePartition, sourceOffset }));
  }

  #badLine(line: CutLine, error: unknown): DataError {
    const hide = hiderOf(this.#context.config.password);
    const start = line.at === "line" ? line.bytes.subarray(0, 200) : line.start;
    const shown = JSON.stringify(hide(start.toString()).slice(0, 100));
    const why = hide(error instanceof Error ? error.message : String(error));
    return new DataError(`line ${this.#line} of the program is no record: ${why}; it is ${shown}`, {
      hint: "mend the program, or leave such lines out with on.bad.line=skip",
    });
  }
}

function decoded(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Error("it is not UTF-8");
  }
}

function parsed(text: string): unknown {
  try {
    return readJson(text);
  } catch {
    throw new Error("it is not JSON");
  }
}
