import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Encoding } from "../src/gen/bulkhead/plugin/v1/record_pb.ts";
import { RecordErrors, RetriableError, type SinkRecord, schema, sink } from "../src/index.ts";
import { schemaText } from "../src/schema-text.ts";
import { json, stop, text, values, withSink } from "./running-sink.ts";

test("puts, flushes, opens and closes run one after the other in stream order", async () => {
  const calls: string[] = [];
  let running = 0;
  const call = async (name: string) => {
    running += 1;
    assert.equal(running, 1);
    await sleep(2);
    running -= 1;
    calls.push(name);
  };
  const made = sink({
    class: "S",
    start: () => ({ name: "state" }),
    open: (partitions) => call(`open ${JSON.stringify(partitions)}`),
    put: (records, { state }) => call(`put ${values(records)} ${state.name}`),
    flush: (offsets) => call(`flush ${JSON.stringify(offsets)}`),
    close: (partitions) => call(`close ${JSON.stringify(partitions)}`),
    stop: () => call("stop"),
  });
  await withSink(made, async ({ task, put }) => {
    put.send(["a", "b"]);
    put.send(["c"]);
    const partition = { topic: "t", partition: 0 };
    task.send({ case: "flush", value: { flushSeq: 9n, offsets: [{ ...partition, offset: 3n }] } });
    task.send({ case: "close", value: { partitions: [partition] } });
    for (const seq of [1n, 2n]) {
      const result = await put.result();
      assert.equal(result.putSeq, seq);
      assert.equal(result.kind.case, "ok");
    }
    const flushed = await task.inbox.next("flushResult");
    assert.equal(flushed.flushSeq, 9n);
    assert.deepEqual(
      flushed.safe.map((one) => [one.topic, one.partition, one.offset]),
      [["t", 0, 3n]],
    );
    await task.inbox.next("closed");
    await stop(task);
    assert.deepEqual(calls, [
      'open [{"topic":"t","partition":0,"offset":null}]',
      "put a,b state",
      "put c state",
      'flush [{"topic":"t","partition":0,"offset":3}]',
      'close [{"topic":"t","partition":0}]',
      "stop",
    ]);
  });
});

test("credit comes back exactly once for every put, discarded or not", async () => {
  const made = sink({
    class: "S",
    put(records) {
      if (records[0]?.value === "again") throw new RetriableError("later");
    },
  });
  await withSink(made, async ({ task, put }) => {
    const granted = await task.inbox.next("credit");
    assert.ok(granted.records > 0n && granted.bytes > 0n);
    for (const one of [["abc", "d"], ["again"], ["e"]]) {
      put.send(one);
      await put.result();
      const back = await task.inbox.next("credit");
      const arena = one.join("").length;
      assert.equal(back.records, BigInt(one.length));
      assert.equal(back.bytes, BigInt(arena + 64 * one.length + 4_096));
    }
    await stop(task);
    assert.ok(!task.inbox.kinds.includes("credit"));
  });
});

test("after a retry all puts of an older epoch are discarded, unexecuted", async () => {
  const seen: unknown[] = [];
  const made = sink({
    class: "S",
    put(records) {
      seen.push(values(records));
      if (seen.length === 1) throw new RetriableError("busy", { retryAfterMs: 70 });
    },
  });
  await withSink(made, async ({ task, put }) => {
    put.send(["a"]);
    put.send(["b"]);
    put.send(["c"]);
    const first = await put.result();
    assert.equal(first.kind.case, "retry");
    assert.equal(first.kind.case === "retry" && first.kind.value.retryAfterMs, 70n);
    assert.equal(first.kind.case === "retry" && first.kind.value.failure?.text, "busy");
    assert.equal(first.epoch, 1n);
    for (const seq of [2n, 3n]) {
      const result = await put.result();
      assert.deepEqual([result.putSeq, result.kind.case, result.epoch], [seq, "discarded", 1n]);
    }
    assert.equal((await put.now(["a", "b", "c"], 1)).kind.case, "ok");
    assert.deepEqual(seen, [["a"], ["a", "b", "c"]]);
    await stop(task);
  });
});

