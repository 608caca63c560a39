/**
 * Numbered records through a whole host: datagen → a topic of four partitions → a sink of two tasks that
 * writes down what it is given. The producer is idempotent, so the topic must hold each number once;
 * the sink may be given some again, as at-least-once allows.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Admin, TopicPartition } from "../../src/kafka/kafka.ts";
import type { HostProcess, TaskView } from "../harness/host-process.ts";
import { uniqueName } from "../harness/kafka/broker.ts";
import { Notebook } from "../harness/notebook.ts";
import { waitFor } from "../harness/wait-for.ts";

const withinMs = 120_000;
const partitionCount = 4;
const sinkTaskCount = 2;

/** What a worker has to be told so that its flow is exact, and two sink tasks are two processes. */
export const flowWorker: Readonly<Record<string, string>> = {
  ...Notebook.worker,
  "producer.enable.idempotence": "true",
  "producer.max.in.flight.requests.per.connection": "5",
  "plugin.process.per": "task",
};

export class NumberedFlow {
  readonly topic = uniqueName("numbers");
  readonly source = uniqueName("source");
  readonly sink = uniqueName("sink");
  readonly #host: HostProcess;
  readonly #admin: Admin;
  readonly #notebook: Notebook;
  /** By `partition:offset`: the number that was there. */
  readonly #seen = new Map<string, number>();
  #given = 0;

  constructor(host: HostProcess, admin: Admin, directory: string) {
    this.#host = host;
    this.#admin = admin;
    this.#notebook = new Notebook(join(directory, this.sink), sinkTaskCount);
  }

  get partitions(): readonly TopicPartition[] {
    return Array.from({ length: partitionCount }, (_, partition) => ({
      topic: this.topic,
      partition,
    }));
  }

  /** Makes topic and connectors; records of all partitions arrive when it resolves. */
  async start(perSecond = 3_000): Promise<void> {
    await this.makeTopic();
    await this.#host.createConnector(this.source, {
      "connector.class": "bench.DatagenSource",
      topic: this.topic,
      format: "struct",
      "value.converter": "org.apache.kafka.connect.json.JsonConverter",
      "value.converter.schemas.enable": "false",
      rate: String(perSecond),
    });
    await this.#host.createConnector(this.sink, {
      ...this.#notebook.sinkConfig,
      "tasks.max": String(sinkTaskCount),
      topics: this.topic,
    });
    await waitFor(async () => (await this.#ends()).every((end) => end > 0), {
      withinMs,
      what: "records in all partitions",
    });
    await this.caughtUp();
  }

  /** A topic that is being deleted is still in the way for a while. */
  async makeTopic(): Promise<void> {
    const topic = { name: this.topic, partitionCount, replicationFactor: -1, config: {} };
    const make = () => this.#admin.createTopic(topic).catch(() => false);
    await waitFor(make, { withinMs, what: `a new topic ${this.topic}` });
  }

  /** Waits until the topic has so many records more, and all that are there then have arrived. */
  async flows(by: number): Promise<void> {
    const from = await this.#stored();
    await waitFor(async () => (await this.#stored()) >= from + by, {
      withinMs,
      what: `${by} more records in ${this.topic}`,
    });
    await this.caughtUp();
  }

  /** Waits until as many records have arrived as the topic has now. */
  async caughtUp(): Promise<void> {
    const wanted = await this.#stored();
    const has = async () => {
      await this.#look();
      return this.#seen.size >= wanted;
    };
    await waitFor(has, { withinMs, everyMs: 50 }).catch((error) => {
      const text = `${this.#seen.size} of ${wanted} records of ${this.topic} arrived`;
      throw new Error(text, { cause: error });
    });
  }

  /** How many records the sink was given again. */
  get repeated(): number {
    return this.#given - this.#seen.size;
  }

  /** What has arrived so far counts no longer. */
  async countAnew(): Promise<void> {
    await this.#look();
    this.#seen.clear();
    this.#given = 0;
  }

  /**
   * Stops the source and waits for the rest. Every offset must have arrived, and the topic must hold each
   * number once, without a gap. Answers the first number of those that count.
   */
  async countsAgree(): Promise<number> {
    await this.#host.request("PUT", `/connectors/${this.source}/stop`);
    await waitFor(async () => (await this.tasksOf(this.source)).length === 0, {
      withinMs,
      what: `the tasks of ${this.source} to end`,
    });
    await this.caughtUp();
    assert.equal(this.#seen.size, await this.#stored(), "nothing arrived that is not there");
    const numbers = [...this.#seen.values()].sort((one, other) => one - other);
    const [first = 0] = numbers;
    const wrong = numbers.findIndex((number, at) => number !== first + at);
    assert.equal(wrong, -1, `${numbers[wrong - 1]} is followed by ${numbers[wrong]}`);
    return first;
  }

  /** The source goes on after `countsAgree`. */
  async resume(): Promise<void> {
    await this.#host.request("PUT", `/connectors/${this.source}/resume`);
    await this.running();
  }

  async tasksOf(connector: string): Promise<readonly TaskView[]> {
    return (await this.#host.tasks()).filter((task) => task.connector === connector);
  }

  /** Every task's state, the source's first. */
  async states(): Promise<string[]> {
    return (await this.#statuses()).map(({ state }) => state);
  }

  async running(): Promise<void> {
    const isRunning = async () => (await this.states()).join() === "RUNNING,RUNNING,RUNNING";
    await waitFor(isRunning, { withinMs, what: "all tasks to run" });
  }

  /** The trace of a task, once it has failed. */
  async traceOf(connector: string, task = 0): Promise<string> {
    const own = async () =>
      (await this.#statuses()).find((one) => one.connector === connector && one.id === task);
    await waitFor(async () => (await own())?.state === "FAILED", {
      withinMs,
      what: `task ${task} of ${connector} to fail`,
    });
    return (await own())?.trace ?? "";
  }

  /** Starts again what has failed. */
  async restartFailed(): Promise<void> {
    for (const name of [this.source, this.sink]) {
      const path = `/connectors/${name}/restart?includeTasks=true&onlyFailed=true`;
      const { status, body } = await this.#host.request("POST", path);
      assert.ok(status < 300, JSON.stringify(body));
    }
    await this.running();
  }

  /** How many records the topic has. */
  async #stored(): Promise<number> {
    return (await this.#ends()).reduce((sum, end) => sum + end, 0);
  }

  /** A new topic has no leaders at first. */
  async #ends(): Promise<readonly number[]> {
    let ends: readonly number[] = [];
    const ask = async () => {
      ends = await this.#admin.endOffsets(this.partitions).catch(() => []);
      return ends.length > 0;
    };
    await waitFor(ask, { withinMs, what: `the end offsets of ${this.topic}` });
    return ends;
  }

  async #look(): Promise<void> {
    for (const { partition, offset, value } of await this.#notebook.readOn()) {
      this.#given += 1;
      this.#seen.set(`${partition}:${offset}`, JSON.parse(String(value)).id);
    }
  }

  async #statuses() {
    const of = async (connector: string) => {
      const { body } = await this.#host.request("GET", `/connectors/${connector}/status`);
      const tasks = body.tasks as { id: number; state: string; trace?: string }[];
      return tasks.map((task) => ({ connector, ...task }));
    };
    return [...(await of(this.source)), ...(await of(this.sink))];
  }
}
