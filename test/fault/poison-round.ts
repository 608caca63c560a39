/**
 * Rounds of killing with poison in the records: numbered records of a topic go through a converter and a
 * transform into a sink, while its plugin, the host or both are killed. A seeded share of them fails: is
 * not JSON, is JSON without its schema, has a field that cannot be cast, or is given up by the sink. At the
 * end every number is in the sink or in the dead letters, and only poison is in the latter, as it was written.
 */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka, Producer } from "../../src/kafka/kafka.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { type HostProcess, startHost } from "../harness/host-process.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { Notebook } from "../harness/notebook.ts";
import { descendantsOf, isAlive } from "../harness/processes.ts";
import { randomFrom } from "../harness/random-data.ts";
import { waitFor } from "../harness/wait-for.ts";
import { type TailRecord, TopicTail } from "./topic-tail.ts";

const victims = ["plugin", "host", "both"] as const;

/** What may be wrong with a record, and the step that finds it. */
const stages = {
  torn: "VALUE_CONVERTER",
  bare: "VALUE_CONVERTER",
  uncastable: "TRANSFORMATION",
  errant: "TASK_PUT",
} as const;
type Kind = keyof typeof stages;
const kinds = Object.keys(stages) as Kind[];

export interface PoisonOptions {
  readonly directory: string;
  readonly kafka: Kafka;
  readonly place: LogPlace;
  readonly seed: number;
  readonly rounds: number;
}

export interface PoisonResult {
  readonly records: number;
  readonly poison: number;
}

/** @throws Error with the seed and the end of the host's log */
export async function poisonRounds(options: PoisonOptions): Promise<PoisonResult> {
  const rounds = new PoisonRounds(options);
  try {
    return await rounds.run();
  } catch (error) {
    throw new Error(`seed ${options.seed}: ${rounds.describe(error)}`, { cause: error });
  } finally {
    await rounds.end();
  }
}

class PoisonRounds {
  readonly #options: PoisonOptions;
  readonly #random: () => number;
  readonly #producer: Producer;
  readonly #notebook: Notebook;
  readonly #topic: string;
  readonly #sink: string;
  readonly #letters: string;
  /** Of every number that was written: what is wrong with it. */
  readonly #written: (Kind | undefined)[] = [];
  readonly #noted = new Set<number>();
  /** By number: the stages that its letters name. */
  readonly #lettered = new Map<number, Set<string>>();
  readonly #wrongLetters: string[] = [];
  readonly #tail: TopicTail;
  readonly #seen = new Set<number>();
  #host!: HostProcess;

  constructor(options: PoisonOptions) {
    const { place, kafka, directory, seed } = options;
    this.#options = options;
    this.#random = randomFrom(seed);
    this.#topic = place.nameOf("poisoned");
    this.#sink = place.nameOf("taster");
    this.#letters = place.nameOf("poison-letters");
    this.#producer = kafka.producer({ clientId: "poison" });
    this.#notebook = new Notebook(join(directory, "noted"));
    this.#tail = new TopicTail(kafka, this.#letters);
  }

