import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FailureClass, FailureCode } from "../src/gen/bulkhead/plugin/v1/error_pb.ts";
import { TaskActivity } from "../src/gen/bulkhead/plugin/v1/session_pb.ts";
import {
  checkpoint,
  config,
  RetriableError,
  type SourceClass,
  type SourceRecord,
  source,
} from "../src/index.ts";
import { HostEnd, type SourceEnd } from "./host-end.ts";
import { RowReader } from "./row-reader.ts";
import { seededRandom } from "./seeded-random.ts";
import { costOf } from "./unpack.ts";

interface Running {
  host: HostEnd;
  task: SourceEnd;
}

/** Runs one task of the class until the test is over. */
async function withSource(
  made: SourceClass,
  run: (running: Running) => Promise<void>,
  options: { messageBytesMax?: number; taskConfig?: Record<string, string> } = {},
): Promise<void> {
  const host = await HostEnd.listen(options);
  try {
    host.attach([made]);
    const task = await host.startSource("c", {
      class: made.definition.class,
      task: 3,
      taskConfig: options.taskConfig ?? {},
    });
    await run({ host, task });
  } finally {
    await host.close();
  }
}

function grant(task: SourceEnd, records: number, bytes = 1 << 30): void {
  task.send({ case: "credit", value: { records: BigInt(records), bytes: BigInt(bytes) } });
}

async function stop(task: SourceEnd) {
  task.send({ case: "stop", value: { timeoutMs: 5_000n } });
  const stopped = await task.inbox.next("stopped");
  assert.equal(await task.inbox.ended(), "half-closed");
  return stopped;
}

const line = (n: number): SourceRecord => ({
  topic: "t",
  value: `${n}`,
  sourcePartition: { p: 1 },
  sourceOffset: { n },
});
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => line(from + at));

/** Waits as a well-behaved source does. */
const untilStopped = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

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
    const task = await host.startSource("c", { class: "T" });
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
      assert.equal(beat.lastTransientFailure?.class, FailureClass.TRANSIENT);
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
    assert.equal(failure.class, FailureClass.FATAL);
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
      assert.equal(failure.class, FailureClass.DATA);
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
      assert.equal(failure.class, FailureClass.CONFIGURATION);
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

function gateOf() {
  let resolve!: () => void;
  const promise = new Promise<void>((yes) => {
    resolve = yes;
  });
  return { promise, resolve };
}

test("drain fires the signal, drops what has no credit and is answered at once", async () => {
  let stopped = false;
  const made = source({
    class: "T",
    async *read({ signal }) {
      yield line(1);
      await sleep(1);
      yield line(2);
      await untilStopped(signal);
      yield line(3);
    },
    stop() {
      stopped = true;
    },
  });
  await withSource(made, async ({ task }) => {
    grant(task, 1);
    const reader = new RowReader(task);
    await reader.until(1);
    task.send({ case: "drain", value: {} });
    await task.inbox.next("drained");
    assert.equal(stopped, false);
    grant(task, 100);
    await stop(task);
    assert.equal(stopped, true);
    assert.ok(!task.inbox.kinds.includes("records"));
  });
});

test("acked and committed come in order, and before stop, which runs last", async () => {
  const calls: string[] = [];
  const made = source({
    class: "T",
    start: ({ task }) => ({ task }),
    async *read({ signal }) {
      yield lines(1, 2);
      await sleep(20);
      yield line(3);
      try {
        await untilStopped(signal);
      } finally {
        calls.push("read ended");
      }
    },
    acked(records, { state }) {
      calls.push(`acked ${records.map((one) => String(one.value))} by ${state.task}`);
    },
    async committed(offsets) {
      await sleep(5);
      calls.push(`committed ${JSON.stringify(offsets)}`);
    },
    stop({ state }) {
      calls.push(`stop ${state.task}`);
    },
  });
  await withSource(made, async ({ task }) => {
    grant(task, 10);
    const reader = new RowReader(task);
    await reader.until(3);
    const through = BigInt(reader.batches.length);
    task.send({ case: "acked", value: { through, runs: [{ count: 3 }] } });
    const offsets = [{ partition: '{"p":1}', offset: '{"n":3}' }];
    task.send({ case: "committed", value: { offsets } });
    await stop(task);
    assert.deepEqual(
      calls.filter((one) => one !== "read ended"),
      ["acked 1,2,3 by 3", 'committed [{"partition":{"p":1},"offset":{"n":3}}]', "stop 3"],
    );
    assert.ok(calls.indexOf("read ended") < calls.indexOf("stop 3"));
  });
});

function commit(task: SourceEnd, times: number): void {
  for (let n = 0; n < times; n += 1) task.send({ case: "committed", value: { offsets: [] } });
}

