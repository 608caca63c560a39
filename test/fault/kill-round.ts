/**
 * Rounds of killing: lines of a file travel through a source plugin, the host and a sink plugin
 * into another file while one of the three is killed again and again with SIGKILL. At the end of each
 * round every line must be in the sink file, first occurrences in order, and at last no process may be
 * left.
 */
import assert from "node:assert/strict";
import { appendFile, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostProcess, startHost } from "../harness/host-process.ts";
import { inFolder, type LogPlace } from "../harness/log-place.ts";
import { descendantsOf, isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

export type Victim = "source plugin" | "sink plugin" | "host";

export interface RoundOptions {
  readonly directory: string;
  readonly victim: Victim;
  readonly seed: number;
  /** In each round. */
  readonly kills: number;
  /** With one host, as long as that is not the victim; 1 unless told. */
  readonly rounds?: number;
  /** One of its own for each call. */
  readonly place?: LogPlace;
}

/** What a round saw, for the report of long runs. */
export interface RoundResult {
  readonly lines: number;
  readonly repeated: number;
}

export async function killRound(options: RoundOptions): Promise<RoundResult> {
  const round = new Round(options);
  try {
    return await round.run();
  } catch (error) {
    throw new Error(`seed ${options.seed}, victim ${options.victim}: ${round.describe(error)}`, {
      cause: error,
    });
  } finally {
    round.end();
  }
}

class Round {
  readonly #options: RoundOptions;
  readonly #random: () => number;
  readonly #source: string;
  readonly #sink: string;
  readonly #seen = new Set<number>();
  #host!: HostProcess;
  #lines = 0;

  constructor(options: RoundOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#source = join(options.directory, "source.txt");
    this.#sink = join(options.directory, "sink.txt");
  }

  async run(): Promise<RoundResult> {
    await this.#append();
    this.#host = await this.#start();
    const { kills, rounds = 1 } = this.#options;
    for (let round = 1; round <= rounds; round += 1) {
      for (let kill = 0; kill < kills; kill += 1) {
        await this.#untilLinesArrive();
        await this.#keepWriting(50 + this.#random() * 500);
        await this.#kill();
      }
      await this.#keepWriting(100);
      await this.#untilAllArrived();
    }
    this.#note();
    assert.equal(await this.#host.stop(), 0, "the host drains and ends well");
    const wanted = await linesOf(this.#source);
    const repeated = checkLines(wanted, await linesOf(this.#sink));
    await this.#checkNothingLeft();
    return { lines: wanted.length, repeated };
  }

  async #untilAllArrived(): Promise<void> {
    const wanted = await linesOf(this.#source);
    const last = wanted.at(-1);
    await waitFor(async () => (await linesOf(this.#sink)).lastIndexOf(last as string) >= 0, {
      withinMs: 60_000,
      everyMs: 100,
      what: `line ${last} in the sink file`,
    });
    checkLines(wanted, await linesOf(this.#sink));
  }

  describe(error: unknown): string {
    const log = this.#host?.log.slice(-40).join("\n") ?? "";
    return `${error instanceof Error ? error.message : String(error)}\n${log}`;
  }

  end(): void {
    this.#host?.kill();
    for (const pid of this.#seen) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  }

  async #start(): Promise<HostProcess> {
    const file = "org.apache.kafka.connect.file.FileStream";
    const { directory, place = inFolder } = this.#options;
    return startHost({
      directory,
      worker: {
        "restart.policy": "on-failure",
        "restart.delay.ms": "50",
        "restart.delay.max.ms": "500",
        "restart.attempts.max": "-1",
        ...(await place.worker(directory)),
        // A killed host's place in a group of a cluster is free when its session is over.
        "consumer.session.timeout.ms": "6000",
        "consumer.heartbeat.interval.ms": "1000",
      },
      connectors: [
        {
          name: this.#name("source"),
          "connector.class": `${file}SourceConnector`,
          file: this.#source,
          topic: this.#name("lines"),
        },
        {
          name: this.#name("sink"),
          "connector.class": `${file}SinkConnector`,
          file: this.#sink,
          topics: this.#name("lines"),
        },
      ],
    });
  }

  #name(what: string): string {
    return (this.#options.place ?? inFolder).nameOf(what);
  }

  /** A kill before anything moves would prove nothing. */
  async #untilLinesArrive(): Promise<void> {
    const before = await sizeOf(this.#sink);
    await waitFor(
      async () => {
        await this.#append();
        return (await sizeOf(this.#sink)) > before;
      },
      { withinMs: 30_000, what: "lines to arrive in the sink file" },
    );
  }

  async #kill(): Promise<void> {
    this.#note();
    if (this.#options.victim === "host") {
      this.#host.kill();
      await this.#host.exited();
      this.#host = await this.#start();
      return;
    }
    const connector = this.#name(this.#options.victim === "source plugin" ? "source" : "sink");
    await waitFor(async () => killed(await this.#host.pidOf(connector)), {
      withinMs: 30_000,
      what: `a process of ${connector} to kill`,
    });
  }

  /** Lines are of one length, so that a torn one is never mistaken for another. */
  async #append(): Promise<void> {
    const count = 1 + Math.floor(this.#random() * 400);
    let text = "";
    for (let index = 0; index < count; index += 1) {
      this.#lines += 1;
      text += `line ${String(this.#lines).padStart(9, "0")}\n`;
    }
    await appendFile(this.#source, text);
  }

  async #keepWriting(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs) {
      await this.#append();
      await sleep(10);
    }
  }

  #note(): void {
    for (const pid of descendantsOf(this.#host.pid)) this.#seen.add(pid);
  }

  async #checkNothingLeft(): Promise<void> {
    await waitFor(() => ![...this.#seen].some(isAlive), {
      withinMs: 20_000,
      what: `the processes ${[...this.#seen].filter(isAlive).join(", ")} to end`,
    });
  }
}

/** False when it was gone already: the process was being replaced. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** Every wanted line is there, first occurrences in order. Answers how many came again. */
function checkLines(wanted: readonly string[], got: readonly string[]): number {
  const known = new Set(wanted);
  const first = new Set(got.filter((line) => known.has(line)));
  const missing = wanted.filter((line) => !first.has(line));
  assert.deepEqual(missing.slice(0, 5), [], `${missing.length} lines are missing`);
  assert.deepEqual([...first], wanted, "first occurrences are in order");
  return got.length - first.size;
}

function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
