/** What the embedded log writes is what Kafka's own tool finds in a segment. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import { fill, readAll, temporaryFolder } from "../harness/embedded-log.ts";
import { javaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];

describe("embedded segments", { skip: missing ?? false }, () => {
  test("hold what DumpLogSegments finds valid, batch by batch and record by record", async (t) => {
    const directory = await temporaryFolder(t);
    const kafka = await openEmbedded({ directory, cleanIntervalMs: 20 });
    const records = Array.from({ length: 400 }, (_, n): [string, string | null] => [
      `key ${n % 7}`,
      n % 50 === 3 ? null : `value ${n} ${"x".repeat(n)}`,
    ]);
    for (const codec of codecs) await fill(kafka, codec, records, { "compression.type": codec });
    await kafka.admin.createTopic({
      name: "compacted",
      partitionCount: 1,
      replicationFactor: 1,
      config: { "cleanup.policy": "compact", "segment.bytes": "2000" },
    });
    for (let n = 0; n < 30; n++) {
      const codec = codecs[n % codecs.length] as string;
      await fill(kafka, "compacted", records.slice(n, n + 20), { "compression.type": codec });
    }
    const left = async () => (await readAll(kafka, "compacted")).length;
    await waitFor(async () => (await left()) < 300, { withinMs: 20_000, what: "compaction" });
    await kafka.close();

    const folders = [...codecs, "compacted"].map((topic) => join(directory, "topics", topic, "0"));
    const files: string[] = [];
    for (const folder of folders) {
      for (const name of await readdir(folder)) files.push(join(folder, name));
    }
    const args = ["--deep-iteration", "--print-data-log", "--files", files.join(",")];
    const { stdout } = await javaTool("DumpLogSegments", args);
    assert.doesNotMatch(stdout, /isvalid: false|Found|not allowed|exception/i);
    const dumps = stdout.split(/^Dumping /m).slice(1);
    assert.equal(dumps.length, files.length);
    for (const [n, codec] of codecs.entries()) {
      const dump = dumps[n] as string;
      const named = new Set([...dump.matchAll(/compresscodec: (\w+)/g)].map(([, name]) => name));
      assert.deepEqual([...named], [codec]);
      const found = [...dump.matchAll(/ key: (.+?)(?: payload: (.*))?$/gm)].map(
        ([, key, payload]) => [key, payload ?? null],
      );
      assert.deepEqual(found, records);
    }
    const reopened = await openEmbedded({ directory });
    const compacted = await readAll(reopened, "compacted");
    await reopened.close();
    const offsets = dumps.slice(codecs.length).flatMap((dump) => {
      return [...dump.matchAll(/^\| offset: (\d+) /gm)].map(([, offset]) => Number(offset));
    });
    assert.deepEqual(
      offsets,
      compacted.map(({ offset }) => offset),
    );
  });
});