  async run(): Promise<PoisonResult> {
    const { kafka, directory, rounds } = this.#options;
    await mkdir(directory, { recursive: true });
    const topic = { name: this.#topic, partitionCount: 2, replicationFactor: -1, config: {} };
    await kafka.admin.createTopic(topic);
    this.#host = await this.#start();
    await this.#write(300);
    await this.#allSettled();
    await this.#countsAgree();
    const order = this.#shuffled(rounds);
    for (const victim of order) {
      await this.#write(300);
      await sleep(this.#random() * 300);
      await this.#kill(victim);
      await this.#write(100);
      await this.#allSettled();
    }
    this.#note();
    assert.equal(await this.#host.stop(), 0, "the host drains and ends well");
    await this.#look();
    this.#check();
    await this.#committedAll();
    const poison = this.#written.filter((kind) => kind !== undefined).length;
    return { records: this.#written.length, poison };
  }

  describe(error: unknown): string {
    const log = this.#host?.log.slice(-40).join("\n") ?? "";
    return `${error instanceof Error ? error.message : String(error)}\n${log}`;
  }

  async end(): Promise<void> {
    this.#host?.kill();
    for (const pid of this.#seen) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    await this.#producer.close(10_000);
  }

  async #start(): Promise<HostProcess> {
    const { directory, place } = this.#options;
    return startHost({
      directory,
      worker: {
        ...Notebook.worker,
        "restart.policy": "on-failure",
        "restart.delay.ms": "50",
        "restart.delay.max.ms": "500",
        "restart.attempts.max": "-1",
        ...(await place.worker(directory)),
        // A killed host's place in the group is free when its session is over.
        "consumer.session.timeout.ms": "6000",
        "consumer.heartbeat.interval.ms": "1000",
      },
      connectors: [
        {
          name: this.#sink,
          ...this.#notebook.sinkConfig,
          topics: this.#topic,
          "value.converter": "org.apache.kafka.connect.json.JsonConverter",
          transforms: "c",
          "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value",
          "transforms.c.spec": "x:int8",
          "errors.tolerance": "all",
          // Kills may hit the same records again and again; none of them is to blame.
          "errors.quarantine.crashes": "0",
          "errors.deadletterqueue.topic.name": this.#letters,
          "errors.deadletterqueue.topic.replication.factor": "1",
          "errors.deadletterqueue.context.headers.enable": "true",
        },
      ],
    });
  }

  /** The key is the number, whatever the value is. */
  async #write(count: number): Promise<void> {
    const record = newRecordSlice();
    record.topic = this.#topic;
    const failures: Error[] = [];
    const receipt = {
      stored: () => {},
      failed: (_1: unknown, _2: unknown, _3: unknown, error: Error) => failures.push(error),
    };
    for (let index = 0; index < count; index += 1) {
      const number = this.#written.length;
      const kind =
        this.#random() < 0.15 ? kinds[Math.floor(this.#random() * kinds.length)] : undefined;
      this.#written.push(kind);
      record.partition = number % 2;
      place(record.key, String(number));
      place(record.value, valueText(number, kind));
      this.#producer.send(record, receipt, index);
    }
    await this.#producer.flush();
    assert.deepEqual(failures, []);
  }

  async #kill(victim: (typeof victims)[number]): Promise<void> {
    this.#note();
    if (victim !== "host") {
      const pid = await this.#host.pidOf(this.#sink);
      if (isAlive(pid)) process.kill(pid, "SIGKILL");
    }
    if (victim === "plugin") return;
    this.#host.kill();
    await this.#host.exited();
    this.#host = await this.#start();
  }

  async #allSettled(): Promise<void> {
    const isIn = (number: number) => this.#noted.has(number) || this.#lettered.has(number);
    const missing = () => this.#written.findIndex((_, number) => !isIn(number));
    await waitFor(
      async () => {
        await this.#look();
        return missing() < 0;
      },
      { withinMs: 90_000, everyMs: 50 },
    ).catch((error) => {
      const count = this.#written.filter((_, number) => !isIn(number)).length;
      throw new Error(`${count} of ${this.#written.length} are nowhere, first ${missing()}`, {
        cause: error,
      });
    });
  }

  async #look(): Promise<void> {
    for (const { value } of await this.#notebook.readOn()) {
      this.#noted.add((value as { n: number }).n);
    }
    await this.#readLetters();
  }

  async #readLetters(): Promise<void> {
    for (const letter of await this.#tail.readOn()) this.#takeLetter(letter);
  }

