/**
 * `npm run bench -- NAME …` measures this checkout; the README's figures come from it. What is compared
 * runs in turn, round after round, because machines are noisy, and one arm runs twice: how far its two
 * rows are apart is what a difference between others must exceed. Progress goes to stderr.
 */
import { parseArgs } from "node:util";
import { batches } from "./batches.ts";
import { jsonOf, type Section, textOf } from "./figure.ts";
import { kafka } from "./kafka.ts";
import { latency } from "./latency.ts";
import { thisMachine } from "./machine.ts";
import { memory } from "./memory.ts";
import { lanes, path } from "./path.ts";
import { pipeline } from "./pipeline.ts";
import { sdk } from "./sdk.ts";
import { start } from "./start.ts";

/** What the command line asks of every benchmark; undefined = the benchmark's own choice. */
export interface BenchOptions {
  readonly rounds: number | undefined;
  readonly records: number | undefined;
  readonly seconds: number | undefined;
  /** A part of the names of the cases that run; of benchmarks that have several. */
  readonly only: string | undefined;
  readonly say: (text: string) => void;
}

const benchmarks: Readonly<Record<string, (options: BenchOptions) => Promise<Section[]>>> = {
  path,
  start,
  latency,
  memory,
  lanes,
  batches,
  kafka,
  pipeline,
  sdk,
};
/** `lanes` and `batches` are for whoever works on converters and on the codec; `kafka` and `pipeline` need a JDK. */
const all = ["path", "start", "latency", "memory"];

const usage = `usage: npm run bench -- NAME … [options]
  path      records/s, CPU and memory of made-up records → topic and topic → nowhere
  start     process start to REST, POST to the first record at its destination
  latency   from source through topic to sink at 50 records/s
  memory    idle, under load, and whether it grows
  lanes     path for every way a converter can go
  batches   record batches alone: encode, decode, checksum, each codec
  kafka     our client, kafkajs' and Java's against one broker, and the path through a host
  pipeline  connectors on this worker and on Apache Kafka Connect's, over one broker, same configs
  sdk       a plugin in each language against the gateway alone: records/s, CPU, start, idle memory
  all       ${all.join(", ")}
  --rounds N    how often each is measured
  --records N   records of a round (path, lanes, batches, kafka, pipeline, sdk)
  --seconds N   how long a round takes (latency, memory)
  --only TEXT   of pipeline, the cases with this in their name, for example "five transforms, tuned"
  --json        one JSON object on stdout, the tables on stderr`;

await main();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      records: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const names = positionals.flatMap((name) => (name === "all" ? all : [name]));
  const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
  if (names.length === 0 || unknown.length > 0) {
    if (unknown.length > 0) console.error(`there is no benchmark ${unknown.join(", ")}`);
    console.error(usage);
    process.exitCode = 1;
    return;
  }
  if (process.platform !== "linux") throw new Error("benchmarks read /proc: they need Linux");
  const options = {
    rounds: count(values.rounds, "rounds"),
    records: count(values.records, "records"),
    seconds: count(values.seconds, "seconds"),
    only: values.only,
    say: (text: string) => console.error(text),
  };
  const machine = thisMachine();
  const done: Record<string, object[]> = {};
  const show = values.json ? console.error : console.log;
  show(machineText());
  for (const name of names) {
    const sections = (await benchmarks[name]?.(options)) ?? [];
    done[name] = sections.map(jsonOf);
    for (const section of sections) show(`\n${textOf(section)}`);
  }
  if (values.json) console.log(JSON.stringify({ machine, benchmarks: done }, undefined, 2));

  function machineText(): string {
    const { cpu, cores, memoryGib, node, kernel } = machine;
    return `${cores} × ${cpu}, ${memoryGib} GiB, Node ${node}, ${kernel}`;
  }
}

function count(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} must be a whole number above 0, not ${text}`);
}
