/** `bulkhead preview` of sinks over a log that others use. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { fill } from "../harness/embedded-log.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { jsonOf, preview, workerText } from "../harness/preview.ts";

export interface PreviewPlace {
  /** How the command finds the log; undefined: an embedded one in the folder `log`. */
  readonly servers: () => Promise<string | undefined>;
  readonly nameOf: (name: string) => string;
  readonly open: (directory: string) => Promise<Kafka>;
}

const transforms = "org.apache.kafka.connect.transforms";

export function testPreviewSinks({ servers, nameOf, open }: PreviewPlace): void {
  test("a sink's records are read from a log that stays as it is, also while it is open", async (context) => {
    const folder = await temporaryDirectory(context);
    const directory = join(folder, "log");
    const worker = join(folder, "worker.properties");
    const log = (await servers()) ?? `embedded:${directory}`;
    await writeFile(worker, workerText(log, join(repository, "plugins")));
    const kafka = await open(directory);
    context.after(() => kafka.close());
    const [first, second, third] = [nameOf("first"), nameOf("second"), nameOf("third")];
    const one = { partitionCount: 1, replicationFactor: 1, config: {} };
    for (const name of [first, second, third]) await kafka.admin.createTopic({ name, ...one });
    await fill(kafka, first, [["k", '{"a":1}'], "nope"]);
    await fill(kafka, second, ['{"a":2}', '{"a":3}']);
    await fill(kafka, third, ["unread"]);
    const base = {
      name: nameOf("sink"),
      "connector.class": "bench.NullSink",
      "count.file": join(folder, "counts"),
      "errors.tolerance": "all",
      transforms: "r",
      "transforms.r.type": `${transforms}.ReplaceField$Value`,
      "transforms.r.renames": "a:b",
    };
    const file = join(folder, "sink.json");
    const previewOf = async (more: object, ...args: string[]) => {
      await writeFile(file, JSON.stringify({ ...base, ...more }));
      return preview([file, "--worker", worker, "--json", ...args]);
    };

    const seen = await previewOf({ "topics.regex": `${first}|${second}` });
    assert.equal(seen.stderr, "4 records: 0 dropped, 1 failed, nothing was put\n");
    assert.equal(seen.code, 1);
    const ends = jsonOf(seen).map(({ place, before, steps, end }) => [
      place.topic,
      place.offset,
      before?.value.value.a,
      steps[0]?.record.value.value.b,
      end.stage ?? end.at,
    ]);
    assert.deepEqual(ends.sort(), [
      [first, 0, 1, 1, "put"],
      [first, 1, undefined, undefined, "VALUE_CONVERTER"],
      [second, 0, 2, 2, "put"],
      [second, 1, 3, 3, "put"],
    ]);
    const partitions = [first, second, third].map((topic) => ({ topic, partition: 0 }));
    assert.deepEqual(await kafka.admin.endOffsets(partitions), [2, 2, 1]);

    await kafka.close();
    const gone = nameOf("gone");
    const closed = await previewOf({ topics: `${second},${gone}` }, "--records", "1");
    assert.equal(
      closed.stderr,
      `1 record: 0 dropped, 0 failed, nothing was put; not there: topic ${gone}\n`,
    );
    assert.equal(closed.code, 0);
    assert.deepEqual(jsonOf(closed)[0].place, { topic: second, partition: 0, offset: 0 });
    assert.equal(existsSync(join(folder, "counts.0")), false);
  });
}
