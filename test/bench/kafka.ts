/**
 * Our Kafka client beside kafkajs' own producer and consumer and beside Kafka's own Java tools, against
 * one local broker; then the whole path through a host. Each arm is a process of its own.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { type KafkaJars, kafkaJars } from "../harness/kafka/kafka-jars.ts";
import type { BenchOptions } from "./bench.ts";
import type { Figure, Row, Section } from "./figure.ts";
import type { ClientCost, ClientTask } from "./kafka-client.ts";
import { javaCost } from "./kafka-java.ts";
import { type PathLog, pathThrough } from "./path.ts";

const program = fileURLToPath(new URL("kafka-client.ts", import.meta.url));
const armMsMax = 300_000;
const million = 1_000_000;

/** What all arms of a section do. The aims are parts of what kafkajs takes. */
interface Contest extends Pick<ClientTask, "does" | "recordBytes" | "recordsPerRequest"> {
  readonly records: number;
  readonly kafkajsAim?: number;
}

const contests: readonly Contest[] = [
  { does: "produce", recordBytes: 100, recordsPerRequest: 150, kafkajsAim: 1 / 8 },
  { does: "produce", recordBytes: 100, recordsPerRequest: 1_000, kafkajsAim: 1 / 15 },
  { does: "produce", recordBytes: 1_024, recordsPerRequest: 150 },
  { does: "produce", recordBytes: 1_024, recordsPerRequest: 1_000 },
  { does: "consume", recordBytes: 100, recordsPerRequest: 150, kafkajsAim: 1 / 3 },
  { does: "consume", recordBytes: 1_024, recordsPerRequest: 150, kafkajsAim: 1 / 3 },
].map(
  // A consumer needs 200,000 records, the fifth that is not counted, until it is compiled.
  (contest) => {
    const isLarge = contest.does === "produce" && contest.recordBytes > 500;
    return { ...contest, records: isLarge ? 300_000 : million } as Contest;
  },
);

const clients = ["bulkhead", "bulkhead again", "kafkajs", "java"] as const;
type Client = (typeof clients)[number];
const names: Readonly<Record<Client, string>> = {
  bulkhead: "Bulkhead",
  "bulkhead again": "Bulkhead again",
  kafkajs: "kafkajs",
  java: "Java",
};

/** All sections; one broker serves them. */
export async function kafka(options: BenchOptions): Promise<Section[]> {
  const { jars, missing } = await kafkaJars();
  if (jars === undefined) throw new Error(`the benchmark kafka needs a broker: ${missing}`);
  // 1,000 records of 1 KiB are more than a broker takes by default.
  const config = { "message.max.bytes": "8000000" };
  const broker = await startBroker({ heapMbMax: 512, config });
  const port = await openKafka({
    bootstrapServers: broker.bootstrap,
    config: {},
    clientId: "bench",
    logger: silentLogger(),
  });
  try {
    const stage = new Stage(broker, port, jars);
    const sections: Section[] = [];
    for (const contest of contests) sections.push(await compare(contest, stage, options));
    const log = () => stage.hostLog();
    return [...sections, ...(await pathThrough("Kafka", log, options))];
  } finally {
    await port.close();
    await broker.stop();
  }
}

async function compare(contest: Contest, stage: Stage, options: BenchOptions): Promise<Section> {
  const { rounds = 3, say } = options;
  const records = options.records ?? contest.records;
  const { does, recordBytes, recordsPerRequest } = contest;
  const size = recordBytes === 1_024 ? "1 KiB" : `${recordBytes} B`;
  const title = `${does} ${size} records, ${recordsPerRequest} a batch`;
  const costs = new Map(clients.map((client) => [client, [] as ClientCost[]]));
  const filled = does === "consume" ? await stage.filledTopic({ ...contest, records }) : undefined;
  for (let round = 1; round <= rounds; round += 1) {
    for (const client of clients) {
      const cost = await stage.run(client, { ...contest, records }, filled);
      costs.get(client)?.push(cost);
      const said = `${(cost.records / cost.seconds / 1_000).toFixed()} k/s, CPU ${perMillion(cost).toFixed(2)} s/million`;
      say(`kafka: ${title}, round ${round}, ${names[client]}: ${said}`);
    }
  }
  if (filled !== undefined) await stage.drop(filled);
  return { title, rows: clients.map((client) => rowOf(client, contest, costs)) };
}

