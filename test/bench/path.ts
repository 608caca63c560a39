/**
 * The record path in both directions: made-up records into a topic, and the same topic out again. Each
 * direction has a fresh host. Records are counted at the destination, and CPU from the first fifth of
 * them on: how a process starts is measured by `start`.
 */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostProcess } from "../harness/host-process.ts";
import type { BenchOptions } from "./bench.ts";
import {
  blackhole,
  byteArrayConverter,
  createConnector,
  datagen,
  inFolder,
  taskOf,
  withHost,
} from "./bench-host.ts";
import type { Figure, Section } from "./figure.ts";
import { cpuSeconds, memoryOf } from "./process-cost.ts";

interface Arm {
  readonly name: string;
  readonly format: "bytes" | "string" | "struct";
  readonly recordBytes: number;
  readonly converter: Readonly<Record<string, string>>;
  readonly records: number;
  /** Seconds of the host's CPU for a million records. */
  readonly hostCpuAim?: number;
}

const byteArray = { "value.converter": byteArrayConverter };
const string = { "value.converter": "org.apache.kafka.connect.storage.StringConverter" };
const schemas = { "value.converter": "org.apache.kafka.connect.json.JsonConverter" };
const json = { ...schemas, "value.converter.schemas.enable": "false" };
const million = 1_000_000;

const bytes = { format: "bytes", converter: byteArray } as const;
const small = { ...bytes, recordBytes: 100, records: 3 * million, hostCpuAim: 1.5 };
const struct = { format: "struct", recordBytes: 100, records: million } as const;

const bytesArm: Arm = { name: "bytes 100 B", ...small };
const structArm: Arm = { name: "struct, JSON", ...struct, converter: json, hostCpuAim: 4 };
const schemaArm: Arm = { name: "struct, JSON with schemas", ...struct, converter: schemas };

const pathArms: readonly Arm[] = [
  bytesArm,
  { name: "bytes 100 B again", ...small },
  { ...bytes, name: "bytes 1 KiB", recordBytes: 1_024, records: million },
  structArm,
  schemaArm,
];

const laneArms: readonly Arm[] = [
  bytesArm,
  { ...struct, name: "string 100 B", format: "string", converter: string },
  { ...struct, name: "JSON of text", format: "string", converter: json },
  structArm,
  schemaArm,
];

/** The README's arms. */
export function path(options: BenchOptions): Promise<Section[]> {
  return compare(pathArms, options);
}

/** Every way a converter can go. */
export function lanes(options: BenchOptions): Promise<Section[]> {
  return compare(laneArms, options);
}

/** What one direction of one round cost. */
interface Cost {
  readonly recordsPerSecond: number;
  /** Microseconds a record. */
  readonly hostCpu: number;
  readonly pluginCpu: number;
  /** MiB. */
  readonly hostPeak: number;
  readonly pluginPeak: number;
}

interface Round {
  readonly source: Cost;
  readonly sink: Cost;
}

/** A log other than the embedded one, for one round. */
export interface PathLog {
  /** The `bootstrap.servers` of the worker. */
  readonly bootstrap: string;
  /** Empty, of one partition. */
  readonly topic: string;
  /** @throws Error unless so many records are there */
  readonly check: (records: number) => Promise<void>;
  /** Called at the end. */
  readonly drop: () => Promise<void>;
}

/** The path through a log of that name; 100 B and 1 KiB of bytes. */
export function pathThrough(
  name: string,
  log: () => Promise<PathLog>,
  options: BenchOptions,
): Promise<Section[]> {
  const arms = pathArms.filter(({ format }) => format === "bytes");
  return compare(arms, options, { name, log });
}

interface PathThrough {
  readonly name: string;
  readonly log: () => Promise<PathLog>;
}

async function compare(
  arms: readonly Arm[],
  options: BenchOptions,
  through?: PathThrough,
): Promise<Section[]> {
  const { rounds = 3, say } = options;
  const done = arms.map((arm) => ({ arm, rounds: [] as Round[] }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const { arm, rounds } of done) {
      const asked = { ...arm, records: options.records ?? arm.records };
      rounds.push(await runArm(asked, await through?.log()));
      say(`path: round ${round}, ${arm.name}`);
    }
  }
  const place = through?.name ?? "topic";
  return [
    { title: `made-up records → host → ${place}`, direction: "source" as const },
    { title: `${place} → host → nowhere`, direction: "sink" as const },
  ].map(({ title, direction }) => ({
    title,
    rows: done.map(({ arm, rounds }) => ({
      name: arm.name,
      figures: figuresOf(
        rounds.map((round) => round[direction]),
        arm,
      ),
    })),
  }));
}

