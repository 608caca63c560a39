/**
 * From the moment a source makes a record until a sink has it, through two plugin processes, the host
 * and the log, at a rate that keeps nobody busy: what is measured is waiting, not work.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../harness/wait-for.ts";
import { bareHops } from "./bare-hops.ts";
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
import { cpuTicks } from "./process-cost.ts";

const recordsPerSecond = 50;
/** Programs are compiled while they run. */
const warmUpSeconds = 5;
/** In the host's place. */
const bareHopCount = 1;
/** Of the machine's CPU within a second: more, and that second's records waited for their turn on the real one. */
const stolenPartMax = 0.01;

interface Round {
  /** Milliseconds, of every record after the warm-up. */
  readonly all: readonly number[];
  /** Of those from seconds in which the machine was this machine's. */
  readonly undisturbed: readonly number[];
  /** The part of the CPU that went to other machines. */
  readonly stolenPart: number;
}

/** The path, each round in a new host, and the same way through a process that does nothing but hand on. */
export async function latency({ rounds = 3, seconds = 30, say }: BenchOptions): Promise<Section[]> {
  const path: Round[] = [];
  const bare: number[][] = [];
  for (let round = 1; round <= rounds; round += 1) {
    path.push(await inFolder((directory) => runRound(directory, seconds)));
    bare.push(
      await inFolder((directory) =>
        bareHops({ directory, hops: bareHopCount, perSecond: recordsPerSecond, seconds }),
      ),
    );
    say(`latency: round ${round}`);
  }
  const figure = (what: string, of: (readonly number[])[], part: number) => ({
    what,
    unit: "ms",
    values: of.map((latencies) => percentile(latencies, part)),
  });
  const figures = (of: (readonly number[])[]) => [
    figure("p50", of, 0.5),
    figure("p90", of, 0.9),
    figure("p99", of, 0.99),
    figure("max", of, 1),
  ];
  const all = path.map((round) => round.all);
  const undisturbed = path.map((round) => round.undisturbed).filter(({ length }) => length > 0);
  const percent = (what: string, values: number[]) => ({ what, unit: "%", values });
  const rows = [
    {
      name: `${recordsPerSecond} records/s`,
      figures: [
        ...figures(all),
        percent(
          "CPU stolen",
          path.map((round) => 100 * round.stolenPart),
        ),
      ],
    },
    {
      name: "  while no CPU was stolen",
      figures: [
        ...figures(undisturbed).map((each) => (each.what === "p99" ? { ...each, aim: 6 } : each)),
        percent(
          "records",
          path.map((round) => (100 * round.undisturbed.length) / round.all.length),
        ),
      ],
    },
    { name: "a host that only hands on", figures: figures(bare) },
  ];
  return [{ title: "latency: source → topic → sink", rows }];
}

function runRound(directory: string, seconds: number): Promise<Round> {
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
    const looks: Look[] = [];
    await waitFor(
      async () => {
        const latencies = await readLatencies(file);
        looks.push({ latencies, ticks: await cpuTicks() });
        return latencies.length >= records;
      },
      {
        withinMs: (warmUpSeconds + seconds) * 1_000 + 30_000,
        everyMs: 1_000,
        what: `${records} records at the sink`,
      },
    );
    return roundOf(looks);
  });
}

/** What had arrived and what the CPU had done when somebody looked. */
interface Look {
  readonly latencies: readonly number[];
  readonly ticks: { readonly all: number; readonly stolen: number };
}

function roundOf(looks: readonly Look[]): Round {
  const warm = looks.findIndex(
    ({ latencies }) => latencies.length >= recordsPerSecond * warmUpSeconds,
  );
  const all: number[] = [];
  const undisturbed: number[] = [];
  let [before, ...rest] = looks.slice(warm);
  const partStolen = (from: Look, to: Look) =>
    (to.ticks.stolen - from.ticks.stolen) / Math.max(1, to.ticks.all - from.ticks.all);
  const first = before;
  for (const look of rest) {
    if (before === undefined) break;
    const arrived = look.latencies.slice(before.latencies.length);
    all.push(...arrived);
    if (partStolen(before, look) <= stolenPartMax) undisturbed.push(...arrived);
    before = look;
  }
  return { all, undisturbed, stolenPart: first && before ? partStolen(first, before) : 0 };
}

/** One double a record, little-endian. */
async function readLatencies(path: string): Promise<number[]> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, n) => bytes.readDoubleLE(n * 8));
}
