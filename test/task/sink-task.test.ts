import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import { TaskError } from "../../src/base/error.ts";
import type { SinkOffset } from "../../src/plugin/plugin.ts";
import { SinkTask } from "../../src/task/sink-task.ts";
import { FakeConsumer, FakeSinkStream, type SinkScript, transient } from "../harness/fake-sink.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Tasks that a test left running, ended after it so that a failed test cannot hang. */
const unfinished = new Set<() => void>();
afterEach(() => {
  for (const end of unfinished) end();
  unfinished.clear();
});

function sinkOf(script: SinkScript, settings: Partial<typeof defaults> = {}) {
  const { partitions, length, gap, flushMs, ...limits } = { ...defaults, ...settings };
  const stream = new FakeSinkStream(script);
  const condemned = new AbortController();
  const lease = leaseOf(
    { startSinkTask: async () => stream },
    (reason) => stream.die(reason),
    condemned.signal,
  );
  let consumer: FakeConsumer | undefined;
  const parts = taskParts(lease, {
    sinkConsumer: (options) => {
      consumer = new FakeConsumer(options, partitions, length, gap);
      return consumer;
    },
  });
  const states: string[] = [];
  const spec = taskSpec("sink", {
    offsetFlushIntervalMs: flushMs,
    ...limits,
  });
  const task = new SinkTask(spec, parts, "STARTED", (state) => states.push(state));
  const stopping = new AbortController();
  const running = task.run(stopping.signal);
  running.catch(() => {});
  unfinished.add(() => {
    stopping.abort();
    stream.die("the test is over");
  });
  const stop = () => {
    stopping.abort();
    return running;
  };
  const condemn = () => condemned.abort(new TaskError("plugin.condemned", "task b-0 did not stop"));
  return {
    stream,
    task,
    states,
    running,
    stop,
    lease,
    condemn,
    consumer: () => consumer as FakeConsumer,
  };
}

const defaults = {
  ...{ partitions: 2, length: 50, gap: 0, flushMs: 5 },
  // No standstill of a busy machine is longer.
  ...{ offsetFlushTimeoutMs: 5_000, stopMsMax: 5_000 },
};
/** For what hangs. */
const impatient = { partitions: 1, offsetFlushTimeoutMs: 50, stopMsMax: 300 };

async function committedAll(sink: ReturnType<typeof sinkOf>, length = 50, partitions = 2) {
  await waitFor(
    () => {
      const { committedOffsets } = sink.consumer() ?? { committedOffsets: new Map() };
      return [...Array(partitions).keys()].every((one) => committedOffsets.get(one) === length);
    },
    { withinMs: 20_000, what: "every record to be committed" },
  );
}

/** The task asks for records so many times more. */
async function rounds(sink: ReturnType<typeof sinkOf>, count: number): Promise<void> {
  const enough = sink.consumer().polls + count;
  await waitFor(() => sink.consumer().polls >= enough, { withinMs: 20_000, what: "more polls" });
}

/** In each partition the plugin saw every record, and no record before the one that precedes it. */
function checkOrder(taken: readonly SinkOffset[], length: number, note: string): void {
  for (const partition of [0, 1]) {
    let next = 0;
    for (const { offset } of taken.filter((one) => one.partition === partition)) {
      assert.ok(offset <= next, `${note}: ${offset} came before ${next} of partition ${partition}`);
      next = Math.max(next, offset + 1);
    }
    assert.equal(next, length, `${note}: partition ${partition} is complete`);
  }
}

test("records are put in order, flushed, committed, and the plugin is stopped last", async () => {
  const sink = sinkOf({});
  await committedAll(sink);
  await sink.stop();
  checkOrder(sink.stream.taken, 50, "plain");
  assert.equal(sink.stream.taken.length, 100, "nothing is put twice");
  assert.deepEqual(sink.states, ["RUNNING"]);
  assert.deepEqual(sink.stream.calls.slice(-2), ["close t/0 t/1", "stop"]);
  assert.equal(sink.task.meter.sinkRecordSendTotal, 100);
});

