/**
 * From the moment a source makes a record until a sink has it, through two plugin processes, the host
 * and the log, at a rate that keeps nobody busy: what is measured is waiting, not work.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../harness/wait-for.ts";
import type { BenchOptions } from "./bench.ts";
import {
  byteArrayConverter,
  createConnector,
  datagen,
  inFolder,
  topic,
  withHost,
} from "./bench-host.ts";
import { percentile, type Section } from "./figure.ts";

const recordsPerSecond = 50;
/** Programs are compiled while they run. */
const warmUpSeconds = 5;

/** One row; each round is a new host. */
export async function latency({ rounds = 3, seconds = 30, say }: BenchOptions): Promise<Section[]> {
  const done: number[][] = [];
  for (let round = 1; round <= rounds; round += 1) {
    done.push(await inFolder((directory) => runRound(directory, seconds)));
    say(`latency: round ${round}`);
  }
  const figure = (what: string, part: number) => ({
    what,
    unit: "ms",
    values: done.map((latencies) => percentile(latencies, part)),
  });
  const figures = [
    figure("p50", 0.5),
    figure("p90", 0.9),
    { ...figure("p99", 0.99), aim: 6 },
    figure("max", 1),
  ];
  const rows = [{ name: `${recordsPerSecond} records/s`, figures }];
  return [{ title: "latency: source → topic → sink", rows }];
}

/** Milliseconds of every record after the warm-up. */
function runRound(directory: string, seconds: number): Promise<number[]> {
  const file = join(directory, "latencies");
  const records = recordsPerSecond * (warmUpSeconds + seconds);
  return withHost(directory, {}, async (host) => {
    await createConnector(host, "sink", {
      "connector.class": "bench.StampSink",
      topics: topic,
      "latency.file": file,
      "value.converter": byteArrayConverter,
    });
    await host.waitForState("sink", "RUNNING");
    const config = { records: String(records), stamp: "true", rate: String(recordsPerSecond) };
    await createConnector(host, "source", datagen(config));
    let latencies: number[] = [];
    await waitFor(
      async () => {
        latencies = await readLatencies(file);
        return latencies.length >= records;
      },
      {
        withinMs: (warmUpSeconds + seconds) * 1_000 + 30_000,
        everyMs: 1_000,
        what: `${records} records at the sink`,
      },
    );
    return latencies.slice(recordsPerSecond * warmUpSeconds);
  });
}

/** One double a record, little-endian. */
async function readLatencies(path: string): Promise<number[]> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, n) => bytes.readDoubleLE(n * 8));
}