test("rewind and pause raise the epoch; puts on their way are discarded", async () => {
  const made = sink({
    class: "S",
    put(records, { rewind, pause, resume, requestCommit }) {
      const partition = { topic: "t", partition: 0 };
      if (records[0]?.value === "rewind") rewind([{ ...partition, offset: 5 }]);
      if (records[0]?.value === "pause") pause([partition]);
      if (records[0]?.value === "resume") resume([partition]);
      if (records[0]?.value === "commit") requestCommit();
    },
  });
  await withSink(made, async ({ task, put }) => {
    put.send(["rewind"]);
    put.send(["x"]);
    assert.equal((await put.result()).kind.case, "ok");
    const rewind = await task.inbox.next("rewind");
    assert.equal(rewind.epoch, 1n);
    assert.deepEqual(
      rewind.offsets.map((one) => [one.topic, one.partition, one.offset]),
      [["t", 0, 5n]],
    );
    assert.equal((await put.result()).kind.case, "discarded");
    task.send({ case: "rewound", value: { offsets: [] } });
    put.send(["pause"], 1);
    put.send(["x"], 1);
    assert.equal((await put.result()).kind.case, "ok");
    assert.equal((await task.inbox.next("pause")).epoch, 2n);
    assert.equal((await put.result()).kind.case, "discarded");
    assert.equal((await put.now(["resume"], 2)).kind.case, "ok");
    await task.inbox.next("resume");
    assert.equal((await put.now(["commit"], 2)).kind.case, "ok");
    await task.inbox.next("requestCommit");
    await stop(task);
  });
});

test("records at fault are told one by one, the others are stored", async () => {
  const made = sink({
    class: "S",
    put(records) {
      const faults = records
        .filter((one) => one.value === "bad")
        .map((record) => ({ record, error: new Error(`bad at ${record.offset}`) }));
      if (faults.length > 0) throw new RecordErrors(faults);
    },
  });
  await withSink(made, async ({ task, put }) => {
    const result = await put.now(["a", "bad", "b", "c", "bad"]);
    assert.equal(result.kind.case, "runs");
    const { runs } = result.kind.value as Extract<typeof result.kind, { case: "runs" }>["value"];
    assert.deepEqual(
      runs.map(({ count, outcome }) => {
        const kind = outcome?.kind;
        return kind?.case === "failed" ? [count, kind.value.failure?.text] : [count, kind?.case];
      }),
      [
        [1, "stored"],
        [1, "bad at 1"],
        [2, "stored"],
        [1, "bad at 4"],
      ],
    );
    assert.equal(result.epoch, 0n);
    await stop(task);
  });
});

test("a report is awaited inside put until the host has settled it", async () => {
  const settled: string[] = [];
  const made = sink({
    class: "S",
    async put(records, { report }) {
      await report(records[0]!, new Error("odd"));
      settled.push("ok");
      await report(records[0]!, new Error("odd")).catch((error) => settled.push(String(error)));
    },
  });
  await withSink(
    made,
    async ({ task, put }) => {
      put.send(["a"]);
      const first = await task.inbox.next("errantReport");
      assert.deepEqual(
        first.record.case === "original" && [first.record.value.topic, first.record.value.offset],
        ["t", 0n],
      );
      assert.equal(first.failure?.text, "odd");
      assert.deepEqual(settled, []);
      task.send({ case: "errantReceipt", value: { reportId: first.reportId } });
      const second = await task.inbox.next("errantReport");
      const failure = { text: "tolerance exceeded" };
      task.send({ case: "errantReceipt", value: { reportId: second.reportId, failure } });
      assert.equal((await put.result()).kind.case, "ok");
      assert.deepEqual(settled, ["ok", "Error: tolerance exceeded"]);
      await stop(task);
    },
    { errantRecordReporter: true },
  );
});

test("without a reporter a reported record fails the put with its own error", async () => {
  const made = sink({
    class: "S",
    put: (records, { report }) => report(records[0]!, new RangeError("odd")),
  });
  await withSink(made, async ({ put }) => {
    const { kind } = await put.now(["a"]);
    assert.equal(kind.case === "failure" && kind.value.exceptionClass, "RangeError");
  });
});

test("after a failure nothing is put, while flush and close are still answered", async () => {
  let puts = 0;
  const made = sink({
    class: "S",
    put() {
      puts += 1;
      throw new Error("broken");
    },
    flush: () => [],
  });
  await withSink(made, async ({ task, put }) => {
    put.send(["a"]);
    put.send(["b"]);
    const failed = await put.result();
    assert.equal(failed.kind.case, "failure");
    assert.equal(failed.epoch, 1n);
    assert.equal((await put.result()).kind.case, "discarded");
    const partition = { topic: "t", partition: 0 };
    task.send({ case: "flush", value: { flushSeq: 1n, offsets: [{ ...partition, offset: 1n }] } });
    assert.deepEqual((await task.inbox.next("flushResult")).safe, []);
    task.send({ case: "close", value: { partitions: [partition] } });
    await task.inbox.next("closed");
    await stop(task);
    assert.equal(puts, 1);
  });
});