test("a put that asks for a retry is put again before later records", async () => {
  let tries = 0;
  const sink = sinkOf({ onPut: () => (++tries % 3 === 1 ? "retry" : "ok") });
  await committedAll(sink);
  await sink.stop();
  checkOrder(sink.stream.taken, 50, "retry");
  assert.equal(sink.stream.taken.length, 100, "what was not done is done once");
});

test("a rewind is answered, and its records come again", async () => {
  let rewinds = 0;
  const sink = sinkOf({ onPut: () => (rewinds++ === 2 ? "rewind" : "ok") });
  await committedAll(sink);
  await sink.stop();
  checkOrder(sink.stream.taken, 50, "rewind");
  assert.ok(sink.stream.taken.length > 100);
  assert.equal(sink.stream.calls.filter((call) => call.startsWith("rewound")).length, 1);
});

test("I2: after a failed flush nothing is committed and all comes again from the last commit", async () => {
  let flushes = 0;
  const sink = sinkOf({ onFlush: () => (flushes++ === 0 ? "fail" : "ok") });
  await committedAll(sink);
  await sink.stop();
  checkOrder(sink.stream.taken, 50, "flush");
  assert.equal(sink.stream.calls.filter((call) => call.startsWith("rewound")).length, 1);
});

test("I2: a plugin that dies while it has records leaves them uncommitted", async () => {
  const sink = sinkOf({
    onPut: ([first]) => {
      if ((first as SinkOffset).offset >= 20) sink.stream.die("killed by SIGKILL");
      return "ok";
    },
  });
  await assert.rejects(sink.running, /killed by SIGKILL/);
  for (const offset of sink.consumer().committedOffsets.values()) assert.ok(offset <= 28);
  assert.equal(sink.stream.calls.includes("stop"), false);
});

test("a put that fails fails the task with Connect's words and the plugin's own as the cause", async () => {
  const sink = sinkOf({ onPut: () => ({ ...transient, class: "fatal", text: "disk on fire" }) });
  await assert.rejects(sink.running, (error: Error) => {
    assert.equal(error.message, "Exiting WorkerSinkTask due to unrecoverable exception.");
    assert.match(String((error.cause as Error).message), /disk on fire/);
    return true;
  });
});

test("when ids run out the host begins again with new ones, and no record is left out", async () => {
  const sink = sinkOf({});
  sink.stream.formIdsTaken = 65_000;
  await committedAll(sink);
  await sink.stop();
  checkOrder(sink.stream.taken, 50, "ids");
  assert.equal(sink.stream.forgotten, 1);
});

test("I2: a rewind during the last put, which a stop waits for, is not committed past", async () => {
  const sink = sinkOf(
    {
      onPut: ([first]) => {
        if ((first as SinkOffset).offset < 14) return "ok";
        sink.stop().catch(() => {});
        return "rewind";
      },
    },
    { partitions: 1, flushMs: 60_000 },
  );
  await sink.running;
  assert.equal(sink.consumer().committedOffsets.get(0), undefined);
});

test("I2: a rewind that came before the answer to a flush bars the commit", async () => {
  let flushes = 0;
  const sink = sinkOf({ onFlush: () => (++flushes === 1 ? "rewind" : "ok") }, { partitions: 1 });
  await committedAll(sink, 50, 1);
  await sink.stop();
  const rewound = sink.stream.calls.findIndex((call) => call.startsWith("rewind "));
  const next = sink.stream.calls.slice(rewound + 1).find((call) => !call.startsWith("flush"));
  assert.equal(next, "rewound t/0@0");
  assert.ok(sink.stream.taken.filter((one) => one.offset === 0).length >= 2);
});

test("I2: at the end only what the plugin calls safe is committed", async () => {
  const sink = sinkOf(
    { onFlush: (offsets) => offsets.map((one) => ({ ...one, offset: one.offset - 3 })) },
    { partitions: 1, flushMs: 60_000 },
  );
  await waitFor(() => sink.stream.taken.length === 50, { withinMs: 20_000 });
  await sink.stop();
  assert.equal(sink.consumer().committedOffsets.get(0), 47);
});

test("I2: offsets without records behind a put that failed are not taken with it", async () => {
  const failure = { ...transient, class: "fatal" as const, text: "boom" };
  const sink = sinkOf(
    { onPut: () => failure },
    { partitions: 1, length: 7, gap: 5, flushMs: 60_000 },
  );
  await assert.rejects(sink.running);
  assert.equal(sink.consumer().committedOffsets.get(0), undefined);
});