function figuresOf(costs: readonly Cost[], { hostCpuAim }: Arm): Figure[] {
  const values = (name: keyof Cost) => costs.map((cost) => cost[name]);
  const cpu = { what: "host", unit: "µs/record", values: values("hostCpu") };
  return [
    { what: "", unit: "k/s", values: values("recordsPerSecond").map((value) => value / 1_000) },
    hostCpuAim === undefined ? cpu : { ...cpu, aim: hostCpuAim },
    { what: "plugin", unit: "µs/record", values: values("pluginCpu") },
    { what: "host peak", unit: "MiB", values: values("hostPeak"), aim: 120 },
    { what: "plugin peak", unit: "MiB", values: values("pluginPeak"), aim: 60 },
  ];
}

function runArm(arm: Arm, log?: PathLog): Promise<Round> {
  return inFolder(async (directory) => {
    const { records } = arm;
    const worker = log === undefined ? {} : workerOver(log, directory);
    const source = await withHost(directory, worker, async (host) => {
      await createConnector(host, "source", {
        ...datagen({ records: String(records), format: arm.format }),
        "record.size": String(arm.recordBytes),
        ...arm.converter,
        ...(log && { topic: log.topic }),
      });
      const written = async () =>
        (await taskOf(host, "source"))?.metrics["source-record-write-total"] ?? 0;
      // Asking costs the host a little, so it is asked seldom.
      const cost = await measure({ host, connector: "source", records, everyMs: 100, written });
      const { status } = await host.request("DELETE", "/connectors/source");
      if (status !== 204) throw new Error(`cannot delete the source: ${status}`);
      return cost;
    });
    await log?.check(records);
    const counts = join(directory, "counts");
    const sink = await withHost(directory, worker, async (host) => {
      // A field is read, so that what a struct costs its sink is in the figure.
      const touch = arm.format === "struct" ? { "touch.field": "id" } : {};
      const topics = log && { topics: log.topic };
      const config = { "count.file": counts, ...touch, ...arm.converter, ...topics };
      await createConnector(host, "sink", blackhole(config));
      const written = () => countIn(`${counts}.0`);
      return measure({ host, connector: "sink", records, everyMs: 20, written });
    });
    const counted = (await readFile(`${counts}.0`)).readBigInt64BE(0);
    if (counted !== BigInt(records)) throw new Error(`${counted} records arrived, not ${records}`);
    await log?.drop();
    return { source, sink };
  });
}

function workerOver({ bootstrap }: PathLog, directory: string): Record<string, string> {
  return {
    "bootstrap.servers": bootstrap,
    "offset.storage.file.filename": join(directory, "offsets"),
  };
}

/** The first of the three numbers that the sink keeps there. */
async function countIn(path: string): Promise<number> {
  const bytes = Buffer.alloc(8);
  try {
    const file = await open(path, "r");
    try {
      await file.read(bytes, 0, 8, 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return Number(bytes.readBigInt64BE(0));
}

interface Measuring {
  readonly host: HostProcess;
  readonly connector: string;
  readonly records: number;
  readonly everyMs: number;
  /** How many have arrived. */
  readonly written: () => Promise<number>;
}

interface Sample {
  readonly atMs: number;
  readonly count: number;
  readonly hostCpu: number;
  readonly pluginCpu: number;
}

async function measure({ host, connector, records, everyMs, written }: Measuring): Promise<Cost> {
  const pluginPid = await host.pidOf(connector);
  const take = async (): Promise<Sample> => {
    const count = await written();
    const atMs = performance.now();
    const [hostCpu, pluginCpu] = await Promise.all([cpuSeconds(host.pid), cpuSeconds(pluginPid)]);
    return { atMs, count, hostCpu, pluginCpu };
  };
  let first = await take();
  while (first.count < records / 5) {
    await sleep(everyMs);
    first = await take();
  }
  if (first.count > records / 2) {
    throw new Error(`${records} records pass too fast to be measured: ask for more with --records`);
  }
  // Records a second come from the last look at moving records, CPU from the last record on.
  let moving = first;
  let last = first;
  const deadlineMs = first.atMs + 600_000;
  while (last.count < records) {
    if (last.atMs > deadlineMs) throw new Error(`${last.count} of ${records} after ten minutes`);
    await sleep(everyMs);
    if (connector !== "sink") await taskOf(host, connector);
    moving = last;
    last = await take();
  }
  if (moving === first) moving = last;
  const [hostMemory, pluginMemory] = await Promise.all([memoryOf(host.pid), memoryOf(pluginPid)]);
  const micros = million / (last.count - first.count);
  return {
    recordsPerSecond: ((moving.count - first.count) / (moving.atMs - first.atMs)) * 1_000,
    hostCpu: (last.hostCpu - first.hostCpu) * micros,
    pluginCpu: (last.pluginCpu - first.pluginCpu) * micros,
    hostPeak: hostMemory.peak,
    pluginPeak: pluginMemory.peak,
  };
}
