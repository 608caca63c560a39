import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureClass, FailureCode } from "../src/gen/bulkhead/plugin/v1/error_pb.ts";
import { TaskActivity } from "../src/gen/bulkhead/plugin/v1/session_pb.ts";
import { config, RetriableError, source } from "../src/index.ts";
import { HostEnd } from "./host-end.ts";
import { RowReader } from "./row-reader.ts";
import { gateOf, grant, line, lines, stop, untilStopped, withSource } from "./running-source.ts";
import { seededRandom } from "./seeded-random.ts";
import { costOf } from "./unpack.ts";

test("without credit nothing is sent, and polling stops while a batch waits", async () => {
  let polls = 0;
  const made = source({
    class: "T",
    async *read({ signal }) {
      while (!signal.aborted) {
        polls += 1;
        yield [line(polls)];
        await sleep(1);
      }
    },
  });
  await withSource(made, async ({ host, task }) => {
    await task.inbox.next("started");
    await host.session.inbox.next("heartbeat");
    await host.session.inbox.next("heartbeat");
    assert.equal(polls, 1);
    assert.ok(!task.inbox.kinds.includes("records"));
    grant(task, 1, 0);
    await host.session.inbox.next("heartbeat");
    await host.session.inbox.next("heartbeat");
    assert.ok(!task.inbox.kinds.includes("records"), "bytes are needed too");
    grant(task, 0, 1);
    const reader = new RowReader(task);
    assert.equal((await reader.batch()).pollEnd, true);
    assert.deepEqual(await reader.until(1), ["1"]);
    await stop(task);
  });
});

