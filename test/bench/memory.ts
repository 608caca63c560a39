/** What host and plugins hold in memory: idle, under load, and after a while under load. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostProcess } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";
import type { BenchOptions } from "./bench.ts";
import { blackhole, createConnector, datagen, inFolder, withHost } from "./bench-host.ts";
import { type Figure, median, type Row, type Section, slope } from "./figure.ts";
import { type Memory, memoryOf } from "./process-cost.ts";

/** What starting leaves behind is collected by then. */
const settleMs = 10_000;

/** Half of them sources, half sinks. */
const idleCounts = [0, 1, 10];

/** Two sections: idle and under load. */
export async function memory({ seconds = 60, rounds = 1, say }: BenchOptions): Promise<Section[]> {
  const idle: Row[] = [];
  for (const count of idleCounts) {
    const done: IdleRound[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      done.push(await inFolder((directory) => measureIdle(directory, count)));
      say(`memory: round ${round}, ${count} connectors, idle`);
    }
    idle.push({ name: `${count} connectors`, figures: idleFigures(done, count) });
  }
  const loads: LoadRound[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    loads.push(await inFolder((directory) => measureLoad(directory, seconds)));
    say(`memory: round ${round}, under load`);
  }
  return [
    { title: `memory, idle for ${settleMs / 1_000} s`, rows: idle },
    { title: `memory, source → topic → sink for ${seconds} s`, rows: loadRows(loads) },
  ];
}

interface IdleRound {
  readonly host: Memory;
  readonly plugins: readonly Memory[];
}

function measureIdle(directory: string, count: number): Promise<IdleRound> {
  return withHost(directory, {}, async (host) => {
    for (let n = 0; n < count; n += 1) {
      const config =
        n % 2 === 0
          ? datagen({ records: "1" })
          : blackhole({ "count.file": join(directory, `counts-${n}`) });
      await createConnector(host, `idle-${n}`, config);
    }
    await allRun(host, count);
    await sleep(settleMs);
    const pids = new Set((await host.tasks()).map((task) => task.pid as number));
    const plugins = await Promise.all([...pids].map(memoryOf));
    return { host: await memoryOf(host.pid), plugins };
  });
}

async function allRun(host: HostProcess, count: number): Promise<void> {
  await waitFor(
    async () => {
      const tasks = await host.tasks();
      return tasks.filter(({ state, pid }) => state === "RUNNING" && pid !== null).length === count;
    },
    { withinMs: 60_000, what: `${count} running tasks` },
  );
}

function idleFigures(done: readonly IdleRound[], count: number): Figure[] {
  const mib = (what: string, values: number[]) => ({ what, unit: "MiB", values });
  const host = [
    mib(
      "host RSS",
      done.map((round) => round.host.rss),
    ),
    mib(
      "PSS",
      done.map((round) => round.host.pss),
    ),
  ];
  if (count === 0) return host;
  const each = (name: keyof Memory) =>
    done.map((round) => median(round.plugins.map((plugin) => plugin[name])));
  const sum = done.map((round) =>
    round.plugins.reduce((total, plugin) => total + plugin.pss, round.host.pss),
  );
  return [
    ...host,
    { ...mib("a plugin RSS", each("rss")), aim: 60 },
    mib("PSS", each("pss")),
    mib("together PSS", sum),
  ];
}

interface LoadRound {
  readonly host: Growth;
  readonly source: Growth;
  readonly sink: Growth;
}

interface Growth {
  readonly peak: number;
  readonly typical: number;
  /** MiB a minute, of the last two thirds. */
  readonly perMinute: number;
}

function measureLoad(directory: string, seconds: number): Promise<LoadRound> {
  const mib = 2 ** 20;
  const small = {
    "embedded.segment.bytes": String(64 * mib),
    "embedded.retention.bytes": String(512 * mib),
  };
  return withHost(directory, small, async (host) => {
    await createConnector(host, "source", datagen({}));
    await createConnector(host, "sink", blackhole({ "count.file": join(directory, "counts") }));
    const pids = {
      host: host.pid,
      source: await host.pidOf("source"),
      sink: await host.pidOf("sink"),
    };
    const seen = { host: [] as Memory[], source: [] as Memory[], sink: [] as Memory[] };
    for (let second = 0; second < seconds; second += 1) {
      await sleep(1_000);
      for (const name of ["host", "source", "sink"] as const) {
        seen[name].push(await memoryOf(pids[name]));
      }
    }
    await allRun(host, 2);
    return { host: growth(seen.host), source: growth(seen.source), sink: growth(seen.sink) };
  });
}

function growth(seen: readonly Memory[]): Growth {
  const later = seen.slice(Math.floor(seen.length / 3));
  return {
    peak: seen.at(-1)?.peak ?? Number.NaN,
    typical: median(later.map(({ rss }) => rss)),
    perMinute: slope(later.map(({ rss }, second) => [second / 60, rss] as const)),
  };
}

function loadRows(loads: readonly LoadRound[]): Row[] {
  const row = (name: string, who: keyof LoadRound, aim: number) => {
    const values = (what: keyof Growth) => loads.map((load) => load[who][what]);
    return {
      name,
      figures: [
        { what: "RSS", unit: "MiB", values: values("typical"), aim },
        { what: "peak", unit: "MiB", values: values("peak") },
        { what: "growth", unit: "MiB/min", values: values("perMinute") },
      ],
    };
  };
  return [
    row("host", "host", 120),
    row("source plugin", "source", 60),
    row("sink plugin", "sink", 60),
  ];
}
