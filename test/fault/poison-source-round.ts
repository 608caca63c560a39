/**
 * Rounds of killing with poison in a source's records: numbered lines of a file go through a cast into a
 * topic, while the source's plugin, the host or both are killed. A seeded share of the lines is no number.
 * At the end every line is in the topic or in the dead letters, where it is as the plugin sent it.
 */
import assert from "node:assert/strict";
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { type HostProcess, repository, startHost } from "../harness/host-process.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { descendantsOf, isAlive } from "../harness/processes.ts";
import { randomFrom } from "../harness/random-data.ts";
import { waitFor } from "../harness/wait-for.ts";
import { TopicTail } from "./topic-tail.ts";

const victims = ["plugin", "both", "host"] as const;

export interface PoisonSourceOptions {
  readonly directory: string;
  readonly kafka: Kafka;
  readonly place: LogPlace;
  readonly seed: number;
  /** Each kills the next of plugin, both and host. */
  readonly rounds: number;
}

export interface PoisonSourceResult {
  readonly lines: number;
  readonly poison: number;
  /** Records and letters that came more than once. */
  readonly repeated: number;
}

/** @throws Error with the seed and the end of the host's log */
export async function poisonSourceRounds(
  options: PoisonSourceOptions,
): Promise<PoisonSourceResult> {
  const rounds = new PoisonSourceRounds(options);
  try {
    return await rounds.run();
  } catch (error) {
    throw new Error(`seed ${options.seed}: ${rounds.describe(error)}`, { cause: error });
  } finally {
    rounds.end();
  }
}

class PoisonSourceRounds {
  readonly #options: PoisonSourceOptions;
  readonly #random: () => number;
  readonly #file: string;
  readonly #source: string;
  readonly #names: { readonly topic: string; readonly letters: string };
  readonly #tails: { readonly topic: TopicTail; readonly letters: TopicTail };
  readonly #lines = new Set<string>();
  /** How often each line was seen where it belongs. */
  readonly #found = new Map<string, number>();
  readonly #wrong: string[] = [];
  readonly #seen = new Set<number>();
  #host!: HostProcess;

