/**
 * The pipeline step by step (`steps.ts`), then end to end over a real broker beside Apache Kafka Connect:
 * the same connector configs on both workers, turn by turn. Records are counted at the destination (the end of the topic; the file that
 * the sink keeps), CPU is of all processes of the worker from the first fifth of the records on.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import type { BenchOptions } from "./bench.ts";
import { blackhole, byteArrayConverter, datagen, inFolder } from "./bench-host.ts";
import {
  type ConnectWorker,
  type StartWorker,
  startApache,
  startBulkhead,
} from "./connect-worker.ts";
import type { Figure, Row, Section } from "./figure.ts";
import { cpuSeconds, memoryOf } from "./process-cost.ts";
import { stepCosts } from "./steps.ts";

type Settings = Readonly<Record<string, string>>;

interface Case {
  readonly name: string;
  readonly records: number;
  readonly source: Settings;
  readonly sink: Settings;
  /** Of Apache's CPU, with stock configs and with tuned ones. */
  readonly sourceAims: Readonly<Record<Tuning, number>>;
  readonly sinkAims: Readonly<Record<Tuning, number>>;
}

const json = "org.apache.kafka.connect.json.JsonConverter";
const schemas = { "value.converter": json };
const plainJson = { ...schemas, "value.converter.schemas.enable": "false" };
const stepsName = "steps alone";
const million = 1_000_000;
const struct = { format: "struct" };
const touched = { "touch.field": "id" };
const typedAims = { stock: 0.5, tuned: 1 };
const bytesAims = { stock: 1.25, tuned: 1.25 };

/** Five steps that all do something to a struct of datagen's. */
const apache = "org.apache.kafka.connect.transforms";
const fiveSteps = {
  transforms: "cast,mask,rename,insert,head",
  "transforms.cast.type": `${apache}.Cast$Value`,
  "transforms.cast.spec": "id:string",
  "transforms.mask.type": `${apache}.MaskField$Value`,
  "transforms.mask.fields": "name",
  "transforms.rename.type": `${apache}.ReplaceField$Value`,
  "transforms.rename.renames": "name:who",
  "transforms.insert.type": `${apache}.InsertField$Value`,
  "transforms.insert.static.field": "origin",
  "transforms.insert.static.value": "bench",
  "transforms.head.type": `${apache}.InsertHeader`,
  "transforms.head.header": "by",
  "transforms.head.value.literal": "bench",
};

/** The same for what the first five have made. */
const fiveMoreSteps = {
  ...fiveSteps,
  "transforms.cast.spec": "count:int64",
  "transforms.mask.fields": "who",
  "transforms.rename.renames": "who:name",
  "transforms.insert.static.field": "seen",
};

const cases: readonly Case[] = [
  {
    name: "bytes 100 B",
    records: 3 * million,
    source: { "value.converter": byteArrayConverter },
    sink: { "value.converter": byteArrayConverter },
    sourceAims: typedAims,
    sinkAims: bytesAims,
  },
  {
    name: "struct, JSON with schemas",
    records: million,
    source: { ...struct, ...schemas },
    sink: { ...schemas, ...touched },
    sourceAims: typedAims,
    sinkAims: typedAims,
  },
  {
    name: "struct, JSON without schemas",
    records: million,
    source: { ...struct, ...plainJson },
    sink: plainJson,
    sourceAims: typedAims,
    sinkAims: typedAims,
  },
  {
    name: "struct, JSON with schemas, five transforms",
    records: million / 2,
    source: { ...struct, ...schemas, ...fiveSteps },
    sink: { ...schemas, ...fiveMoreSteps },
    sourceAims: typedAims,
    sinkAims: typedAims,
  },
];

