/** Records that Kafka's own Java client writes: transactions, compressed batches, keys to be compacted. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { waitFor } from "../wait-for.ts";
import { startJavaProgram } from "./java-tool.ts";

const program = fileURLToPath(new URL("RecordWriter.java", import.meta.url));
const stepsMsMax = 60_000;

/** One `RecordWriter.java` for all the steps of a test file: its start takes longer than they do. */
export class RecordWriter {
  readonly #child: ChildProcess;
  #said = "";
  #complaint = "";
  #asked = 0;
  /** It has ended and all that it said is here. */
  #isOver = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (chunk) => {
      this.#said += chunk;
    });
    child.stderr?.on("data", (chunk) => {
      this.#complaint = (this.#complaint + chunk).slice(-8_000);
    });
    child.stdin?.on("error", () => {});
    child.once("close", () => {
      this.#isOver = true;
    });
  }

  /** It ends with this process, if nobody closes it before. */
  static async start(bootstrap: string): Promise<RecordWriter> {
    return new RecordWriter(await startJavaProgram(program, [bootstrap]));
  }

  /** Runs steps, one after the other. @throws Error with what the program said */
  async write(steps: readonly string[]): Promise<void> {
    this.#child.stdin?.write(`${[...steps, "tell"].join("\n")}\n`);
    this.#asked += 1;
    const answers = () => this.#said.split("\n").length - 1;
    await waitFor(() => answers() >= this.#asked || this.#isOver, {
      withinMs: stepsMsMax,
      what: `RecordWriter to do ${steps.length} steps`,
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#complaint}`);
    });
    if (answers() < this.#asked) throw new Error(`RecordWriter has ended:\n${this.#complaint}`);
  }

  /** Transactions of producers whose name ends with `-open` stay open. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin?.end();
    await exited;
  }
}