for (let seed = 1; seed <= 5; seed += 1) {
  test(`credit is overdrawn by one batch at most and nothing is lost (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const total = 3_000;
    const made = source({
      class: "T",
      async *read() {
        for (let n = 1; n <= total; ) {
          const size = Math.min(1 + Math.floor(random() * 200), total - n + 1);
          if (random() < 0.3) yield line(n++);
          else {
            yield lines(n, n + size - 1);
            n += size;
          }
        }
      },
    });
    await withSource(
      made,
      async ({ task }) => {
        let records = 0;
        let bytes = 0;
        const reader = new RowReader(task);
        const give = (count: number, size: number) => {
          records += count;
          bytes += size;
          grant(task, count, size);
        };
        while (reader.rows.length < total) {
          while (records <= 0 || bytes <= 0) {
            give(Math.floor(random() * 300), Math.floor(random() * 40_000));
          }
          const { columns } = await reader.batch();
          assert.ok(records > 0 && bytes > 0, "sent while both credits were above zero");
          records -= Math.max(1, columns!.count);
          bytes -= costOf(columns!);
        }
        const expected = Array.from({ length: total }, (_, at) => String(at + 1));
        assert.deepEqual(await reader.until(total), expected);
        await stop(task);
      },
      { messageBytesMax: 16 * 1024 },
    );
  });
}

test("a long poll is cut by size, and only its end is a poll's end", async () => {
  const made = source({
    class: "T",
    async *read() {
      yield lines(1, 600);
    },
  });
  await withSource(
    made,
    async ({ task }) => {
      grant(task, 10_000);
      const reader = new RowReader(task);
      await reader.until(600);
      assert.ok(reader.batches.length > 3);
      assert.deepEqual(
        reader.batches.map((one) => one.pollEnd),
        reader.batches.map((_, at) => at === reader.batches.length - 1),
      );
      await stop(task);
    },
    { messageBytesMax: 16 * 1024 },
  );
});

test("a generator goes on from the stored offset", async () => {
  const made = source({
    class: "T",
    async *read({ offset, offsets }) {
      const { n } = (await offset({ p: 1 })) ?? {};
      const many = await offsets([{ p: 2 }, { p: 1 }]);
      yield { topic: "t", value: `${String(n)} ${JSON.stringify(many)}` };
    },
  });
  const host = await HostEnd.listen();
  try {
    host.offsets.set('{"p":1}', '{"n":7}');
    host.attach([made]);
    const task = await host.startSource("c", { className: "T" });
    grant(task, 10);
    assert.deepEqual(await new RowReader(task).until(1), ['7 [null,{"n":7}]']);
  } finally {
    await host.close();
  }
});

test("after a retriable error reading begins again behind what was sent, and the heartbeat tells", async () => {
  let lives = 0;
  const made = source({
    class: "T",
    async *read({ offset, signal }) {
      lives += 1;
      const next = Number((await offset({ p: 1 }))?.["n"] ?? 0) + 1;
      yield line(next);
      if (lives < 3) throw new RetriableError("the database is away", { retryAfterMs: 120 });
      await untilStopped(signal);
    },
  });
  await withSource(made, async ({ host, task }) => {
    grant(task, 10);
    assert.deepEqual(await new RowReader(task).until(3), ["1", "2", "3"]);
    for (;;) {
      const { tasks } = await host.session.inbox.next("heartbeat");
      const [beat] = tasks;
      if (beat?.activity !== TaskActivity.BACKING_OFF) continue;
      assert.equal(beat.connector, "c");
      assert.equal(beat.task, 3);
      assert.equal(beat.lastTransientFailure?.text, "the database is away");
      assert.equal(beat.lastTransientFailure?.failureClass, FailureClass.TRANSIENT);
      break;
    }
    await stop(task);
  });
});

test("any other error fails the task with class, stack and causes, after what was read before", async () => {
  const made = source({
    class: "T",
    async *read() {
      yield line(1);
      throw new TypeError("cannot read", { cause: new Error("the disk is gone") });
    },
  });
  await withSource(made, async ({ task }) => {
    grant(task, 10);
    const reader = new RowReader(task);
    assert.deepEqual(await reader.until(1), ["1"]);
    const failure = await task.inbox.next("failure");
    assert.equal(failure.text, "cannot read");
    assert.equal(failure.failureClass, FailureClass.FATAL);
    assert.equal(failure.code, FailureCode.INTERNAL);
    assert.equal(failure.exceptionClass, "TypeError");
    assert.match(
      failure.stack,
      /TypeError: cannot read\n.*source-task\.test\.ts[\s\S]*Caused by: Error: the disk is gone/,
    );
    assert.deepEqual(
      failure.causes.map((one) => one.text),
      ["the disk is gone"],
    );
    await stop(task);
  });
});

test("a record over the message limit fails the task as data, with its size and the limit", async () => {
  const made = source({
    class: "T",
    async *read() {
      yield [line(1), { topic: "t", value: Buffer.alloc(20_000) }, line(2)];
    },
  });
  await withSource(
    made,
    async ({ task }) => {
      grant(task, 10);
      const reader = new RowReader(task);
      assert.deepEqual(await reader.until(1), ["1"]);
      assert.equal(reader.batches[0]?.pollEnd, false);
      const failure = await task.inbox.next("failure");
      assert.equal(failure.failureClass, FailureClass.DATA);
      assert.match(failure.text, /a record has \d+ bytes as a message; the limit is 16384/);
      await stop(task);
    },
    { messageBytesMax: 16 * 1024 },
  );
});

test("a config that cannot be used fails the task before user code runs", async () => {
  let started = false;
  const made = source({
    class: "T",
    config: { size: config.int({ required: true }) },
    start() {
      started = true;
    },
    async *read() {},
  });
  await withSource(
    made,
    async ({ task }) => {
      const failure = await task.inbox.next("failure");
      assert.equal(failure.failureClass, FailureClass.CONFIGURATION);
      assert.equal(
        failure.text,
        "Invalid value x for configuration size: Not a number of type INT",
      );
      const stopped = await stop(task);
      assert.equal(stopped.failure, undefined);
      assert.equal(started, false);
    },
    { taskConfig: { size: "x" } },
  );
});

test("pause lets the running poll go out whole and no other begin; resume goes on", async () => {
  const gate = gateOf();
  let polls = 0;
  const made = source({
    class: "T",
    async *read({ signal }) {
      while (!signal.aborted) {
        polls += 1;
        if (polls === 2) await gate.promise;
        yield lines(polls * 10, polls * 10 + 1);
        if (polls >= 3) await untilStopped(signal);
      }
    },
  });
  await withSource(made, async ({ host, task }) => {
    grant(task, 1_000);
    const reader = new RowReader(task);
    await reader.until(2);
    task.send({ case: "pause", value: {} });
    // A later answer on the same connection proves that the pause has been read.
    await host.request("c", { case: "describe", value: {} });
    gate.resolve();
    assert.deepEqual(await reader.until(4), ["10", "11", "20", "21"]);
    for (;;) {
      const { tasks } = await host.session.inbox.next("heartbeat");
      if (tasks[0]?.activity === TaskActivity.PAUSED) break;
    }
    assert.equal(polls, 2);
    task.send({ case: "resume", value: {} });
    await reader.until(6);
    await stop(task);
  });
});

test("records of a quiet source go at once, those of a busy one together", async () => {
  const made = source({
    class: "T",
    async *read({ signal }) {
      for (let n = 1; !signal.aborted; n += 1) {
        yield line(n);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  });
  await withSource(made, async ({ task }) => {
    grant(task, 1_000_000);
    const reader = new RowReader(task);
    const first = await reader.batch();
    assert.ok(first.columns!.count <= 3, `${first.columns!.count} records in the first batch`);
    await reader.until(500);
    assert.ok(reader.batches.length < 250, `${reader.batches.length} batches for 500 records`);
    await stop(task);
  });
});

test("an unknown ticket is told, and the session lives on", async () => {
  const host = await HostEnd.listen();
  try {
    host.attach([source({ class: "T", async *read() {} })]);
    const value = { class: "T", ticket: "stolen" };
    const reply = await host.request("c", { case: "startTask", value });
    assert.equal(reply.kind.case, "failure");
    const again = await host.startSource("c", { className: "T" });
    await again.inbox.next("started");
  } finally {
    await host.close();
  }
});
