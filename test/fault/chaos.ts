/**
 * `npm run chaos`: long rounds of killing, at random moments and at random points of a plugin's life, then
 * the property tests and the fuzz on twenty times as many inputs. `--rounds N` (20), `--seed N`, `--kills N` (5);
 * `--poison` = only the rounds with poison among the records.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { sharedKafka } from "../harness/kafka/broker.ts";
import { type Cluster, startCluster } from "../harness/kafka/cluster.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { inCluster } from "../harness/kafka/over-cluster.ts";
import { inFolder, type LogPlace } from "../harness/log-place.ts";
import { brokerRound, roundClusterOptions } from "./broker-round.ts";
import { dieRound } from "./die-round.ts";
import { killRound, type Victim } from "./kill-round.ts";
import { poisonRounds } from "./poison-round.ts";
import { poisonSourceRounds } from "./poison-source-round.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    kills: { type: "string", default: "5" },
    poison: { type: "boolean", default: false },
  },
});
const victims: Victim[] = ["source plugin", "sink plugin", "host"];
const directory = await mkdtemp(join(tmpdir(), "bulkhead-chaos-"));
const { missing } = await kafkaJars();
let passed = 0;
let failed = 0;
try {
  if (!values.poison) await embeddedRounds();
  if (missing !== undefined) console.log(`skip  over a cluster: ${missing}`);
  else if (values.poison) await eachRound(poison);
  else await clusterRounds();
} finally {
  await rm(directory, { recursive: true, force: true });
}
if (!values.poison) await longProperties();
console.log(`chaos: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function embeddedRounds(): Promise<void> {
  await eachRound(async (seed) => {
    await die(seed);
    await kill(seed, Number(values.kills));
  });
}

async function eachRound(work: (seed: number, round: number) => Promise<void>): Promise<void> {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    await work(Number(values.seed) + round, round);
  }
}

/** Prints what came out of it and counts it; false when it failed. */
async function attempt(work: () => Promise<string>): Promise<boolean> {
  try {
    console.log(`ok    ${await work()}`);
    passed += 1;
    return true;
  } catch (error) {
    console.log(`FAIL  ${(error as Error).message}`);
    failed += 1;
    return false;
  }
}

type Where = "embedded" | "cluster";

function placeOf(where: Where): LogPlace {
  return where === "cluster" ? inCluster() : inFolder;
}

function overWhat(where: Where): string {
  return where === "cluster" ? " over a cluster" : "";
}

async function die(seed: number, where: Where = "embedded"): Promise<void> {
  const kills = Number(values.kills);
  await attempt(async () => {
    await dieRound({ seed, kills, place: placeOf(where) });
    return `seed ${seed}, killed at ${kills} points of their lives${overWhat(where)}`;
  });
}

/** A round for each victim, over the embedded log or over a cluster. */
async function kill(seed: number, kills: number, where: Where = "embedded"): Promise<void> {
  for (const victim of victims) {
    const own = await mkdtemp(join(directory, "round-"));
    await attempt(async () => {
      const { lines, repeated } = await killRound({
        directory: own,
        victim,
        seed,
        kills,
        place: placeOf(where),
      });
      return `seed ${seed}, ${victim}${overWhat(where)}: ${lines} lines, ${repeated} repeated`;
    });
    await rm(own, { recursive: true, force: true });
  }
}

/** As many rounds over one cluster of three; after one that failed, over a new one. */
async function clusterRounds(): Promise<void> {
  let cluster: Cluster | undefined;
  await eachRound(async (seed, round) => {
    const producer = round % 2 === 0 ? "idempotent" : "connect";
    const isWell = await attempt(async () => {
      cluster ??= await startCluster(3, roundClusterOptions);
      const { records } = await brokerRound({ cluster, producer, seed, faults: 5 });
      return `seed ${seed}, faults of brokers, ${producer} producer: ${records} records`;
    });
    if (isWell) return;
    await cluster?.stop();
    cluster = undefined;
  });
  await cluster?.stop();
  await eachRound(async (seed) => {
    await die(seed, "cluster");
    await kill(seed, 1, "cluster");
    await poison(seed);
  });
}

/** Poison among a sink's records and one of plugin, host or both killed; then among a source's, each killed. */
async function poison(seed: number): Promise<void> {
  const own = await mkdtemp(join(directory, "poison-"));
  const { bootstrap: bootstrapServers } = await sharedKafka();
  const logger = silentLogger();
  const kafka = await openKafka({ bootstrapServers, config: {}, clientId: "poison", logger });
  await attempt(async () => {
    const asked = { directory: join(own, "sink"), kafka, place: inCluster(), seed, rounds: 1 };
    const { records, poison: bad } = await poisonRounds(asked);
    return `seed ${seed}, poison over a cluster: ${records} records, ${bad} bad`;
  });
  await attempt(async () => {
    const asked = { directory: join(own, "source"), kafka, place: inCluster(), seed, rounds: 3 };
    const { lines, poison: bad } = await poisonSourceRounds(asked);
    return `seed ${seed}, poison of a source over a cluster: ${lines} lines, ${bad} bad`;
  });
  await kafka.close();
  await rm(own, { recursive: true, force: true });
}

/** Each test once, on many inputs. */
async function longProperties(): Promise<void> {
  process.env["BULKHEAD_SEED"] = values.seed;
  process.env["BULKHEAD_ROUNDS"] = "20";
  const folders = ["property", "fuzz"].map((name) =>
    fileURLToPath(new URL(`../${name}`, import.meta.url)),
  );
  const compaction = new URL("../../src/embedded/partition-log.test.ts", import.meta.url);
  const files = (
    await Promise.all(
      folders.map(async (folder) => (await readdir(folder)).map((file) => join(folder, file))),
    )
  ).flat();
  files.push(fileURLToPath(compaction));
  const events = run({ files: files.filter((file) => file.endsWith(".test.ts")), concurrency: 2 });
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.nesting > 0 || data.name.endsWith(".ts")) continue;
    if (type === "test:pass") passed += 1;
    else failed += 1;
    console.log(
      type === "test:pass"
        ? `ok    ${data.name}`
        : `FAIL  ${data.name}: ${data.details.error.message}`,
    );
  }
}
