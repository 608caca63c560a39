import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HarnessError, harness } from "../src/harness/harness.ts";
import {
  checkpoint,
  config,
  DataError,
  RecordErrors,
  RetriableError,
  type SinkOffset,
  type SinkRecord,
  schema,
  sink,
  source,
} from "../src/index.ts";

/** Ends with the test, which has to end well then. */
async function ended<H extends { stop(): Promise<void> }>(t: TestContext, starting: Promise<H>) {
  const task = await starting;
  t.after(() => task.stop());
  return task;
}

/** Yields numbers in arrays of ten from where it was. */
const counter = source({
  class: "test.Counter",
  config: { topic: config.string({ required: true, doc: "where to" }) },
  async *read({ config, offset, task }) {
    const sourcePartition = { counter: task };
    const last = await offset(sourcePartition);
    for (let n = Number(last?.["n"] ?? 0); ; ) {
      yield Array.from({ length: 10 }, () => {
        n += 1;
        return { topic: config.topic, value: `line ${n}`, sourcePartition, sourceOffset: { n } };
      });
    }
  },
});

test("a source is read as far as asked, and goes on from its commits", async (t) => {
  const task = await ended(t, harness(counter, { topic: "t" }));
  const values = async (count: number) => (await task.read(count)).map((one) => one.value);
  assert.deepEqual(await values(2), ["line 1", "line 2"]);
  await task.commit();
  assert.deepEqual(await values(2), ["line 3", "line 4"]);
  await task.crash();
  await task.resume();
  assert.deepEqual(
    await values(12),
    Array.from({ length: 12 }, (_, at) => `line ${at + 3}`),
  );
  assert.deepEqual(task.committed.get('{"counter":0}'), { n: 2 });
  await task.rebalance();
  assert.deepEqual(task.committed.get('{"counter":0}'), { n: 14 });
  assert.deepEqual(await values(1), ["line 15"]);
  await task.rebalance(3);
  assert.deepEqual(await values(1), ["line 1"]);
});

test("a record comes with everything that it has", async (t) => {
  const row = schema.struct({ id: schema.int64() });
  const one = {
    topic: "rows",
    partition: 4,
    timestamp: 17,
    key: Buffer.from("k"),
    value: { id: 2n ** 60n },
    valueSchema: row,
    headers: [{ name: "h", value: "v" }],
    sourcePartition: { p: 1 },
    sourceOffset: { n: 1 },
  };
  const made = source({
    class: "test.Rows",
    async *read() {
      yield one;
      yield { topic: "plain", value: null };
      yield checkpoint({ p: 2 }, { n: 9 });
    },
  });
  const task = await ended(t, harness(made));
  const [first, second] = await task.read(2);
  assert.deepEqual(
    { ...first, key: String(first?.key) },
    {
      topic: "rows",
      partition: 4,
      timestamp: 17,
      key: "k",
      value: { id: 2n ** 60n },
      headers: [{ name: "h", value: "v" }],
      sourcePartition: { p: 1 },
      sourceOffset: { n: 1 },
    },
  );
  assert.deepEqual([second?.value, second?.partition, second?.timestamp], [null, null, null]);
  await task.rebalance();
  assert.deepEqual(task.committed.get('{"p":2}'), { n: 9 });
});