/** Until so many heartbeats have told of this activity. */
async function heartbeats(host: HostEnd, count: number, activity: TaskActivity): Promise<void> {
  for (let seen = 0, all = 0; seen < count; all += 1) {
    assert.ok(all < 100, `${seen} of 100 heartbeats tell of activity ${activity}`);
    const { tasks } = await host.session.inbox.next("heartbeat");
    if (tasks[0]?.activity === activity) seen += 1;
  }
}

test("no poll begins while too many slow callbacks wait; what was polled before is sent", async () => {
  const callbacks = gateOf();
  const steps = [gateOf(), gateOf(), gateOf()];
  let polls = 0;
  const made = source({
    class: "T",
    async *read() {
      for (const step of steps) {
        polls += 1;
        await step.promise;
        yield line(polls);
      }
    },
    committed: () => callbacks.promise,
  });
  await withSource(made, async ({ host, task }) => {
    const reader = new RowReader(task);
    await task.inbox.next("started");
    // What comes with the credit tells that everything sent before the credit was read.
    commit(task, 16);
    grant(task, 1);
    steps[0]!.resolve();
    await reader.until(1);
    assert.equal(polls, 2);
    commit(task, 1);
    grant(task, 1_000);
    await heartbeats(host, 2, TaskActivity.POLLING);
    steps[1]!.resolve();
    await reader.until(2);
    await heartbeats(host, 2, TaskActivity.IDLE);
    assert.equal(polls, 2);
    callbacks.resolve();
    steps[2]!.resolve();
    await reader.until(3);
    await stop(task);
  });
});

test("a poll that waits for slow callbacks does not keep the task from stopping", async () => {
  const callbacks = gateOf();
  const calls: string[] = [];
  const made = source({
    class: "T",
    async *read() {
      try {
        for (let n = 1; ; n += 1) yield line(n);
      } finally {
        calls.push("read ended");
        callbacks.resolve();
      }
    },
    committed: () => callbacks.promise,
    stop: () => {
      calls.push("stop");
    },
  });
  await withSource(made, async ({ task }) => {
    await task.inbox.next("started");
    commit(task, 17);
    grant(task, 1_000_000);
    await stop(task);
    assert.deepEqual(calls, ["read ended", "stop"]);
  });
});

const endings: {
  name: string;
  /** `told` resolves when the user's code has seen its signal fire. */
  end: (running: Running, told: Promise<void>) => void;
  stops: number;
}[] = [
  { name: "its stream is closed", end: ({ task }) => task.end(), stops: 1 },
  { name: "its stream breaks", end: ({ task }) => task.breakOff(), stops: 1 },
  { name: "the session ends", end: ({ host }) => host.session.end(), stops: 0 },
  {
    name: "its stream ends just before the session",
    end: ({ host, task }, told) => {
      task.breakOff();
      void told.then(() => host.session.end());
    },
    stops: 0,
  },
];

for (const { name, end, stops } of endings) {
  test(`the user's stop of a source runs ${stops} times when ${name}`, async () => {
    const ended = gateOf();
    const told = gateOf();
    const calls: string[] = [];
    const made = source({
      class: "T",
      start: () => ({ open: true }),
      async *read({ signal }) {
        yield [];
        await untilStopped(signal);
        calls.push("read ended");
        told.resolve();
      },
      async stop({ state }) {
        calls.push(`stop ${state.open}`);
        await ended.promise;
      },
    });
    const host = await HostEnd.listen();
    try {
      const session = host.attach([made]);
      const task = await host.startSource("c", { class: "T" });
      await task.inbox.next("started");
      end({ host, task }, told.promise);
      if (stops > 0) {
        const again = await host.startSource("c", { class: "T" });
        await again.inbox.next("started");
        for (let beats = 0; calls.length < 2; beats += 1) {
          assert.ok(beats < 100, "stop has not run");
          await host.session.inbox.next("heartbeat");
        }
        session.end({ expected: true, reason: "test over" });
      }
      await session.ended;
      ended.resolve();
      await session.settled();
      const wanted = stops > 0 ? ["read ended", "stop true", "read ended"] : ["read ended"];
      assert.deepEqual(calls, wanted);
    } finally {
      await host.close();
    }
  });
}

test("a checkpoint keeps its place behind the records before it", async () => {
  const made = source({
    class: "T",
    async *read() {
      yield [line(1), checkpoint({ p: 1 }, { n: 5 }), line(6)];
      yield checkpoint({ p: 2 }, null);
    },
  });
  await withSource(made, async ({ task }) => {
    grant(task, 10);
    const order: string[] = [];
    while (order.length < 4) {
      const message = await task.inbox.first(["records", "checkpoint"]);
      order.push(
        message.kind.case === "checkpoint"
          ? `${message.kind.value.partition} ${message.kind.value.offset}`
          : "records",
      );
    }
    assert.deepEqual(order, ["records", '{"p":1} {"n":5}', "records", '{"p":2} undefined']);
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
    const again = await host.startSource("c", { class: "T" });
    await again.inbox.next("started");
  } finally {
    await host.close();
  }
});
