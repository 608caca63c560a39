import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureClass } from "../src/gen/bulkhead/plugin/v1/error_pb.ts";
import { RetriableError, sink } from "../src/index.ts";
import { HostEnd } from "./host-end.ts";
import { Putter, stop, values, withSink } from "./running-sink.ts";

const flushed: {
  name: string;
  returned: [partition: number, offset: number, topic?: string][];
  safe: [partition: number, offset: bigint][];
  warns?: RegExp;
}[] = [
  { name: "lower offsets are taken", returned: [[0, 3]], safe: [[0, 3n]] },
  { name: "nothing commits nothing", returned: [], safe: [] },
  {
    name: "what lies beyond the offset named is cut",
    returned: [
      [0, 11],
      [1, 20],
    ],
    safe: [
      [0, 10n],
      [1, 20n],
    ],
  },
  {
    name: "an owned partition that was not named is left out without a word",
    returned: [
      [2, 7],
      [1, 20],
    ],
    safe: [[1, 20n]],
  },
  {
    name: "partitions that are not the task's are left out, with one warning",
    returned: [
      [7, 1],
      [1, 20],
      [0, 5, "other"],
    ],
    safe: [[1, 20n]],
    warns: /partitions that are not this task's, ignored: t-7, other-0$/,
  },
];

for (const one of flushed) {
  test(`of what flush returns, ${one.name}`, async () => {
    const made = sink({
      class: "S",
      put() {},
      flush: () =>
        one.returned.map(([partition, offset, topic = "t"]) => ({ topic, partition, offset })),
    });
    await withSink(made, async ({ host, task }) => {
      const more = [1, 2].map((partition) => ({ topic: "t", partition }));
      task.send({ case: "open", value: { partitions: more } });
      const offsets = [
        { topic: "t", partition: 0, offset: 10n },
        { topic: "t", partition: 1, offset: 20n },
      ];
      task.send({ case: "flush", value: { flushSeq: 1n, offsets } });
      const result = await task.inbox.next("flushResult");
      assert.equal(result.failure, undefined);
      assert.deepEqual(
        result.safe.map(({ topic, partition, offset }) => [topic, partition, offset]),
        one.safe.map(([partition, offset]) => ["t", partition, offset]),
      );
      await stop(task);
      if (one.warns !== undefined) {
        const { entries } = await host.session.inbox.next("logBatch");
        assert.equal(entries.length, 1);
        assert.match(entries[0]!.text, one.warns);
      } else assert.ok(!host.session.inbox.kinds.includes("logBatch"));
    });
  });
}

test("a flush that returns no offset has failed, and the task goes on", async () => {
  const made = sink({
    class: "S",
    put() {},
    flush: (offsets) => offsets.map((one) => ({ ...one, offset: one.offset / 4 })),
  });
  await withSink(made, async ({ task, put }) => {
    const offsets = [{ topic: "t", partition: 0, offset: 10n }];
    task.send({ case: "flush", value: { flushSeq: 1n, offsets } });
    const result = await task.inbox.next("flushResult");
    assert.equal(result.failure?.text, "flush returned 2.5 as the offset of t-0");
    assert.equal((await put.now(["a"], 1)).kind.case, "ok");
    await stop(task);
  });
});

test("a failed flush commits nothing and raises the epoch", async () => {
  const made = sink({
    class: "S",
    put() {},
    flush() {
      throw new Error("no space");
    },
  });
  await withSink(made, async ({ task, put }) => {
    const offsets = [{ topic: "t", partition: 0, offset: 1n }];
    task.send({ case: "flush", value: { flushSeq: 1n, offsets } });
    const result = await task.inbox.next("flushResult");
    assert.equal(result.failure?.text, "no space");
    assert.deepEqual([result.safe, result.epoch], [[], 1n]);
    assert.equal((await put.now(["a"], 0)).kind.case, "discarded");
    assert.equal((await put.now(["a"], 1)).kind.case, "ok");
    await stop(task);
  });
});

/** A stop that comes in one piece with a put may be seen before it has begun. */
async function firstCall(host: HostEnd, calls: readonly string[]): Promise<void> {
  for (let beats = 0; calls.length < 1; beats += 1) {
    assert.ok(beats < 100, "put has not run");
    await host.session.inbox.next("heartbeat");
  }
}

