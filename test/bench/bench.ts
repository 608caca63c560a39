/**
 * `npm run bench -- NAME`: moves made-up records through a source plugin, a real host on the embedded
 * log and a sink plugin, first into the topic, then out of it, and tells what it cost. The arms of a
 * benchmark run in turn, round after round, because machines are noisy; records are counted at the
 * destination. Options: `--records N` (1,000,000), `--rounds N` (3).
 */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type HostProcess, startHost } from "../harness/host-process.ts";
import { descendantsOf } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

interface Arm {
  readonly name: string;
  readonly format: "bytes" | "string" | "struct";
  readonly recordBytes: number;
  readonly converter: Readonly<Record<string, string>>;
}

const byteArray = { "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter" };
const text = { "value.converter": "org.apache.kafka.connect.storage.StringConverter" };
const json = { "value.converter": "org.apache.kafka.connect.json.JsonConverter" };
const bare = { ...json, "value.converter.schemas.enable": "false" };

const benchmarks: Readonly<Record<string, readonly Arm[]>> = {
  bytes: [
    { name: "bytes 100 B", format: "bytes", recordBytes: 100, converter: byteArray },
    { name: "bytes 100 B again", format: "bytes", recordBytes: 100, converter: byteArray },
    { name: "bytes 1 KiB", format: "bytes", recordBytes: 1_024, converter: byteArray },
  ],
  lanes: [
    { name: "bytes 100 B", format: "bytes", recordBytes: 100, converter: byteArray },
    { name: "string 100 B", format: "string", recordBytes: 100, converter: text },
    { name: "JSON of text", format: "string", recordBytes: 100, converter: bare },
    { name: "struct, JSON", format: "struct", recordBytes: 100, converter: bare },
    { name: "struct, JSON + schema", format: "struct", recordBytes: 100, converter: json },
  ],
};

/** What each direction is counted by, at its destination. */
const counter = { source: "source-record-write-total", sink: "sink-record-send-total" };

/** What one direction of one run cost. */
interface Cost {
  readonly recordsPerSecond: number;
  /** Microseconds of CPU a record. */
  readonly hostCpu: number;
  readonly pluginCpu: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    records: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "3" },
  },
});
const arms = benchmarks[positionals[0] ?? ""];
if (arms === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benchmarks).join("|")} [--records N]`);
  process.exit(1);
}
await main(arms, Number(values.records), Number(values.rounds));

async function main(chosen: readonly Arm[], records: number, rounds: number): Promise<void> {
  const results = new Map<string, { source: Cost[]; sink: Cost[] }>();
  for (const arm of chosen) results.set(arm.name, { source: [], sink: [] });
  for (let round = 0; round < rounds; round += 1) {
    for (const arm of chosen) {
      const { source, sink } = await run(arm, records);
      results.get(arm.name)?.source.push(source);
      results.get(arm.name)?.sink.push(sink);
      console.error(`round ${round + 1}, ${arm.name}: done`);
    }
  }
  for (const direction of ["source", "sink"] as const) {
    console.log(`\n${direction}: ${records} records, ${rounds} rounds, median (lowest–highest)`);
    const first = results.get(chosen[0]?.name ?? "")?.[direction] ?? [];
    for (const [name, costs] of results) console.log(row(name, costs[direction], first));
  }
}

async function run(arm: Arm, records: number): Promise<{ source: Cost; sink: Cost }> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-bench-"));
  await mkdir(directory, { recursive: true });
  const host = await startHost({ directory, worker: { "embedded.fsync": "never" } });
  const common = { "tasks.max": "1", ...arm.converter };
  try {
    const source = await measure(host, records, "source", async () => {
      await create(host, "source", {
        ...common,
        "connector.class": "bench.DatagenSource",
        topic: "bench",
        format: arm.format,
        records: String(records),
        "record.size": String(arm.recordBytes),
      });
    });
    const counts = join(directory, "counts");
    const sink = await measure(host, records, "sink", async () => {
      await create(host, "sink", {
        ...common,
        "connector.class": "bench.NullSink",
        topics: "bench",
        "count.file": counts,
      });
    });
    const counted = (await readFile(`${counts}.0`)).readBigInt64BE(0);
    if (counted !== BigInt(records)) throw new Error(`${counted} records arrived, not ${records}`);
    return { source, sink };
  } finally {
    await host.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function create(host: HostProcess, name: string, config: object): Promise<void> {
  const { status, body } = await host.request("POST", "/connectors", { name, config });
  if (status !== 201) throw new Error(`cannot create ${name}: ${JSON.stringify(body)}`);
}

async function measure(
  host: HostProcess,
  records: number,
  connector: "source" | "sink",
  begin: () => Promise<void>,
): Promise<Cost> {
  const hostBefore = await cpuSeconds(host.pid);
  const before = new Set(descendantsOf(host.pid));
  await begin();
  const begunMs = performance.now();
  await waitFor(
    async () => {
      const task = (await host.tasks()).find((one) => one.connector === connector);
      if (task?.state === "FAILED") throw new Error(host.log.slice(-20).join("\n"));
      return task?.metrics[counter[connector]] === records;
    },
    { withinMs: 600_000, everyMs: 50, what: `${records} records of the ${connector}` },
  );
  const seconds = (performance.now() - begunMs) / 1_000;
  const hostCpu = (await cpuSeconds(host.pid)) - hostBefore;
  let pluginCpu = 0;
  for (const pid of descendantsOf(host.pid))
    if (!before.has(pid)) pluginCpu += await cpuSeconds(pid);
  const each = 1_000_000 / records;
  return {
    recordsPerSecond: records / seconds,
    hostCpu: hostCpu * each,
    pluginCpu: pluginCpu * each,
  };
}

/** User and system time of one process so far (Linux; 0 elsewhere). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function row(name: string, costs: readonly Cost[], first: readonly Cost[]): string {
  const total = (cost: Cost) => cost.hostCpu + cost.pluginCpu;
  const ratio = median(costs.map(total)) / median(first.map(total));
  return [
    name.padEnd(24),
    `${spread(
      costs.map((cost) => cost.recordsPerSecond / 1_000),
      0,
    )} k/s`,
    `host ${spread(
      costs.map((cost) => cost.hostCpu),
      2,
    )} µs`,
    `plugin ${spread(
      costs.map((cost) => cost.pluginCpu),
      2,
    )} µs`,
    `together ×${ratio.toFixed(2)}`,
  ].join("  ");
}

function spread(numbers: readonly number[], digits: number): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(numbers))} (${text(Math.min(...numbers))}–${text(Math.max(...numbers))})`;
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
