/** The embedded log deletes and compacts by itself, and fails well when its disk is full. */
import assert from "node:assert/strict";
import { mkdir, readdir, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import { fill, openLog, produce, readAll, temporaryFolder } from "../harness/embedded-log.ts";
import { waitFor } from "../harness/wait-for.ts";

const soon = { withinMs: 20_000 };

test("retention by size deletes whole old segments and readers go on at what is left", async (t) => {
  const kafka = await openLog(t, { segmentBytes: 500, retentionBytes: 1_000, cleanIntervalMs: 20 });
  for (let n = 0; n < 30; n++) await fill(kafka, "t", [`${n} ${"x".repeat(200)}`]);
  await waitFor(async () => (await readAll(kafka, "t")).length < 10, soon);
  const left = await readAll(kafka, "t");
  assert.equal(left.at(-1)?.offset, 29);
  assert.deepEqual(
    left.map(({ value }) => Number.parseInt(value!, 10)),
    left.map(({ offset }) => offset),
  );
});

test("retention by time follows the clock and the topic's own setting", async (t) => {
  let nowMs = Date.now();
  const clock = {
    nowMs: () => nowMs,
    elapsedMs: () => performance.now(),
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (signal?.aborted) return resolve();
        setTimeout(resolve, 10);
      }),
  };
  const kafka = await openLog(t, { segmentBytes: 100, retentionMs: 60_000, clock });
  await kafka.admin.createTopic({
    name: "kept",
    partitionCount: 1,
    replicationFactor: 1,
    config: { "retention.ms": "-1" },
  });
  for (const topic of ["t", "kept"]) {
    for (let n = 0; n < 5; n++) await fill(kafka, topic, [`${n} ${"x".repeat(50)}`]);
  }
  nowMs += 60_001;
  await waitFor(async () => (await readAll(kafka, "t")).length === 1, soon);
  assert.equal((await readAll(kafka, "kept")).length, 5);
});

test("a compacted topic gets shorter on its own and keeps the last of each key", async (t) => {
  const directory = await temporaryFolder(t);
  const kafka = await openEmbedded({ directory, cleanIntervalMs: 20 });
  await kafka.admin.createTopic({
    name: "c",
    partitionCount: 1,
    replicationFactor: 1,
    config: { "cleanup.policy": "compact", "segment.bytes": "500" },
  });
  for (let n = 0; n < 100; n++) await fill(kafka, "c", [[`k${n % 5}`, `v${n}`]]);
  await waitFor(async () => (await readAll(kafka, "c")).length < 20, soon);
  const last = new Map((await readAll(kafka, "c")).map(({ key, value }) => [key, value]));
  assert.deepEqual([...last.values()].sort(), ["v95", "v96", "v97", "v98", "v99"]);
  await kafka.close();
  const files = await readdir(join(directory, "topics", "c", "0"));
  assert.ok(files.length < 15, `small segments were merged, ${files.length} of 20 are left`);
});

test("compressed batches are compacted, and stay compressed", async (t) => {
  const directory = await temporaryFolder(t);
  const kafka = await openEmbedded({ directory, cleanIntervalMs: 20 });
  await kafka.admin.createTopic({
    name: "c",
    partitionCount: 1,
    replicationFactor: 1,
    config: { "cleanup.policy": "compact", "segment.bytes": "500" },
  });
  const text = "x".repeat(1_000);
  for (let n = 0; n < 40; n++) {
    const records = ["a", `b${n % 3}`, "a"].map((key): [string, string] => [key, `${n} ${text}`]);
    await fill(kafka, "c", records, { "compression.type": "zstd" });
  }
  await waitFor(async () => (await readAll(kafka, "c")).length < 30, soon);
  const records = await readAll(kafka, "c");
  const last = new Map(records.map(({ key, value }) => [key, value?.split(" ")[0]]));
  assert.deepEqual(Object.fromEntries(last), { a: "39", b0: "39", b1: "37", b2: "38" });
  await kafka.close();
  const folder = join(directory, "topics", "c", "0");
  let sizeBytes = 0;
  for (const name of await readdir(folder)) sizeBytes += (await stat(join(folder, name))).size;
  assert.ok(sizeBytes < records.length * 500, `${sizeBytes} bytes for ${records.length} records`);
});

test("a full disk fails the records of one topic and leaves the others as they are", async (t) => {
  const directory = await temporaryFolder(t);
  const kafka = await openLog(t, { directory });
  await fill(kafka, "good", ["1"]);
  const segment = join(directory, "topics", "full", "0", "00000000000000000000.log");
  await mkdir(join(segment, ".."), { recursive: true });
  await symlink("/dev/full", segment);
  const producer = kafka.producer({ clientId: "p" });
  const send = () =>
    produce(producer, [
      { topic: "full", value: "x" },
      { topic: "good", value: "2" },
    ]);
  const [full, good] = await send();
  assert.ok("error" in full! && "offset" in good!);
  assert.equal((full.error as { code?: string }).code, "embedded.disk_full");
  assert.match(full.error.message, new RegExp(`no room is left .* ${directory}`));
  assert.equal((await readAll(kafka, "good")).length, 2);
  await rm(segment);
  const [again] = await send();
  assert.ok("offset" in again!, "there is room again");
  assert.equal((await readAll(kafka, "full")).length, 1);
});