  #takeLetter({ key, value, headers }: TailRecord): void {
    const number = Number(key);
    const of = (name: string) => headers.get(`__connect.errors.${name}`);
    const found = [
      value?.toString(),
      of("topic"),
      of("partition"),
      of("offset"),
      of("connector.name"),
    ];
    const wanted = [
      valueText(number, this.#written[number]),
      ...[this.#topic, String(number % 2), String(Math.floor(number / 2)), this.#sink],
    ];
    if (found.join() !== wanted.join()) {
      this.#wrongLetters.push(`${number}: ${found.join()} instead of ${wanted.join()}`);
    }
    const seen = this.#lettered.get(number) ?? new Set();
    this.#lettered.set(number, seen.add(of("stage") ?? "none"));
  }

  /** I7: without kills the outcomes counted are the records counted. */
  async #countsAgree(): Promise<void> {
    const ofStage = (stage: string) =>
      this.#written.filter((kind) => kind !== undefined && stages[kind] === stage).length;
    const unreadable = ofStage("VALUE_CONVERTER") + ofStage("TRANSFORMATION");
    const total = this.#written.length;
    const metrics = () =>
      this.#host
        .tasks()
        .then((tasks) => tasks.find(({ connector }) => connector === this.#sink)?.metrics ?? {});
    // A put counts when it is answered, which is after its records were noted.
    const isCounted = async () =>
      ((await metrics())["sink-record-send-total"] ?? 0) >= total - unreadable;
    await waitFor(isCounted, { withinMs: 30_000, what: "all records to be counted" });
    const counted = await metrics();
    assert.equal(counted["sink-record-read-total"], total);
    assert.equal(counted["total-records-skipped"], unreadable);
    assert.equal(counted["sink-record-send-total"], total - unreadable);
    assert.equal(counted["deadletterqueue-produce-requests"], unreadable + ofStage("TASK_PUT"));
    assert.equal(counted["deadletterqueue-produce-failures"], 0);
  }

  #check(): void {
    const wrong = this.#written.flatMap((kind, number) => {
      const letters = [...(this.#lettered.get(number) ?? [])].join();
      const isNoted = this.#noted.has(number);
      return isNoted === (kind === undefined) &&
        letters === (kind === undefined ? "" : stages[kind])
        ? []
        : [
            `${number}: ${kind ?? "good"}, ${isNoted ? "in the sink" : "not in the sink"}, letters of ${letters}`,
          ];
    });
    assert.deepEqual(wrong, []);
    assert.deepEqual(this.#wrongLetters, []);
  }

  async #committedAll(): Promise<void> {
    const { kafka } = this.#options;
    const offsets = await kafka.admin.groupOffsets(`connect-${this.#sink}`);
    for (const partition of [0, 1]) {
      const [end] = await kafka.admin.endOffsets([{ topic: this.#topic, partition }]);
      assert.equal(offsets.find((one) => one.partition === partition)?.offset, end);
    }
  }

  /** Each victim as often as the others, in an order of the seed's. */
  #shuffled(rounds: number): (typeof victims)[number][] {
    const order: (typeof victims)[number][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const left = victims.filter((one) => {
        const done = order.filter((each) => each === one).length;
        return done <= Math.floor(round / victims.length);
      });
      const fresh = left.filter((one) => !order.slice(round - (round % 3)).includes(one));
      order.push(fresh[Math.floor(this.#random() * fresh.length)] ?? "plugin");
    }
    return order;
  }

  #note(): void {
    for (const pid of descendantsOf(this.#host.pid)) this.#seen.add(pid);
  }
}

function valueText(n: number, kind: Kind | undefined): string {
  switch (kind) {
    case "torn":
      return `{bad ${n}`;
    case "bare":
      return JSON.stringify({ n, x: "1" });
    case "uncastable":
      return envelope({ n, x: "many", errant: false });
    case "errant":
      return envelope({ n, x: "1", errant: true });
    default:
      return envelope({ n, x: "1", errant: false });
  }
}

function envelope(payload: object): string {
  const field = (name: string, type: string) => ({ field: name, type, optional: false });
  const fields = [field("n", "int32"), field("x", "string"), field("errant", "boolean")];
  return JSON.stringify({ schema: { type: "struct", optional: false, fields }, payload });
}

function place(slice: { bytes: Uint8Array; start: number; end: number }, text: string): void {
  slice.bytes = Buffer.from(text);
  slice.start = 0;
  slice.end = slice.bytes.length;
}