  constructor(options: PoisonSourceOptions) {
    const { place, kafka, directory, seed } = options;
    this.#options = options;
    this.#random = randomFrom(seed);
    this.#file = join(directory, "lines.txt");
    this.#source = place.nameOf("poison-source");
    this.#names = { topic: place.nameOf("cast-lines"), letters: place.nameOf("line-letters") };
    this.#tails = {
      topic: new TopicTail(kafka, this.#names.topic),
      letters: new TopicTail(kafka, this.#names.letters),
    };
  }

  async run(): Promise<PoisonSourceResult> {
    const { kafka, directory, rounds } = this.#options;
    await mkdir(directory, { recursive: true });
    const { topic } = this.#names;
    const asked = { name: topic, partitionCount: 1, replicationFactor: -1, config: {} };
    await kafka.admin.createTopic(asked);
    this.#host = await this.#start();
    await this.#write(300);
    await this.#allSettled();
    await this.#countsAgree();
    for (let round = 0; round < rounds; round += 1) {
      await this.#write(3_000);
      await sleep(this.#random() * 300);
      await this.#kill(victims[round % victims.length] ?? "plugin");
      await this.#write(100);
      await this.#allSettled();
    }
    this.#note();
    assert.equal(await this.#host.stop(), 0, "the host drains and ends well");
    await this.#look();
    assert.deepEqual(this.#wrong, []);
    const repeated = [...this.#found.values()].reduce((sum, times) => sum + times - 1, 0);
    return { lines: this.#lines.size, poison: [...this.#lines].filter(isPoison).length, repeated };
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
    const { directory, place } = this.#options;
    return startHost({
      directory,
      worker: {
        "plugin.path": join(repository, "plugins"),
        "offset.storage.file.filename": join(directory, "offsets"),
        "offset.flush.interval.ms": "200",
        "restart.policy": "on-failure",
        "restart.delay.ms": "50",
        "restart.delay.max.ms": "500",
        "restart.attempts.max": "-1",
        ...(await place.worker(directory)),
      },
      connectors: [
        {
          name: this.#source,
          "connector.class": "FileStreamSource",
          file: this.#file,
          topic: this.#names.topic,
          "batch.size": "50",
          "value.converter": "org.apache.kafka.connect.converters.IntegerConverter",
          transforms: "c",
          "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value",
          "transforms.c.spec": "int32",
          "errors.tolerance": "all",
          "errors.deadletterqueue.topic.name": this.#names.letters,
          "errors.deadletterqueue.topic.replication.factor": "1",
          "errors.deadletterqueue.context.headers.enable": "true",
        },
      ],
    });
  }

  async #write(count: number): Promise<void> {
    let text = "";
    for (let index = 0; index < count; index += 1) {
      const number = this.#lines.size;
      const line = this.#random() < 0.15 ? `no ${number}` : String(number);
      this.#lines.add(line);
      text += `${line}\n`;
    }
    await appendFile(this.#file, text);
  }

  async #kill(victim: (typeof victims)[number]): Promise<void> {
    this.#note();
    if (victim !== "host") {
      const pid = await this.#host.pidOf(this.#source);
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
    if (victim === "plugin") return;
    this.#host.kill();
    await this.#host.exited();
    this.#host = await this.#start();
  }

  async #allSettled(): Promise<void> {
    const missing = () => [...this.#lines].filter((line) => !this.#found.has(line));
    await waitFor(
      async () => {
        await this.#look();
        return missing().length === 0;
      },
      { withinMs: 90_000, everyMs: 50 },
    ).catch((error) => {
      const nowhere = missing();
      throw new Error(`${nowhere.length} of ${this.#lines.size} are nowhere, first ${nowhere[0]}`, {
        cause: error,
      });
    });
  }

  async #look(): Promise<void> {
    for (const { value } of await this.#tails.topic.readOn()) {
      const line = String(value?.readInt32BE(0));
      this.#take(line, isPoison(line));
    }
    for (const { value, headers } of await this.#tails.letters.readOn()) {
      const line = value?.toString() ?? "";
      const isOfThis =
        headers.get("__connect.errors.stage") === "TRANSFORMATION" &&
        headers.get("__connect.errors.connector.name") === this.#source;
      this.#take(line, !isPoison(line) || !isOfThis);
    }
  }

  #take(line: string, isWrong: boolean): void {
    if (isWrong || !this.#lines.has(line)) this.#wrong.push(line);
    this.#found.set(line, (this.#found.get(line) ?? 0) + 1);
  }

  /** I7: without kills the outcomes counted are the records counted. */
  async #countsAgree(): Promise<void> {
    const counted = async () => {
      const tasks = await this.#host.tasks();
      return tasks.find(({ connector }) => connector === this.#source)?.metrics ?? {};
    };
    // A record counts when the broker has answered for it, which is after it can be read.
    const isCounted = async () => {
      const { "source-record-write-total": written = 0, "total-records-skipped": skipped = 0 } =
        await counted();
      return written + skipped >= this.#lines.size;
    };
    await waitFor(isCounted, { withinMs: 30_000, what: "all records to be counted" });
    const metrics = await counted();
    const bad = [...this.#lines].filter(isPoison).length;
    assert.equal(metrics["source-record-poll-total"], this.#lines.size);
    assert.equal(metrics["source-record-write-total"], this.#lines.size - bad);
    assert.equal(metrics["total-records-skipped"], bad);
    assert.equal(metrics["deadletterqueue-produce-requests"], bad);
    assert.equal(metrics["deadletterqueue-produce-failures"], 0);
  }

  #note(): void {
    for (const pid of descendantsOf(this.#host.pid)) this.#seen.add(pid);
  }
}

function isPoison(line: string): boolean {
  return line.startsWith("no ");
}
