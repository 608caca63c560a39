/** What a source task must not send, one by one: it fails with the reason, and nobody else notices. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { earlySourceMisdeeds, sourceMisdeeds } from "../fixtures/hostile/polite-source.ts";
import "../fixtures/hostile/source-misdeeds.ts";
import { FaultHost, linesOf } from "../harness/bystander.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";

const breach = (text: string) => `the plugin broke the contract: ${text}`;
const failed = (text: string) => `Unrecoverable exception from producer send callback: ${text}`;

const intolerable = (text: string) => `Tolerance exceeded in error handler: ${text}`;

/** What the status says of a task that breaks the contract of its stream; undefined: it does not. */
const ofTheStream: Record<string, string | undefined> = {
  "garbage bytes": breach("a message has a field of the unknown wire type 7"),
  "a truncated message": breach("a message ends in the middle of a field"),
  "a message of two million empty parts": breach("a message has more than 200000 fields"),
  "a message with parts in a column": breach("a message has more than 200000 fields"),
  "a message nested 20,000 deep": breach("a message has a field of the unknown wire type 3"),
  "text that is not UTF-8 in a topic": breach(
    "a SourceTaskMessage cannot be decoded: The encoded data was not valid for encoding utf-8",
  ),
  "text that is not UTF-8 in a header name": breach(
    "a SourceTaskMessage cannot be decoded: The encoded data was not valid for encoding utf-8",
  ),
  "a second hello": breach("the task's hello came twice"),
  "Started twice": breach("Started came where it is not allowed"),
  "Stopped without being asked": "the plugin stopped the task without being asked",
  "Dropped, though the host runs the chain": breach(
    "Dropped came, but the host runs the task's chain",
  ),
  "the end of its stream": "the plugin closed its stream without Stopped",
  "a reset of its stream": "the plugin closed its stream without Stopped",
  "a batch before Started": breach(
    "the plugin sent a batch without credit (left: 0 records, 0 bytes)",
  ),
  "batch 3 after batch 1": breach("batch 3 came after batch 1"),
  "Drained without Drain": breach("Drained came without Drain"),
  "a transaction that it does not have": breach(
    "batch 1 marks a transaction, but the task has none",
  ),
  "an arena that is shorter than its sizes": breach("the sizes add up to"),
  "an arena that is longer than its sizes": breach("the sizes add up to"),
  "sizes that add up beyond 2^32": breach("the sizes add up to 85899346"),
  "one size too many": breach("column value_sizes has more than 3 entries"),
  "headers that are not there": breach("column header_names has 0 entries instead of 1"),
  "100,000 headers": breach("record 0 has 100000 headers; at most 1000 are allowed"),
  "10,001 records": breach("a batch has 10001 records; at most 10000 are allowed"),
  "4,000,000,000 records": breach("a batch has 4000000000 records; at most 10000 are allowed"),
  "no topic": breach("column topics has 0 entries instead of 1 or 3"),
  "the topic 9": breach("column topics has the id 9, which is not defined"),
  "the form 9": breach("column value_forms has the id 9, which is not defined"),
  "the header name 9": breach("column header_names has the id 9, which is not defined"),
  "the source partition 9": breach("column source_partitions has the id 9, which is not defined"),
  "the first offset as the one before": breach(
    'offset 0 says "same as before" where that is not allowed',
  ),
  "an offset that is not JSON":
    'the plugin sent an offset of source partition {"count":"up"} that is not JSON: }',
  "an id 0": breach("topics were given the id 0; ids are 1 to 65535"),
  "an id 65,536": breach("topics were given the id 65536; ids are 1 to 65535"),
  "an id twice": breach("topics were given the id 1 twice"),
  "a topic of 300 characters": breach("topics 2 has 300 bytes; at most 249 are allowed"),
  "a partition that is not JSON": breach("partition 2 is not JSON: {"),
  "an unknown encoding": breach("form 2 has the unknown encoding 77"),
  "a checkpoint that is not JSON": breach("a Checkpoint has a text that is not JSON: a"),
  "definitions of 40 MiB": breach("definitions have more than 33554432 bytes together"),
  "a message one byte over the limit": breach(
    "Received message larger than max (4259841 vs 4259840)",
  ),
  "a message of 20 MiB": breach("Received message larger than max (20971520 vs 4259840)"),
  "a batch one byte over the limit": breach(
    "a batch counts 4194305 bytes; at most 4194304 are allowed",
  ),
  "fields that nobody knows": undefined,
};

