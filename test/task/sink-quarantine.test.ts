/** Sink tasks whose plugin dies of records, over a real log: what is put, left out, written and committed. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HostError } from "../../src/base/error.ts";
import type { SinkOffset } from "../../src/plugin/plugin.ts";
import { CrashSuspects } from "../../src/task/crash-suspects.ts";
import { SinkTask } from "../../src/task/sink-task.ts";
import { fill, openLog, readAll } from "../harness/embedded-log.ts";
import { FakeSinkStream } from "../harness/fake-sink.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

const records = 120;

async function sinkOver(t: TestContext, config: Record<string, string>, poison: readonly number[]) {
  const kafka = await openLog(t);
  const values = Array.from({ length: records }, (_, n): [string, string] => [`k${n}`, `v${n}`]);
  await fill(kafka, "t", values);
  const suspects = new CrashSuspects(3);
  const taken = new Set<number>();
  const stopping = new AbortController();
  /** One run; rejects with what the task failed of. */
  const run = async () => {
    const stream: FakeSinkStream = new FakeSinkStream({
      onPut: (offsets: readonly SinkOffset[]) => {
        if (!offsets.some(({ offset }) => poison.includes(offset))) return "ok";
        stream.die("exited with code 9");
        return "hang";
      },
    });
    const lease = leaseOf({ startSinkTask: async () => stream }, (reason) => stream.die(reason));
    const parts = taskParts(lease, {
      admin: kafka.admin,
      producer: (options) => kafka.producer(options),
      partitionReader: (options) => kafka.partitionReader(options),
      sinkConsumer: (options) => kafka.sinkConsumer(options),
    });
    const spec = { ...taskSpec("sink"), connectorConfig: { topics: "t", ...config } };
    const task = new SinkTask(spec, { ...parts, suspects }, "STARTED", () => {});
    try {
      await task.run(stopping.signal);
    } finally {
      for (const { offset } of stream.taken) taken.add(offset);
    }
  };
  const committed = async () => {
    const offsets = await kafka.admin.groupOffsets("connect-c");
    return offsets.find((one) => one.topic === "t")?.offset ?? 0;
  };
  return { kafka, run, taken, stopping, committed };
}

function codeOf(error: unknown): string {
  return error instanceof HostError ? error.code : String(error);
}

test("I7: a record that kills becomes a dead letter, and offsets move past it", async (t) => {
  const poison = [0, 41, 119];
  const { kafka, run, taken, stopping, committed } = await sinkOver(
    t,
    {
      "errors.tolerance": "all",
      "errors.deadletterqueue.topic.name": "letters",
      "errors.deadletterqueue.topic.replication.factor": "1",
      "errors.deadletterqueue.context.headers.enable": "true",
    },
    poison,
  );
  const codes: string[] = [];
  const living = (async () => {
    for (let crashes = 0; crashes < 40 && !stopping.signal.aborted; crashes += 1) {
      await run().catch((error: unknown) => codes.push(codeOf(error)));
    }
  })();
  try {
    await waitFor(async () => (await committed()) === records, {
      withinMs: 60_000,
      what: "all offsets to be committed",
    });
  } finally {
    stopping.abort();
    await living;
  }
  assert.equal(taken.size, records - poison.length);
  assert.ok(poison.every((offset) => !taken.has(offset)));
  assert.equal(codes.filter((code) => code === "task.record_quarantined").length, poison.length);
  assert.ok(codes.length <= poison.length * 6, `${codes.length} crashes`);
  const letters = await readAll(kafka, "letters");
  assert.deepEqual(new Set(letters.map(({ value }) => value)), new Set(["v0", "v41", "v119"]));
  const reader = kafka.partitionReader({ clientId: "letters" });
  reader.assign([{ topic: "letters", partition: 0, offset: 0 }]);
  let bytes = "";
  const read = async () => {
    for (const { batches } of await reader.poll(100))
      bytes += Buffer.from(batches).toString("latin1");
    return bytes.includes("t-0@119");
  };
  await waitFor(read, { withinMs: 20_000, what: "the letter of the last record" });
  await reader.close();
  for (const text of [
    "TASK_PUT",
    "org.apache.kafka.connect.errors.ConnectException",
    "its plugin died of it, 3 times in a row",
    "putting the record t-0@41 failed in org.apache.kafka.connect.sink.SinkTask",
  ]) {
    assert.ok(bytes.includes(text), text);
  }
});

test("where nothing is tolerated no offset moves past a record that kills", async (t) => {
  const { run, stopping, committed } = await sinkOver(t, {}, [41]);
  let last: unknown;
  for (let crashes = 0; crashes < 10 && codeOf(last) !== "task.record_kills"; crashes += 1) {
    await run().catch((error: unknown) => {
      last = error;
    });
  }
  assert.match(String(last), /the record t-0@41 has killed its plugin 3 times in a row/);
  await run().catch((error: unknown) => {
    last = error;
  });
  assert.equal(codeOf(last), "task.record_kills", "another start tries it once more");
  assert.ok((await committed()) <= 41);
  stopping.abort();
});
