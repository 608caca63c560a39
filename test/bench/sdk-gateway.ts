/**
 * The host's side of one round of `sdk`, in a process of its own so that its CPU stands apart: the host's
 * real gateway, one plugin, one task, records that come from nowhere or go there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger } from "../../src/observe/logger.ts";
import type { PluginManifest, PluginProcess } from "../../src/plugin/plugin.ts";
import { createPluginProcesses } from "../../src/plugin/process-pool.ts";
import type { SinkStream, SourceStream } from "../../src/plugin/streams.ts";
import { type Columns, emptyColumns } from "../../src/record/columns.ts";
import { cpuSeconds, memoryOf } from "./process-cost.ts";

/** What the parent asks for. */
export interface SdkRound {
  readonly directory: string;
  readonly command: readonly string[];
  readonly kind: "source" | "sink";
  readonly recordBytes: number;
  readonly records: number;
  /** Where the sink writes its counts. */
  readonly countFile: string;
  /** How long the plugin is idle before its memory is looked at; 0 = it is not. */
  readonly idleMs: number;
}

/** What it is told. */
export interface SdkCost {
  /** From the spawn of the process to its Hello, in milliseconds. */
  readonly helloMs: number;
  readonly recordsPerSecond: number;
  /** Microseconds a record, which is seconds for a million. */
  readonly hostCpu: number;
  readonly pluginCpu: number;
  /** MiB resident, with a task that has nothing to do. */
  readonly idleMib: number | undefined;
}

const windowRecords = 50_000;
const windowBytes = 8 * 1_024 * 1_024;
const putBytesMax = 512 * 1_024;
const signal = new AbortController().signal;

process.once("message", (round: SdkRound) => {
  measure(round).then(
    (cost) => process.send?.({ cost }, () => process.exit(0)),
    (error: Error) => process.send?.({ error: error.stack }, () => process.exit(1)),
  );
});

async function measure(round: SdkRound): Promise<SdkCost> {
  const { directory, command, kind } = round;
  const processes = await createPluginProcesses({
    logger: silentLogger(),
    processPer: "connector",
    calls: {
      readOffsets: async (_, partitions) => partitions.map(() => null),
      requestTaskReconfiguration: () => {},
      raiseError: () => {},
    },
  });
  const plugin: PluginManifest = {
    name: "bench-sdk",
    version: "1.0.0",
    directory,
    command,
    classes: [],
  };
  try {
    // The first launch loads what starts a process, which is no cost of the plugin's.
    await (await processes.acquire({ plugin, connector: "warm" }, signal)).release();
    const begunMs = performance.now();
    const lease = await processes.acquire({ plugin, connector: "bench" }, signal);
    const helloMs = performance.now() - begunMs;
    const cost = await (kind === "source" ? asSource : asSink)(lease.process, round);
    await lease.release();
    return { helloMs, ...cost };
  } finally {
    await processes.close();
  }
}

type Flowing = Omit<SdkCost, "helloMs">;

function taskStart(round: SdkRound) {
  const className = round.kind === "source" ? "bench.sdk.Source" : "bench.sdk.Sink";
  const config: Record<string, string> =
    round.kind === "source"
      ? { topic: "bench", size: String(round.recordBytes) }
      : { file: round.countFile };
  return {
    connector: "bench",
    task: 0,
    className,
    taskClass: className,
    taskConfig: config,
    connectorConfig: config,
    offsetFlushIntervalMs: 60_000,
    errantRecordReporter: true,
    startMsMax: 30_000,
  };
}

async function asSource(plugin: PluginProcess, round: SdkRound): Promise<Flowing> {
  const stream = await plugin.startSourceTask(taskStart(round), signal);
  const idleMib = await idle(plugin, round);
  const clock = new FlowClock(plugin.pid, round.records);
  await drain(stream, round, clock);
  const cost = await clock.cost();
  await stopped(stream);
  return { ...cost, idleMib };
}

async function drain(stream: SourceStream, round: SdkRound, clock: FlowClock): Promise<void> {
  stream.credit(windowRecords, windowBytes);
  while (!clock.over) {
    const event = await stream.next();
    if (event === undefined) throw new Error(`the stream ended: ${await stream.ended}`);
    if (event.at === "failed") throw new Error(event.failure.text);
    if (event.at !== "records") continue;
    const { columns, batchSeq, sizeBytes } = event;
    mustBe(columns.arena.length, columns.count * round.recordBytes, "bytes of a batch");
    stream.acked(batchSeq, [{ count: columns.count, outcome: "stored" }]);
    stream.credit(Math.max(1, columns.count), sizeBytes);
    const wait = clock.count(columns.count);
    if (wait !== undefined) await wait;
  }
}

