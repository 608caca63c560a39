/** How long a start takes: of the host, and of a connector until its first record has arrived. */
import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostProcess, program } from "../harness/host-process.ts";
import type { BenchOptions } from "./bench.ts";
import {
  blackhole,
  createConnector,
  datagen,
  inFolder,
  pluginPath,
  topic,
  withHost,
} from "./bench-host.ts";
import type { Section } from "./figure.ts";

interface StartRound {
  /** Milliseconds. */
  readonly rest: number;
  readonly source: number;
  readonly sink: number;
}

/** Every round has a host of its own, so each connector is the first of its plugin. */
export async function start({ rounds = 10, say }: BenchOptions): Promise<Section[]> {
  const done: StartRound[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const rest = await inFolder(restUp);
    done.push({ rest, ...(await inFolder(firstRecords)) });
    say(`start: round ${round}`);
  }
  const figure = (what: string, name: keyof StartRound, aim: number) => ({
    name: what,
    figures: [{ what: "", unit: "ms", values: done.map((round) => round[name]), aim }],
  });
  return [
    {
      title: "start",
      rows: [
        figure("process start to REST", "rest", 1_000),
        figure("POST of a source to its first record in the topic", "source", 300),
        figure("POST of a sink to the first record in its hands", "sink", 300),
      ],
    },
  ];
}

async function restUp(directory: string): Promise<number> {
  const worker = join(directory, "worker.properties");
  const converter = "org.apache.kafka.connect.storage.StringConverter";
  const lines = [
    `bootstrap.servers=embedded:${join(directory, "log")}`,
    `plugin.path=${pluginPath}`,
    `key.converter=${converter}`,
    `value.converter=${converter}`,
    "listeners=http://127.0.0.1:0",
  ];
  await writeFile(worker, `${lines.join("\n")}\n`);
  const begunMs = performance.now();
  const child = spawn(process.execPath, [program, "standalone", worker], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /"url":"(http:[^"]+)"/.exec(line)?.[1];
      if (url === undefined) continue;
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`GET / answered ${answer.status}`);
      return performance.now() - begunMs;
    }
    throw new Error("the host ended while starting");
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
}

async function firstRecords(directory: string): Promise<{ source: number; sink: number }> {
  return withHost(directory, {}, async (host) => {
    const log = join(directory, "log", "topics", topic, "0", `${"0".repeat(20)}.log`);
    const counts = join(directory, "counts");
    // Node's fetch takes a while to load, which is no cost of the host's.
    await host.request("GET", "/");
    const source = await untilBytes(host, "source", datagen({ records: "1000" }), log);
    const sink = await untilBytes(host, "sink", blackhole({ "count.file": counts }), `${counts}.0`);
    return { source, sink };
  });
}

/** Milliseconds from the request until there is something in the file. */
async function untilBytes(
  host: HostProcess,
  name: string,
  config: Record<string, string>,
  file: string,
): Promise<number> {
  const begunMs = performance.now();
  const creating = createConnector(host, name, config);
  creating.catch(() => {});
  while ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    if (performance.now() - begunMs > 30_000) {
      throw new Error(`nothing in ${file} after 30 s\n${host.log.slice(-20).join("\n")}`);
    }
    await sleep(1);
  }
  const tookMs = performance.now() - begunMs;
  await creating;
  return tookMs;
}