test("stop fires the signal at once, discards what is queued and runs the user's stop last", async () => {
  const calls: string[] = [];
  const made = sink({
    class: "S",
    async put(records, { signal }) {
      calls.push(`put ${values(records)}`);
      await sleep(60_000, undefined, { signal });
    },
    stop: () => {
      calls.push("stop");
    },
  });
  await withSink(made, async ({ host, task, put }) => {
    put.send(["a"]);
    put.send(["b"]);
    await firstCall(host, calls);
    const stopped = await stop(task);
    assert.equal(stopped.failure, undefined);
    assert.equal((await put.result()).kind.case, "discarded");
    assert.equal((await put.result()).kind.case, "discarded");
    assert.deepEqual(calls, ["put a", "stop"]);
  });
});

for (const alive of [true, false]) {
  const name = alive ? "only the stream ended: stop runs once" : "the session ended: stop does not";
  test(`nothing queued is run when ${name}`, async () => {
    const calls: string[] = [];
    const made = sink({
      class: "S",
      async put(records, { signal }) {
        calls.push(`put ${values(records)}`);
        await sleep(60_000, undefined, { signal });
      },
      flush: () => {
        calls.push("flush");
      },
      stop: () => {
        calls.push("stop");
        throw new Error("cannot close");
      },
    });
    const host = await HostEnd.listen();
    try {
      const session = host.attach([made]);
      const task = await host.startSink("c", { className: "S" });
      await task.inbox.next("started");
      const put = new Putter(task);
      put.send(["a"]);
      put.send(["b"]);
      task.send({ case: "flush", value: { flushSeq: 1n, offsets: [] } });
      await firstCall(host, calls);
      if (alive) task.breakOff();
      else host.session.end();
      if (alive) {
        const { entries } = await host.session.inbox.next("logBatch");
        assert.match(entries[0]!.text, /^stopping failed: cannot close$/);
        session.end({ expected: true, reason: "test over" });
      }
      await session.ended;
      await session.settled();
      assert.deepEqual(calls, alive ? ["put a", "stop"] : ["put a"]);
    } finally {
      await host.close();
    }
  });
}

test("put is called with nothing when the flush interval or its own timeout passes", async () => {
  const puts: number[] = [];
  const made = sink({
    class: "S",
    put(records, { timeout, requestCommit }) {
      puts.push(records.length);
      if (puts.length === 2) timeout(1);
      if (puts.length >= 4) requestCommit();
    },
  });
  await withSink(
    made,
    async ({ task, put }) => {
      await put.now(["a"]);
      await task.inbox.next("requestCommit");
      await stop(task);
      // A slow start can let the interval pass before the record comes.
      assert.equal(puts.filter((records) => records === 1).length, 1);
      assert.ok(puts.every((records) => records <= 1));
    },
    { offsetFlushIntervalMs: 30n },
  );
});

test("an error of a put with nothing fails the task, a retriable one does not", async () => {
  let puts = 0;
  const made = sink({
    class: "S",
    put() {
      puts += 1;
      throw puts === 1 ? new RetriableError("later") : new Error("broken");
    },
  });
  await withSink(
    made,
    async ({ task }) => {
      const failure = await task.inbox.next("failure");
      assert.equal(failure.text, "broken");
      assert.equal(failure.failureClass, FailureClass.FATAL);
      assert.equal(puts, 2);
      await stop(task);
    },
    { offsetFlushIntervalMs: 20n },
  );
});

test("a start that fails is told in place of Started, and nothing is stopped", async () => {
  let stops = 0;
  const made = sink({
    class: "S",
    start() {
      throw new Error("no connection");
    },
    put() {},
    stop() {
      stops += 1;
    },
  });
  const host = await HostEnd.listen();
  try {
    host.attach([made]);
    const task = await host.startSink("c", { className: "S" });
    assert.equal((await task.inbox.next("failure")).text, "no connection");
    await stop(task);
    assert.equal(stops, 0);
    assert.ok(!task.inbox.kinds.includes("started"));
  } finally {
    await host.close();
  }
});