async function asSink(plugin: PluginProcess, round: SdkRound): Promise<Flowing> {
  const stream = await plugin.startSinkTask(taskStart(round), signal);
  const refused = await stream.open([{ topic: "bench", partition: 0, offset: 0 }]);
  if (refused !== undefined) throw new Error(refused.text);
  const idleMib = await idle(plugin, round);
  const clock = new FlowClock(plugin.pid, round.records);
  const put = await fill(stream, round, clock);
  const cost = await clock.cost();
  await stopped(stream);
  return { ...cost, idleMib, ...(put > 0 ? {} : { recordsPerSecond: 0 }) };
}

/** Puts one after the other, as much as the plugin gives credit for; counted when they are answered. */
async function fill(stream: SinkStream, round: SdkRound, clock: FlowClock): Promise<number> {
  const count = Math.max(1, Math.min(1_000, Math.floor(putBytesMax / round.recordBytes)));
  const topic = stream.topicId("bench");
  const form = stream.formId({ encoding: "bytes", schema: null });
  const arena = Buffer.alloc(count * round.recordBytes, "x");
  const valueSizes = new Uint32Array(count).fill(round.recordBytes + 1);
  const answers: Promise<void>[] = [];
  let failure: Error | undefined;
  let offset = 0;
  for (let sent = 0; sent < round.records; sent += count) {
    await stream.room(signal);
    if (failure !== undefined) throw failure;
    const offsets = Float64Array.from({ length: count }, () => offset++);
    const columns: Columns = {
      ...emptyColumns(),
      count,
      arena,
      valueSizes,
      valueForms: Uint32Array.of(form),
      topics: Uint32Array.of(topic),
      partitions: Uint32Array.of(1),
      offsets,
    };
    const answered = stream.put(columns, 0).then((result) => {
      if (result.at === "ok") return clock.count(count);
      failure = new Error(`a put was answered with ${JSON.stringify(result)}`);
      return undefined;
    });
    answers.push(answered);
    if (answers.length > 1_000) await answers.shift();
  }
  await Promise.all(answers);
  if (failure !== undefined) throw failure;
  return offset;
}

/** Measures from the first fifth of the records to the last. */
class FlowClock {
  readonly #pid: number;
  readonly #records: number;
  #counted = 0;
  #first: Sample | undefined;
  #last: Sample | undefined;
  #beginning: Promise<void> | undefined;

  constructor(pid: number, records: number) {
    this.#pid = pid;
    this.#records = records;
  }

  get over(): boolean {
    return this.#counted >= this.#records;
  }

  /** What to wait for before more is counted; undefined = nothing. */
  count(records: number): Promise<void> | undefined {
    this.#counted += records;
    if (this.#beginning === undefined && this.#counted >= this.#records / 5) {
      this.#beginning = this.#sample().then((sample) => {
        this.#first = sample;
      });
      return this.#beginning;
    }
    if (!this.over || this.#last !== undefined) return undefined;
    return this.#sample().then((sample) => {
      this.#last ??= sample;
    });
  }

  async cost(): Promise<Omit<Flowing, "idleMib">> {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined) throw new Error("too few records to measure");
    const counted = last.counted - first.counted;
    const micros = 1e6 / counted;
    return {
      recordsPerSecond: (counted / (last.atMs - first.atMs)) * 1_000,
      hostCpu: (last.hostCpu - first.hostCpu) * micros,
      pluginCpu: (last.pluginCpu - first.pluginCpu) * micros,
    };
  }

  async #sample(): Promise<Sample> {
    const counted = this.#counted;
    const atMs = performance.now();
    const { user, system } = process.cpuUsage();
    const hostCpu = (user + system) / 1e6;
    return { counted, atMs, hostCpu, pluginCpu: await cpuSeconds(this.#pid) };
  }
}

interface Sample {
  readonly counted: number;
  readonly atMs: number;
  /** Seconds. */
  readonly hostCpu: number;
  readonly pluginCpu: number;
}

async function idle(plugin: PluginProcess, { idleMs }: SdkRound): Promise<number | undefined> {
  if (idleMs === 0) return undefined;
  await sleep(idleMs);
  return (await memoryOf(plugin.pid)).rss;
}

async function stopped(stream: SourceStream | SinkStream): Promise<void> {
  const failure = await stream.stop(10_000);
  if (failure !== undefined) throw new Error(failure.text);
}

function mustBe(seen: number, expected: number, what: string): void {
  if (seen !== expected) throw new Error(`${seen} ${what}, not ${expected}`);
}
