import {
  config,
  DataError,
  RecordErrors,
  type RecordFault,
  type SinkContext,
  type SinkRecord,
  sink,
} from "@bulkhead/sdk";
import { AnswerReader, OpenRecords } from "./answers.ts";
import { LastLines } from "./last-lines.ts";
import { Program } from "./program.ts";
import { jsonLine, recordLine, textLine } from "./sink-line.ts";
import {
  hiderOf,
  type Problem,
  programKeys,
  programOptions,
  programProblems,
  refuse,
} from "./stdio-keys.ts";

const keys = {
  ...programKeys,
  format: config.oneOf(["text", "json", "records"], {
    default: "text",
    doc: "What a line is: the value as text, the value as JSON, or the whole record as JSON.",
  }),
  acknowledge: config.oneOf(["none", "record", "batch", "exit"], {
    default: "none",
    doc: "How the program says that records are stored: not at all, by a line for records or a batch of them, or by ending with status 0.",
  }),
  "program.timeout.ms": config.long({
    default: 60_000,
    min: 0,
    importance: "medium",
    doc: "How long the program may read nothing, or leave an answer due; 0 = for ever.",
  }),
};

/** Records as lines on a program's standard input. */
export const stdioSink = sink({
  class: "bulkhead.StdioSink",
  config: keys,
  taskConfigs: ({ texts, tasksMax }) => Array.from({ length: tasksMax }, () => texts),
  validate({ config, texts, error }) {
    for (const { key, message } of sinkProblems(config, texts)) {
      error(isKey(key) ? key : "command", message);
    }
  },
  async start(context) {
    refuse(sinkProblems(context.config, context.texts));
    const output = new Output(context);
    // One that ends at every flush has nothing to do before there are records.
    if (context.config.acknowledge !== "exit") await output.program();
    return output;
  },
  async put(records, { state: output }) {
    if (records.length > 0) await output.put(records);
    else await output.check();
  },
  flush: (_, { state: output }) => output.flush(),
  stop: ({ state: output }) => output.stop(),
});

const isKey = (key: string): key is keyof typeof keys => Object.hasOwn(keys, key);

type Context = Omit<SinkContext<typeof keys>, "state">;

function sinkProblems(
  config: Parameters<typeof programProblems>[0] & {
    readonly format?: string | undefined;
    readonly acknowledge?: string | undefined;
  },
  texts: Context["texts"],
): Problem[] {
  const problems = programProblems(config, texts);
  if (config.acknowledge === "batch" && config.format !== "records") {
    const message = "acknowledge=batch needs format=records: only there a line can end a batch";
    problems.push({ key: "acknowledge", message });
  }
  return problems;
}

/** The program of one task, started again where a flush ends it. */
class Output {
  readonly #context: Context;
  #program: Program | undefined;
  #open = new OpenRecords();
  #answers = new AnswerReader();

  constructor(context: Context) {
    this.#context = context;
  }

  async program(): Promise<Program> {
    if (this.#program !== undefined) return this.#program;
    const { acknowledge } = this.#context.config;
    const program = await Program.start(programOptions(this.#context));
    this.#program = program;
    this.#open = new OpenRecords();
    this.#answers = new AnswerReader();
    // Else its output is answers, which a put reads.
    if (acknowledge === "none" || acknowledge === "exit") void this.#logOutput(program);
    return program;
  }

  /** @throws RecordErrors for those that are no line, or that the program has refused */
  async put(records: readonly SinkRecord[]): Promise<void> {
    const { config, signal } = this.#context;
    const program = await this.program();
    const { lines, given, faults } = this.#linesOf(records);
    if (given.length > 0) {
      const written = program.write(Buffer.from(lines), signal, config["program.timeout.ms"]);
      if (config.acknowledge === "record" || config.acknowledge === "batch") {
        // A program that answers while it reads must not wait for the one who writes.
        await Promise.all([written, this.#answered(program)]);
        for (const { index, error } of this.#open.failed) {
          faults.push({ record: given[index] as number, error: new DataError(this.#hide(error)) });
        }
      } else await written;
    }
    if (faults.length > 0) throw new RecordErrors(faults);
  }

  /** Lines for those that can be one; `given` has their places in the batch. */
  #linesOf(records: readonly SinkRecord[]) {
    const { format, acknowledge } = this.#context.config;
    const faults: RecordFault[] = [];
    const given: number[] = [];
    let lines = "";
    // Ids are for those that the program gets, so that a program may simply count.
    let id = this.#open.expect(0);
    for (const record of records) {
      try {
        const line =
          format === "records"
            ? recordLine(record, id)
            : format === "json"
              ? jsonLine(record)
              : textLine(record);
        lines += `${line}\n`;
        given.push(record.index);
        id += 1;
      } catch (error) {
        faults.push({ record: record.index, error });
      }
    }
    this.#open.expect(given.length);
    if (acknowledge === "batch" && given.length > 0) lines += `{"batch":${id - 1}}\n`;
    return { lines, given, faults };
  }

  async #answered(program: Program): Promise<void> {
    const { config, signal } = this.#context;
    const ms = config["program.timeout.ms"];
    while (!this.#open.allAnswered) {
      const what =
        `the program has not answered record ${this.#open.firstOpen} within ${ms} ms; ` +
        "does it write its answers out at once?";
      const bytes = await program.during(program.read(signal), signal, ms, what, false);
      if (bytes === undefined) throw await program.endedEarly("has closed its output");
      this.#take(bytes);
    }
  }

  #take(bytes: Buffer): void {
    try {
      this.#answers.read(bytes, (answer) => this.#open.take(answer));
    } catch (error) {
      throw new Error(this.#hide(error instanceof Error ? error.message : String(error)));
    }
  }

  #hide(text: string): string {
    return hiderOf(this.#context.config.password)(text);
  }

  /** @throws Error when the program has ended though nobody asked it to */
  async check(): Promise<void> {
    if (this.#program?.exit === undefined || this.#context.config.acknowledge === "exit") return;
    throw await this.#program.endedEarly("has ended");
  }

  /** With acknowledge=exit: the program ends well. Else a put has seen to all. */
  async flush(): Promise<void> {
    const { config, signal } = this.#context;
    const program = this.#program;
    if (program === undefined) return;
    if (config.acknowledge !== "exit") {
      await this.check();
      return;
    }
    const ms = config["program.timeout.ms"];
    const what = `the program has not ended within ${ms} ms of the end of its input`;
    program.endInput();
    try {
      await program.during(program.exited, signal, ms, what, false);
    } finally {
      this.#program = undefined;
      await program.stop("after-input");
    }
    if (program.exit?.code !== 0) throw new Error(program.exitText() + program.lastWords());
  }

  async stop(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    if (program === undefined) return;
    await program.stop("after-input");
    if (program.exit?.code === 0) return;
    this.#context.log.warn(`when it was stopped, ${program.exitText()}${program.lastWords()}`);
  }

  async #logOutput(program: Program): Promise<void> {
    const { signal, log } = this.#context;
    const lines = new LastLines((line) => log.info(this.#hide(line)));
    for (;;) {
      const bytes = await program.read(signal);
      if (bytes === undefined) break;
      lines.push(bytes);
    }
    lines.end();
  }
}
