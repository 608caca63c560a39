/**
 * The arms of the benchmark `kafka` that are Kafka's own Java tools. Each runs twice, over a fifth of the
 * records and over all of them: the CPU between is without the start of a JVM, as with the other arms.
 * Records a second are those that the tool itself counts over all of them, its first ones included:
 * differences of times that short are noise.
 */
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KafkaJars } from "../harness/kafka/kafka-jars.ts";
import type { ClientCost, ClientTask } from "./kafka-client.ts";

/** As Kafka's own scripts start a JVM. */
const flags = ["-Xmx512m", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"];
const toolMsMax = 300_000;

/** What a tool needs beside the task. */
export interface JavaPlace {
  readonly jars: KafkaJars;
  /** A folder for what the tools read. */
  readonly folder: string;
  /** Called for each run that writes: a topic that is still empty. */
  readonly emptyTopic: () => Promise<string>;
}

/** Runs one arm. @throws Error with what the tool said */
export async function javaCost(task: ClientTask, place: JavaPlace): Promise<ClientCost> {
  const some = Math.floor(task.records / 5);
  const run = task.does === "produce" ? produce : consume;
  const few = await run({ ...task, records: some }, place);
  const all = await run(task, place);
  return {
    records: task.records - some,
    seconds: (all.seconds * (task.records - some)) / task.records,
    cpuSeconds: all.cpuSeconds - few.cpuSeconds,
  };
}

async function produce(task: ClientTask, place: JavaPlace): Promise<Took> {
  // The tool would spend more on made-up bytes than its client spends on sending them.
  const payloads = join(place.folder, "payload");
  await writeFile(payloads, `${"x".repeat(task.recordBytes)}\n`);
  const topic = await place.emptyTopic();
  const properties = {
    "bootstrap.servers": task.bootstrap,
    "batch.size": task.batchBytes,
    "max.request.size": task.batchBytes + 1_000_000,
  };
  return runTool(place, "ProducerPerformance", [
    ...["--topic", topic, "--num-records", String(task.records), "--throughput", "-1"],
    ...["--payload-file", payloads],
    ...["--producer-props", ...Object.entries(properties).map(([key, value]) => `${key}=${value}`)],
  ]);
}

function consume(task: ClientTask, place: JavaPlace): Promise<Took> {
  return runTool(place, "ConsumerPerformance", [
    ...["--bootstrap-server", task.bootstrap, "--topic", task.topic],
    ...["--messages", String(task.records), "--timeout", "30000", "--hide-header"],
  ]);
}

/** Of a whole run; `seconds` are those that the tool itself counted. */
interface Took {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function runTool({ jars }: JavaPlace, tool: string, args: readonly string[]): Promise<Took> {
  const logging = jars.jvmArgs.filter((flag) => flag.startsWith("-Dlog4j2"));
  const own = [...flags, ...logging, "-Dtest.log.level=error", "-cp", jars.classpath];
  const program = ["java", ...own, `org.apache.kafka.tools.${tool}`, ...args];
  // Only a shell tells what a process used that has ended.
  const script = '"$@" || exit; times';
  const child = spawn("timeout", [
    ...["-s", "KILL", String(toolMsMax / 1_000)],
    ...["sh", "-c", script, "sh", ...program],
  ]);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-100_000);
    });
  }
  const status = await new Promise((resolve, reject) => {
    child.on("close", resolve).on("error", reject);
  });
  const seconds = tool === "ProducerPerformance" ? producedIn(said) : consumedIn(said);
  const used = [...said.matchAll(/(\d+)m([\d.]+)s/g)].slice(-2);
  if (status !== 0 || seconds === undefined || used.length !== 2) {
    throw new Error(`${tool} ended with ${status}:\n${said}`);
  }
  const cpuSeconds = used.reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
  return { seconds, cpuSeconds };
}

/** Its last line: `1000000 records sent, 250000.0 records/sec (23.84 MB/sec), …` */
function producedIn(said: string): number | undefined {
  const last = [...said.matchAll(/(\d+) records sent, ([\d.]+) records\/sec/g)].at(-1);
  return last && Number(last[1]) / Number(last[2]);
}

/** Its only line: start, end, MB, MB/s, records, records/s, ms of rebalance, ms of fetching, … */
function consumedIn(said: string): number | undefined {
  const line = said.split("\n").find((each) => each.split(", ").length >= 8);
  const fetchMs = Number(line?.split(", ")[7]);
  return Number.isFinite(fetchMs) ? fetchMs / 1_000 : undefined;
}
