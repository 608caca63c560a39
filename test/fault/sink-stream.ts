/**
 * What a sink task must not answer, one by one: it fails with the reason, nobody else notices, and no
 * offset was committed of what it did not store.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sinkMisdeeds } from "../fixtures/hostile/polite-sink.ts";
import "../fixtures/hostile/sink-misdeeds.ts";
import { bystanderTopic, FaultHost, linesOf } from "../harness/bystander.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";

const breach = (text: string) => `the plugin broke the contract: ${text}`;

/** What the status says of a task that breaks the contract of its stream. */
const ofTheStream: Record<string, string> = {
  "garbage bytes": breach("a message has a field of the unknown wire type 7"),
  "a message of 20 MiB": breach("Received message larger than max (20971520 vs 4259840)"),
  "runs for one record more": breach("runs add up to"),
  "runs for one record less": breach("runs add up to"),
  "no runs": breach("runs add up to 0 instead of"),
  "runs of four billion": breach("runs add up to 4294967295 instead of"),
  "a run without an outcome": breach("a run has no outcome"),
  "a result that says nothing": breach("the result of put 1 says nothing"),
  "the result of put 99": breach("a result of put 99 came where put 1 was due"),
  "a result twice": breach("a result of put 1 came where put"),
  "a result before any put": breach("a result of put 1 came where put none was due"),
  "results in the wrong order": breach("a result of put 2 came where put 1 was due"),
  "Opened twice": breach("Opened or Closed came where none was due"),
  "Closed without Close": breach("Opened or Closed came where none was due"),
  "the result of flush 99": breach("a result of flush 99 came where none was due"),
};

/** What it says where records and offsets of the log are meant; undefined: the task goes on. */
const ofTheLog = (topic: string): Record<string, string | undefined> => ({
  "offsets beyond what was flushed": breach(`a FlushResult names offset`),
  "offsets of a partition that was not flushed": breach(
    `a FlushResult names ${topic}-7, which its Flush did not`,
  ),
  "offsets of a topic that is not its own": breach(
    "a FlushResult names connect-offsets-0, which its Flush did not",
  ),
  "an offset below zero": breach(`a FlushResult has the offset -5 for ${topic}-0`),
  "no offset where there has to be one": breach(`a FlushResult has no offset for ${topic}-0`),
  "an errant report twice": "Tolerance exceeded in error handler",
  "a record of its own that failed": "this record is bad",
  "a pause of what is not its own": undefined,
  "10,000 requests to commit": undefined,
});

test("there is a row for every misdeed", () => {
  const told = { ...ofTheStream, ...ofTheLog("t") };
  assert.deepEqual(Object.keys(told).sort(), [...sinkMisdeeds.keys()].sort());
});

/** `misdeeds`: all, or those that the log has to do with. */
export function testSinkStream(place: LogPlace, misdeeds: "all" | "of the log"): void {
  const topic = place.nameOf(bystanderTopic);
  const told = { ...(misdeeds === "all" ? ofTheStream : {}), ...ofTheLog(topic) };
  const neighbour = place.nameOf("neighbour");
  let fault: FaultHost;
  before(async () => {
    fault = await FaultHost.start({
      place,
      plugins: [{ name: "misbehave", run: ["misbehave"] }],
      worker: { "plugin.process.per": "plugin" },
    });
    // In the same process as all who misbehave.
    await fault.create(neighbour, "misbehave.Sink", configOf(neighbour));
    await fault.running(neighbour);
  });
  after(() => fault.stop());

  for (const [index, [misdeed, words]] of Object.entries(told).entries()) {
    const name = place.nameOf(`m${index}`);
    const does = words === undefined ? "goes on" : `fails with "${words}"`;
    test(`a sink task that answers ${misdeed} ${does}, and nothing is lost`, () =>
      fault.during(async () => {
        await fault.create(name, "misbehave.Sink", { ...configOf(name), misdeed });
        if (words !== undefined) {
          const trace = await fault.failure(name, "task");
          assert.ok(trace.includes(words), trace);
          assert.equal((await fault.status(name))?.connector.state, "RUNNING");
          await fault.configure(name, "misbehave.Sink", configOf(name));
        }
        await arriveWhole(name);
        await arriveWhole(neighbour);
        await fault.delete(name);
      }));
  }

  function configOf(name: string): Record<string, string> {
    return { topics: topic, file: join(fault.directory, `${name}.txt`) };
  }

  /** First occurrences of all that there is now, in order and none missing. */
  async function arriveWhole(name: string): Promise<void> {
    const file = join(fault.directory, `${name}.txt`);
    const wanted = Array.from({ length: fault.linesWritten }, (_, index) => `line ${index + 1}`);
    const last = wanted.at(-1) as string;
    await waitFor(async () => (await linesOf(file)).includes(last), {
      withinMs: 20_000,
      everyMs: 100,
      what: `${last} to arrive at ${name}`,
    });
    assert.deepEqual([...new Set(await linesOf(file))].slice(0, wanted.length), wanted);
  }
}