const tunings = {
  stock: {},
  tuned: {
    "producer.linger.ms": "50",
    "producer.batch.size": "262144",
    "producer.compression.type": "lz4",
    "consumer.fetch.max.bytes": "52428800",
    "consumer.max.partition.fetch.bytes": "8388608",
    "consumer.fetch.min.bytes": "262144",
    "consumer.max.poll.records": "5000",
  },
} as const;
type Tuning = keyof typeof tunings;

/** What one worker took for one direction of one round. */
interface Cost {
  readonly recordsPerSecond: number;
  /** Microseconds a record, of all processes. */
  readonly cpu: number;
  /** MiB, of all processes together. */
  readonly peak: number;
}

const arms = ["Bulkhead", "Bulkhead again", "Apache Connect"] as const;
type Arm = (typeof arms)[number];

/** Needs a JDK and Maven. @throws Error without them */
export async function pipeline(options: BenchOptions): Promise<Section[]> {
  const { jars, missing } = await kafkaJars();
  if (jars === undefined) throw new Error(`the benchmark pipeline needs Kafka: ${missing}`);
  const starts: Readonly<Record<Arm, StartWorker>> = {
    Bulkhead: startBulkhead,
    "Bulkhead again": startBulkhead,
    "Apache Connect": startApache(jars),
  };
  const broker = await startBroker({ heapMbMax: 512 });
  const kafka = await openKafka({
    bootstrapServers: broker.bootstrap,
    config: {},
    clientId: "bench",
    logger: silentLogger(),
  });
  try {
    const stage: Stage = { broker, kafka, starts, options };
    const sections = isAsked(stepsName, options) ? await stepCosts(options) : [];
    for (const each of cases) {
      for (const tuning of Object.keys(tunings) as Tuning[]) {
        if (!isAsked(`${each.name}, ${tuning}`, options)) continue;
        sections.push(...(await contest(each, tuning, stage)));
      }
    }
    if (sections.length === 0) throw new Error(`no case of pipeline is named ${options.only}`);
    return sections;
  } finally {
    await kafka.close();
    await broker.stop();
  }
}

function isAsked(name: string, { only = "" }: BenchOptions): boolean {
  return name.includes(only);
}

interface Stage {
  readonly broker: Broker;
  readonly kafka: Kafka;
  readonly starts: Readonly<Record<Arm, StartWorker>>;
  readonly options: BenchOptions;
}

async function contest(one: Case, tuning: Tuning, stage: Stage): Promise<Section[]> {
  const { rounds = 3, say } = stage.options;
  const records = stage.options.records ?? one.records;
  const sources = new Map(arms.map((arm) => [arm, [] as Cost[]]));
  const sinks = new Map(arms.map((arm) => [arm, [] as Cost[]]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const arm of arms) {
      const topic = uniqueName("bench");
      await stage.kafka.admin.createTopic({
        name: topic,
        partitionCount: 1,
        replicationFactor: 1,
        config: {},
      });
      const asked = { ...one, records, topic, worker: tunings[tuning] };
      const source = await runSource(asked, arm, stage);
      const sink = await runSink(asked, arm, stage);
      await stage.kafka.admin.deleteTopic(topic);
      sources.get(arm)?.push(source);
      sinks.get(arm)?.push(sink);
      const shown = [source, sink].map(({ cpu }) => cpu.toFixed(2)).join(" and ");
      say(`pipeline: ${one.name}, ${tuning}, round ${round}, ${arm}: ${shown} µs of CPU a record`);
    }
  }
  return [
    sectionOf(
      `made-up records → worker → Kafka: ${one.name}, ${tuning}`,
      sources,
      one.sourceAims[tuning],
    ),
    sectionOf(`Kafka → worker → nowhere: ${one.name}, ${tuning}`, sinks, one.sinkAims[tuning]),
  ];
}

interface Asked extends Case {
  readonly topic: string;
  readonly worker: Settings;
}