function rowOf(client: Client, contest: Contest, all: ReadonlyMap<Client, ClientCost[]>): Row {
  const costs = all.get(client) ?? [];
  const rates = costs.map(({ records, seconds }) => records / seconds);
  const figures: Figure[] = [
    { what: "", unit: "k/s", values: rates.map((rate) => rate / 1_000) },
    { what: "", unit: "MB/s", values: rates.map((rate) => (rate * contest.recordBytes) / million) },
    { what: "CPU", unit: "s/million", values: costs.map(perMillion) },
  ];
  if (client !== "bulkhead" && client !== "bulkhead again") return { name: names[client], figures };
  const partOf = (other: Client) =>
    costs.map((cost, round) => perMillion(cost) / perMillion(all.get(other)?.[round]));
  const aim = contest.kafkajsAim;
  const ofKafkajs = { what: "CPU is", unit: "of kafkajs'", values: partOf("kafkajs") };
  const ofJava = { what: "and", unit: "of Java's", values: partOf("java") };
  figures.push(aim === undefined ? ofKafkajs : { ...ofKafkajs, aim: Number(aim.toFixed(3)) });
  figures.push(contest.does === "produce" ? { ...ofJava, aim: 1 } : ofJava);
  return { name: names[client], figures };
}

function perMillion(cost: ClientCost | undefined): number {
  return ((cost?.cpuSeconds ?? Number.NaN) / (cost?.records ?? 1)) * million;
}

type Run = Pick<Contest, "does" | "recordBytes" | "recordsPerRequest" | "records">;

/** The broker, and who works with it. */
class Stage {
  readonly #broker: Broker;
  readonly #port: Kafka;
  readonly #jars: KafkaJars;

  constructor(broker: Broker, port: Kafka, jars: KafkaJars) {
    this.#broker = broker;
    this.#port = port;
    this.#jars = jars;
  }

  /** One arm, once. @throws Error when the topic does not hold what was written */
  async run(client: Client, run: Run, filled: string | undefined): Promise<ClientCost> {
    const topic = filled ?? (await this.#emptyTopic());
    const task = this.#taskOf(client === "kafkajs" ? "kafkajs" : "bulkhead", run, topic);
    const made: string[] = [];
    const emptyTopic = async () => {
      made.push(await this.#emptyTopic());
      return made.at(-1) as string;
    };
    const place = { jars: this.#jars, folder: this.#broker.folder, emptyTopic };
    const cost = client === "java" ? await javaCost(task, place) : await costOf(task);
    if (filled === undefined) {
      const written = client === "java" ? (made.at(-1) ?? topic) : topic;
      await this.#checkEnd(written, run.records);
      for (const each of [topic, ...made]) await this.drop(each);
    }
    return cost;
  }

  /** A topic with records to read, as our producer writes them. */
  async filledTopic(run: Run): Promise<string> {
    const topic = await this.#emptyTopic();
    await costOf(this.#taskOf("bulkhead", { ...run, does: "produce" }, topic));
    await this.#checkEnd(topic, run.records);
    return topic;
  }

  drop(topic: string): Promise<void> {
    return this.#port.admin.deleteTopic(topic);
  }

  /** Where a host writes to and reads from, once. */
  async hostLog(): Promise<PathLog> {
    const topic = await this.#emptyTopic();
    return {
      topic,
      bootstrap: this.#broker.bootstrap,
      check: (records) => this.#checkEnd(topic, records),
      drop: () => this.drop(topic),
    };
  }

  async #emptyTopic(): Promise<string> {
    const name = uniqueName("bench");
    const config = { "file.delete.delay.ms": "1000", "max.message.bytes": "8000000" };
    await this.#port.admin.createTopic({ name, partitionCount: 1, replicationFactor: 1, config });
    return name;
  }

  async #checkEnd(topic: string, records: number): Promise<void> {
    const [end] = await this.#port.admin.endOffsets([{ topic, partition: 0 }]);
    if (end !== records) throw new Error(`${end} records arrived in ${topic}, not ${records}`);
  }

  #taskOf(client: ClientTask["client"], run: Run, topic: string): ClientTask {
    const { does, recordBytes, recordsPerRequest, records } = run;
    // What a record of a batch has around its value is 9 to 11 bytes.
    const batchBytes = 100 + recordsPerRequest * (recordBytes + 10);
    const { bootstrap } = this.#broker;
    return { client, does, bootstrap, topic, records, recordBytes, recordsPerRequest, batchBytes };
  }
}

async function costOf(task: ClientTask): Promise<ClientCost> {
  const args = ["--import", "tsx", program, JSON.stringify(task)];
  const options = { timeout: armMsMax, killSignal: "SIGKILL" } as const;
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return JSON.parse(stdout) as ClientCost;
}