test("a record has everything that the columns say", async () => {
  const row = schema.struct({ id: schema.int64(), at: schema.timestamp({ optional: true }) });
  let records: readonly SinkRecord[] = [];
  const made = sink({
    class: "S",
    put(all) {
      // Looked at inside put, as a sink does.
      for (const one of all) [one.key, one.value, one.headers].toString();
      records = all;
    },
  });
  await withSink(made, async ({ task }) => {
    task.send({ case: "topic", value: { id: 2, topic: "u" } });
    task.send({ case: "name", value: { id: 1, name: "h" } });
    task.send({ case: "form", value: { id: 3, encoding: Encoding.JSON, schema: schemaText(row) } });
    task.send({ case: "form", value: { id: 4, encoding: Encoding.BYTES } });
    const parts = ['{"id":9223372036854775807,"at":1000}', "k", '{"a":1.0}', "hv", ""];
    task.send({
      case: "put",
      value: {
        putSeq: 1n,
        columns: {
          count: 3,
          arena: Buffer.from(parts.join("")),
          keySizes: [0, 2, 0],
          valueSizes: [parts[0]!.length + 1, parts[2]!.length + 1, 0],
          keyForms: [0, 4, 0],
          valueForms: [3, json, 0],
          topics: [1, 2, 1],
          partitions: [1, 2, 301],
          timestamps: [1_700_000_000_000n, -1_700_000_000_001n, 1n],
          headerCounts: [0, 2, 0],
          headerNames: [1, 1],
          headerSizes: [3, 0],
          headerForms: [text, 0],
          offsets: [9_000_000_000n, -5n, 5n],
          timestampTypes: [1, 0, 2],
        },
      },
    });
    const result = await task.inbox.next("putResult");
    assert.equal(result.kind.case, "ok");
    const [first, second, third] = records;
    assert.deepEqual(first?.value, { id: 9223372036854775807n, at: new Date(1_000) });
    assert.equal(first?.valueSchema?.type, "struct");
    assert.deepEqual(
      [first?.key, first?.topic, first?.partition, first?.offset],
      [null, "t", 0, 9e9],
    );
    assert.deepEqual([first?.timestamp, first?.timestampType], [1_700_000_000_000, "create"]);
    assert.deepEqual(first?.headers, []);
    assert.deepEqual(second?.key, Buffer.from("k"));
    assert.deepEqual(second?.value, { a: 1 });
    const exact = second?.exactValue();
    assert.equal(exact instanceof Map && String(exact.get("a")), "1.0");
    assert.deepEqual([second?.topic, second?.partition, second?.offset], ["u", 1, 9e9 - 5]);
    assert.deepEqual([second?.timestamp, second?.timestampType], [null, "none"]);
    assert.deepEqual(second?.headers, [
      { name: "h", value: "hv", schema: null },
      { name: "h", value: null, schema: null },
    ]);
    assert.deepEqual([third?.value, third?.partition, third?.timestamp], [null, 300, 0]);
    assert.equal(third?.timestampType, "append");
    assert.deepEqual([third?.originalTopic, third?.originalPartition], ["t", 300]);
    await stop(task);
  });
});

const broken: { name: string; columns: object; says: RegExp }[] = [
  {
    name: "sizes that do not add up",
    columns: { count: 1, arena: Buffer.from("ab"), valueSizes: [2], topics: [1], offsets: [0n] },
    says: /add up/,
  },
  {
    name: "a column of the wrong length",
    columns: { count: 3, valueSizes: [1, 1], topics: [1], offsets: [0n, 1n, 1n] },
    says: /value_sizes has 2 entries in a batch of 3/,
  },
  {
    name: "a topic that was not defined",
    columns: { count: 1, topics: [7], offsets: [0n] },
    says: /no topic has id 7/,
  },
];

for (const one of broken) {
  test(`${one.name} fails the task, which still stops in order`, async () => {
    await withSink(sink({ class: "S", put() {} }), async ({ task }) => {
      task.send({ case: "put", value: { putSeq: 1n, columns: one.columns } });
      const failure = await task.inbox.next("failure");
      assert.match(failure.causes[0]?.text ?? "", one.says);
      await stop(task);
    });
  });
}