/** What it says where the log has to do with it; undefined: it is no misdeed, and the task goes on. */
const ofTheLog = (junk: string): Record<string, string | undefined> => ({
  "a timestamp of -2": intolerable(
    `writing the record of source partition {"count":"up"} at offset 1 for topic ${junk} failed in org.apache.kafka.connect.runtime.WorkerSourceTask: Invalid record timestamp -2`,
  ),
  "the partition 7 of 1": failed(`cannot write a record to partition 7 of topic ${junk}: it has 1`),
  "the partition 4,294,967,294": failed("cannot write a record to partition 4294967294 of topic"),
  "an empty topic": failed('cannot use topic "": its name is empty'),
  "a topic with a slash": failed('cannot use topic "../../etc": its name has a character'),
  "a topic named ..": failed('cannot use topic "..": its name cannot be "." or ".."'),
  "the topic of the host's configs": "cannot write a record to topic connect-configs",
  "the topic of the host's offsets": "cannot write a record to topic connect-offsets",
  "the topic of the host's statuses": "cannot write a record to topic connect-status",
  "the topic of Kafka's offsets": "cannot write a record to topic __consumer_offsets",
  "a message of exactly the limit": undefined,
  "a batch of exactly the limit": undefined,
  "partitions named __proto__ and constructor": undefined,
});

const numbers = 100;

test("there is a row for every misdeed", () => {
  assert.deepEqual(
    Object.keys({ ...ofTheStream, ...ofTheLog("t") }).sort(),
    [...earlySourceMisdeeds.keys(), ...sourceMisdeeds.keys()].sort(),
  );
});

/** `misdeeds`: all, or those that the log has to do with. */
export function testSourceStream(place: LogPlace, misdeeds: "all" | "of the log"): void {
  const junk = place.nameOf("junk");
  const good = place.nameOf("good");
  const told = { ...(misdeeds === "all" ? ofTheStream : {}), ...ofTheLog(junk) };
  let fault: FaultHost;
  before(async () => {
    fault = await FaultHost.start({
      place,
      plugins: [{ name: "misbehave", run: ["misbehave"] }],
      worker: { "plugin.process.per": "plugin" },
    });
    // In the same process as all who misbehave.
    await fault.create("neighbour", "misbehave.Source", {
      topic: place.nameOf("neighbour"),
      count: "1000000",
    });
    await fault.create(good, "org.apache.kafka.connect.file.FileStreamSinkConnector", {
      topics: good,
      file: join(fault.directory, "good.txt"),
    });
    await fault.running("neighbour");
  });
  after(() => fault.stop());

  for (const [index, [misdeed, words]] of Object.entries(told).entries()) {
    const name = `m${index}`;
    const does = words === undefined ? "goes on" : `fails with "${words}"`;
    // What may live as bytes and as text at once is twice the 32 MiB that definitions may have.
    const judgement = misdeed === "definitions of 40 MiB" ? { growthMax: 96 * 1_048_576 } : {};
    test(`a source task that sends ${misdeed} ${does}`, () =>
      fault.during(async () => {
        const neighbour = await countOf("neighbour");
        const topic = words === undefined ? good : junk;
        await fault.create(name, "misbehave.Source", { misdeed, topic, count: `${numbers}` });
        if (words === undefined) await allArrive(name);
        else {
          const trace = await fault.failure(name, "task");
          assert.ok(trace.includes(words), trace);
          assert.equal((await fault.status(name))?.connector.state, "RUNNING");
        }
        await fault.delete(name);
        await waitFor(async () => (await countOf("neighbour")) > neighbour, {
          withinMs: 20_000,
          what: "its neighbour in the process to go on",
        });
      }, judgement));
  }

  /** The last of them, so all before it. */
  function allArrive(name: string): Promise<void> {
    const last = new RegExp(`^${name}:${numbers + 19}$|^${name}:${numbers}$`);
    return waitFor(
      async () =>
        (await linesOf(join(fault.directory, "good.txt"))).some((line) => last.test(line)),
      { withinMs: 20_000, everyMs: 100, what: `all records of ${name}` },
    );
  }

  async function countOf(connector: string): Promise<number> {
    const tasks = await fault.host.tasks();
    const task = tasks.find((one) => one.connector === connector);
    return task?.metrics["source-record-write-total"] ?? 0;
  }
}