function runSource(asked: Asked, arm: Arm, stage: Stage): Promise<Cost> {
  const { topic, records, source, worker } = asked;
  return inFolder(async (directory) => {
    const running = await stage.starts[arm](directory, {
      "bootstrap.servers": stage.broker.bootstrap,
      ...worker,
    });
    try {
      await running.create("source", datagen({ topic, records: String(records), ...source }));
      const place = { topic, partition: 0 };
      const written = async () => (await stage.kafka.admin.endOffsets([place]))[0] ?? 0;
      return await measure(running, "source", records, written);
    } finally {
      await running.stop();
    }
  });
}

function runSink(asked: Asked, arm: Arm, stage: Stage): Promise<Cost> {
  const { topic, records, sink, worker } = asked;
  return inFolder(async (directory) => {
    const running = await stage.starts[arm](directory, {
      "bootstrap.servers": stage.broker.bootstrap,
      ...worker,
    });
    try {
      const counts = join(directory, "counts");
      // A name of its own is a group of its own, which begins at the beginning.
      const name = uniqueName("sink");
      await running.create(name, blackhole({ topics: topic, "count.file": counts, ...sink }));
      const written = async () => {
        const bytes = await readFile(`${counts}.0`).catch(() => Buffer.alloc(0));
        return bytes.length < 8 ? 0 : Number(bytes.readBigInt64BE(0));
      };
      return await measure(running, name, records, written);
    } finally {
      await running.stop();
    }
  });
}

interface Sample {
  readonly atMs: number;
  readonly count: number;
  readonly cpu: number;
}

async function measure(
  worker: ConnectWorker,
  name: string,
  records: number,
  written: () => Promise<number>,
): Promise<Cost> {
  const pids = await worker.pids(name);
  const take = async (): Promise<Sample> => {
    const count = await written();
    const used = await Promise.all(pids.map(cpuSeconds));
    return { atMs: performance.now(), count, cpu: used.reduce((sum, each) => sum + each, 0) };
  };
  const deadlineMs = performance.now() + 600_000;
  let first = await take();
  let last = first;
  while (last.count < records) {
    if (last.atMs > deadlineMs) throw new Error(`${last.count} of ${records} after ten minutes`);
    await sleep(20);
    last = await take();
    if (first.count < records / 5) first = last;
    if (last.count < records / 5) await worker.check(name);
  }
  if (last.count !== records) throw new Error(`${last.count} records arrived, not ${records}`);
  const peaks = await Promise.all(pids.map(memoryOf));
  const moved = last.count - first.count;
  if (moved < records / 2) throw new Error(`${records} records are too few to be measured`);
  return {
    recordsPerSecond: (moved / (last.atMs - first.atMs)) * 1_000,
    cpu: ((last.cpu - first.cpu) / moved) * 1_000_000,
    peak: peaks.reduce((sum, { peak }) => sum + peak, 0),
  };
}

function sectionOf(title: string, costs: ReadonlyMap<Arm, readonly Cost[]>, aim: number): Section {
  return { title, rows: arms.map((arm) => rowOf(arm, costs, aim)) };
}

function rowOf(arm: Arm, all: ReadonlyMap<Arm, readonly Cost[]>, aim: number): Row {
  const costs = all.get(arm) ?? [];
  const figures: Figure[] = [
    { what: "", unit: "k/s", values: costs.map((cost) => cost.recordsPerSecond / 1_000) },
    { what: "CPU", unit: "µs/record", values: costs.map((cost) => cost.cpu) },
    { what: "peak", unit: "MiB", values: costs.map((cost) => cost.peak) },
  ];
  if (arm === "Apache Connect") return { name: arm, figures };
  const apache = all.get("Apache Connect") ?? [];
  const part = (of: "cpu" | "peak") =>
    costs.map((cost, round) => cost[of] / (apache[round]?.[of] ?? Number.NaN));
  figures.push({ what: "CPU is", unit: "of Apache's", values: part("cpu"), aim });
  figures.push({ what: "memory", unit: "of Apache's", values: part("peak"), aim: 0.333 });
  return { name: arm, figures };
}