test("time passes when it is told to: a source that may be repeated waits for it", async (t) => {
  let lives = 0;
  const made = source({
    class: "test.Flaky",
    async *read() {
      lives += 1;
      if (lives < 3) throw new RetriableError("not yet", { retryAfterMs: 3_600_000 });
      yield { topic: "t", value: "at last" };
    },
  });
  const task = await ended(t, harness(made));
  const reading = task.read(1);
  for (const life of [1, 2]) {
    while (task.clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(lives, life);
    task.clock.advance(3_600_000);
  }
  assert.equal((await reading)[0]?.value, "at last");
  assert.equal(task.logged.filter(({ level }) => level === "warn").length, 2);
});

test("what a source throws is thrown with the line of its file", async () => {
  const made = source({
    class: "test.Broken",
    async *read() {
      yield { topic: "t", value: "one" };
      throw new Error("the table is gone");
    },
  });
  const task = await harness(made);
  await assert.rejects(task.read(2), (error: Error) => {
    assert.ok(error instanceof HarnessError);
    assert.equal(error.message, "the table is gone");
    assert.match(String(error.stack), /harness\.test\.ts:\d+/);
    return true;
  });
  await task.crash();
});

test("a config that cannot be is told at the start, and too few records in time", async () => {
  await assert.rejects(harness(counter), /topic/);
  const made = source({
    class: "test.One",
    async *read() {
      yield { topic: "t", value: "one" };
    },
  });
  const task = await harness(made, {}, { waitMs: 50 });
  await assert.rejects(task.read(2), /did not yield 2 records within 50 ms/);
  await task.crash();
});

test("acked and committed are called as by a host", async () => {
  const calls: string[] = [];
  const made = source({
    class: "test.Acked",
    async *read() {
      yield [1, 2, 3].map((n) => {
        return { topic: "t", value: n, sourcePartition: { p: 1 }, sourceOffset: { n } };
      });
    },
    acked: (records) => void calls.push(`acked ${records.length}`),
    committed: (offsets) => void calls.push(`committed ${JSON.stringify(offsets)}`),
    stop: () => void calls.push("stop"),
  });
  const task = await harness(made);
  await task.read(3);
  await task.commit();
  await task.stop();
  assert.deepEqual(calls, [
    "acked 3",
    'committed [{"partition":{"p":1},"offset":{"n":3}}]',
    "stop",
  ]);
});

/** Keeps what it is given, and what is called. */
function keeper(put: (records: readonly SinkRecord[]) => void = () => {}) {
  const kept: unknown[] = [];
  const calls: string[] = [];
  const made = sink({
    class: "test.Keeper",
    open: (partitions) =>
      void calls.push(`open ${partitions.map((one) => `${one.partition}@${one.offset}`)}`),
    put(records) {
      if (records.length === 0) calls.push("nothing");
      put(records);
      kept.push(...records.map((one) => one.value));
    },
    close: (partitions) => void calls.push(`close ${partitions.map((one) => one.partition)}`),
    stop: () => void calls.push("stop"),
  });
  return { kept, calls, made };
}

test("a sink gets its records, commits them and is stopped", async () => {
  const { kept, calls, made } = keeper();
  const task = await harness(made);
  await task.put("a", { value: { b: 1 }, partition: 3 });
  await task.put("c");
  assert.deepEqual(kept, ["a", { b: 1 }, "c"]);
  await task.stop();
  assert.deepEqual(
    [...task.committed],
    [
      ["topic-0", 2],
      ["topic-3", 1],
    ],
  );
  assert.deepEqual(calls, ["open 0@null", "open 3@null", "close 0,3", "stop"]);
});

test("after a crash a sink gets again what was not committed", async (t) => {
  const { kept, made } = keeper();
  const task = await ended(t, harness(made));
  await task.put("a");
  await task.commit();
  await task.put("b");
  await task.crash();
  await task.resume();
  assert.deepEqual(kept, ["a", "b", "b"]);
  await task.lose();
  assert.deepEqual(kept, ["a", "b", "b", "b"]);
  await task.rebalance();
  await task.put("c");
  assert.deepEqual(kept, ["a", "b", "b", "b", "c"]);
});

test("a put that may be repeated comes again after its time", async (t) => {
  let tries = 0;
  const { kept, made } = keeper(() => {
    tries += 1;
    if (tries < 3) throw new RetriableError("busy", { retryAfterMs: 1_000 });
  });
  const task = await ended(t, harness(made));
  await task.put("a", "b");
  assert.deepEqual([kept, tries, task.clock.nowMs], [["a", "b"], 3, 2_000]);
});

test("records that a sink gives up are listed, those of an error and those it reports", async (t) => {
  const { made } = keeper((records) => {
    const bad = records.filter((one) => one.value === "bad");
    if (bad.length === 0) return;
    throw new RecordErrors(bad.map((record) => ({ record, error: new DataError("bad value") })));
  });
  const reporting = sink({
    class: "test.Reporting",
    async put(records, { report }) {
      for (const record of records) await report(record, new Error(`not ${record.value}`));
    },
  });
  const task = await ended(t, harness(made));
  await task.put("good", "bad");
  assert.deepEqual(task.reported, [{ topic: "topic", partition: 0, offset: 1, text: "bad value" }]);
  const other = await ended(t, harness(reporting));
  await other.put("x");
  assert.deepEqual(
    other.reported.map(({ text }) => text),
    ["not x"],
  );
});

test("a sink is put nothing when time passes, may rewind, and flushes less than it has", async (t) => {
  let safe: readonly SinkOffset[] | undefined;
  const { kept, calls } = keeper();
  let rewinds = 1;
  const made = sink({
    class: "test.Rewinding",
    put(records, { rewind }) {
      if (records.length === 0) calls.push("nothing");
      kept.push(...records.map((one) => one.value));
      if (records.length === 2 && rewinds-- > 0)
        rewind([{ topic: "topic", partition: 0, offset: 0 }]);
    },
    flush: (offsets) => safe ?? offsets,
  });
  const task = await ended(t, harness(made));
  await task.put("a", "b");
  assert.deepEqual(kept, ["a", "b", "a", "b"]);
  safe = [{ topic: "topic", partition: 0, offset: 1 }];
  await task.commit();
  assert.equal(task.committed.get("topic-0"), 1);
  await task.idle();
  assert.deepEqual(calls, ["nothing"]);
});

test("what a sink throws ends the put with the line of its file", async () => {
  const { made } = keeper(() => {
    throw new Error("disk full");
  });
  const task = await harness(made);
  await assert.rejects(task.put("a"), (error: Error) => {
    assert.equal(error.message, "disk full");
    assert.match(String(error.stack), /harness\.test\.ts:\d+/);
    return true;
  });
  await task.crash();
});