test("offsets without records at the end are committed once all before them are taken", async () => {
  const sink = sinkOf({}, { partitions: 1, length: 20, gap: 5 });
  await committedAll(sink, 25, 1);
  await sink.stop();
});

for (const { name, answer } of [
  { name: "", answer: "ok" as const },
  { name: " whose first put is to be repeated", answer: "retry" as const },
]) {
  test(`a sink${name} goes on and commits where a log that was cut off begins`, async () => {
    let next: "ok" | "retry" = "ok";
    const onPut = () => {
      const now = next;
      next = "ok";
      return now;
    };
    const sink = sinkOf({ onPut }, { partitions: 1 });
    await committedAll(sink, 50, 1);
    const before = sink.stream.taken.length;
    next = answer;
    sink.consumer().replaceLog(20, 30);
    await committedAll(sink, 30, 1);
    await sink.stop();
    const again = sink.stream.taken.slice(before).map(({ offset }) => offset);
    assert.deepEqual(again, [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  });
}

for (const { name, answer } of [
  { name: "a record that put says has failed", answer: "one failed" as const },
  { name: "a record that the task reports", answer: "report" as const },
]) {
  test(`I7: ${name} fails the task, which tolerates none`, async () => {
    const sink = sinkOf({ onPut: () => answer }, { partitions: 1, flushMs: 60_000 });
    await assert.rejects(sink.running, (error: Error) => {
      assert.equal((error.cause as Error).message, "Tolerance exceeded in error handler");
      return true;
    });
    assert.ok(sink.task.meter.totalRecordErrors >= 1);
  });

  test(`I7: ${name} is not committed past, though later puts succeed`, async () => {
    let puts = 0;
    const sink = sinkOf(
      { onPut: () => (++puts === 2 ? answer : "ok") },
      { partitions: 1, flushMs: 60_000 },
    );
    await assert.rejects(sink.running, /unrecoverable exception/);
    const committed = sink.consumer().committedOffsets.get(0) ?? 0;
    assert.ok(committed <= 7, `the record at offset 7 is at fault, ${committed} was committed`);
  });
}

for (const { name, on, answer } of [
  { name: "an open", on: "onOpen", answer: "hang" },
  { name: "a put", on: "onPut", answer: "hang" },
  { name: "a put that asked for a pause", on: "onPut", answer: "pause and hang" },
  { name: "a flush", on: "onFlush", answer: "hang" },
]) {
  test(`a stop while ${name} hangs ends by its deadline, and the process with it`, async () => {
    let isHanging = false;
    const hang = () => {
      isHanging = true;
      return answer;
    };
    const sink = sinkOf({ [on]: hang }, impatient);
    await waitFor(() => isHanging, { withinMs: 20_000, what: `${name} to hang` });
    await sink.stop().catch(() => {});
    assert.equal(sink.lease.condemnedFor.length, 1);
  });
}

for (const { name, script, isFlushed } of [
  { name: "a result", script: "put" as const, isFlushed: false },
  { name: "a flush", script: "flush" as const, isFlushed: true },
]) {
  test(`I2: who is thrown out of its group while it waits for ${name} says so`, async () => {
    const throwOut = () => {
      if (stopping) sink.consumer().isOut = true;
      return "ok" as const;
    };
    let stopping = false;
    const onPut = ([first]: readonly SinkOffset[]) => {
      if (first?.offset !== 49 || script !== "put") return "ok" as const;
      stopping = true;
      sink.stop().catch(() => {});
      return throwOut();
    };
    const onFlush = () => throwOut();
    const sink = sinkOf({ onPut, onFlush }, { partitions: 1, length: 50, flushMs: 60_000 });
    await waitFor(() => sink.stream.taken.length === 50, { withinMs: 20_000 });
    stopping = true;
    await sink.stop();
    assert.equal(sink.consumer().committedOffsets.size, 0);
    const last = sink.stream.calls.filter((call) => !call.startsWith("open"));
    const expected = ["close t/0 lost", "stop"];
    assert.deepEqual(last, isFlushed ? ["flush t/0@50", ...expected] : expected);
  });
}

test("a log that is slow to take the last commit does not cost the plugin its process", async () => {
  const stopMsMax = 1_000;
  const sink = sinkOf({}, { partitions: 1, flushMs: 60_000, stopMsMax });
  await waitFor(() => sink.stream.taken.length === 50, { withinMs: 20_000 });
  const stored = deferred();
  sink.consumer().commit = () => stored.promise;
  const stopping = sink.stop();
  const beganMs = performance.now();
  await waitFor(() => performance.now() - beganMs > stopMsMax + 200, { withinMs: 20_000 });
  stored.resolve();
  await stopping;
  assert.deepEqual(sink.lease.condemnedFor, []);
  assert.equal(sink.stream.calls.at(-1), "stop");
});

test("a flush that takes too long is counted once, and nothing is committed", async () => {
  const sink = sinkOf({ onFlush: () => "hang" }, impatient);
  await waitFor(() => sink.task.meter.offsetCommitSkipTotal > 0, { withinMs: 20_000 });
  await rounds(sink, 50);
  assert.equal(sink.task.meter.offsetCommitSkipTotal, 1);
  assert.equal(sink.consumer().committedOffsets.size, 0);
  await sink.stop().catch(() => {});
});

test("a failed task whose plugin does not stop has its process ended", async () => {
  const script = {
    onPut: () => ({ ...transient, class: "fatal" as const }),
    onStop: () => "late" as const,
  };
  const sink = sinkOf(script, { ...impatient, partitions: 2 });
  await assert.rejects(sink.running);
  assert.equal(sink.lease.condemnedFor.length, 1);
});

test("a task whose plugin stops in time leaves its process alone", async () => {
  const sink = sinkOf({});
  await committedAll(sink);
  await sink.stop();
  assert.deepEqual(sink.lease.condemnedFor, []);
});

test("a paused task takes nothing, keeps its partitions, and goes on when resumed", async () => {
  const sink = sinkOf({}, { length: 1_000_000 });
  await waitFor(() => sink.stream.taken.length > 0, { withinMs: 20_000 });
  sink.task.setTarget("PAUSED");
  await waitFor(() => sink.states.at(-1) === "PAUSED", { withinMs: 20_000 });
  // What was on its way is taken within a few of them.
  await rounds(sink, 10);
  const before = sink.stream.taken.length;
  await rounds(sink, 10);
  assert.equal(sink.stream.taken.length, before);
  assert.equal(sink.stream.calls.filter((call) => call.startsWith("close")).length, 0);
  sink.task.setTarget("STARTED");
  await waitFor(() => sink.stream.taken.length > before, { withinMs: 20_000 });
  await sink.stop();
});

test("I7: whatever a plugin answers, every record is taken in order (seeded)", async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    let state = seed;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const sink = sinkOf({
      onPut: () => (random() < 0.2 ? "retry" : random() < 0.1 ? "rewind" : "ok"),
      onFlush: () => (random() < 0.2 ? "fail" : "ok"),
    });
    await committedAll(sink);
    await sink.stop();
    checkOrder(sink.stream.taken, 50, `seed ${seed}`);
  }
});

test("in a condemned process it flushes, commits, stops, and asks to start again", async () => {
  const sink = sinkOf({}, { flushMs: 60_000 });
  await waitFor(() => sink.states.includes("RUNNING"), { withinMs: 20_000 });
  await waitFor(() => sink.task.meter.sinkRecordSendTotal === 100, { withinMs: 20_000 });
  sink.condemn();
  await assert.rejects(sink.running, { code: "plugin.condemned" });
  assert.deepEqual([...sink.consumer().committedOffsets.values()], [50, 50]);
  assert.deepEqual(sink.lease.condemnedFor, []);
});

test("a put that hangs in a condemned process does not fail the task", async () => {
  const putting = deferred();
  const onPut = () => {
    putting.resolve();
    return "hang" as const;
  };
  const sink = sinkOf({ onPut }, impatient);
  await putting.promise;
  sink.condemn();
  await assert.rejects(sink.running, { code: "plugin.condemned" });
  assert.equal(sink.lease.condemnedFor.length, 1);
});
