/**
 * `npm run chaos`: long rounds of killing, at random moments and at random points of a plugin's life, then
 * the property tests and the fuzz on twenty times as many inputs. `--rounds N` (20), `--seed N`, `--kills N` (5).
 */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Cluster, startCluster } from "../harness/kafka/cluster.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { brokerRound, roundClusterOptions } from "./broker-round.ts";
import { dieRound } from "./die-round.ts";
import { killRound, type Victim } from "./kill-round.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    kills: { type: "string", default: "5" },
  },
});
const victims: Victim[] = ["source plugin", "sink plugin", "host"];
const directory = await mkdtemp(join(tmpdir(), "bulkhead-chaos-"));
let passed = 0;
let failed = 0;
try {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const points = { seed: Number(values.seed) + round, kills: Number(values.kills) };
    try {
      await dieRound(points);
      console.log(`ok    seed ${points.seed}, killed at ${points.kills} points of their lives`);
      passed += 1;
    } catch (error) {
      console.log(`FAIL  ${(error as Error).message}`);
      failed += 1;
    }
    for (const victim of victims) {
      const seed = Number(values.seed) + round;
      const own = join(directory, `${round}-${victim.replace(" ", "-")}`);
      await mkdir(own);
      try {
        const { lines, repeated } = await killRound({
          directory: own,
          victim,
          seed,
          kills: Number(values.kills),
        });
        console.log(`ok    seed ${seed}, ${victim}: ${lines} lines, ${repeated} repeated`);
        passed += 1;
      } catch (error) {
        console.log(`FAIL  ${(error as Error).message}`);
        failed += 1;
      }
      await rm(own, { recursive: true, force: true });
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
await brokerRounds();
await longProperties();
console.log(`chaos: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** As many rounds over one cluster of three; after one that failed, over a new one. */
async function brokerRounds(): Promise<void> {
  const { missing } = await kafkaJars();
  if (missing !== undefined) return console.log(`skip  faults of brokers: ${missing}`);
  let cluster: Cluster | undefined;
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const seed = Number(values.seed) + round;
    const producer = round % 2 === 0 ? "idempotent" : "connect";
    try {
      cluster ??= await startCluster(3, roundClusterOptions);
      const { records } = await brokerRound({ cluster, producer, seed, faults: 5 });
      console.log(
        `ok    seed ${seed}, faults of brokers, ${producer} producer: ${records} records`,
      );
      passed += 1;
    } catch (error) {
      console.log(`FAIL  ${(error as Error).message}`);
      failed += 1;
      await cluster?.stop();
      cluster = undefined;
    }
  }
  await cluster?.stop();
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
