import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TaskActivity } from "../src/gen/bulkhead/plugin/v1/session_pb.ts";
import { checkpoint, source } from "../src/index.ts";
import { HostEnd, type SourceEnd } from "./host-end.ts";
import { RowReader } from "./row-reader.ts";
import {
  gateOf,
  grant,
  line,
  lines,
  type Running,
  stop,
  untilStopped,
  withSource,
} from "./running-source.ts";

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

/** Until it holds, which a heartbeat may be sent before or after. */
async function beatsUntil(host: HostEnd, holds: () => boolean, what: string): Promise<void> {
  for (let beats = 0; !holds(); beats += 1) {
    assert.ok(beats < 400, `not within 400 heartbeats: ${what}`);
    await host.session.inbox.next("heartbeat");
  }
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
    // The record may be here before the next poll has begun.
    await beatsUntil(host, () => polls === 2, "a second poll has begun");
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
    let readers = 0;
    const made = source({
      class: "T",
      start: () => ({ open: true }),
      async *read({ signal }) {
        yield [];
        readers += 1;
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
      const task = await host.startSource("c", { className: "T" });
      await task.inbox.next("started");
      // One that has started need not have begun to read.
      await beatsUntil(host, () => readers === 1, "the source reads");
      end({ host, task }, told.promise);
      if (stops > 0) {
        const again = await host.startSource("c", { className: "T" });
        await again.inbox.next("started");
        await beatsUntil(host, () => calls.length === 2, "stop has run");
        await beatsUntil(host, () => readers === 2, "the second one reads");
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
