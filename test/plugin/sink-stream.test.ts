/** The host's end of a sink task's stream, against a plugin without an SDK. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SinkStream } from "../../src/plugin/plugin.ts";
import { type Columns, emptyColumns } from "../../src/record/columns.ts";
import { noSignal, rawHost, taskStart } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

function columns(stream: SinkStream, count: number, firstOffset: number): Columns {
  const result = emptyColumns();
  result.count = count;
  result.arena = Buffer.from("ab".repeat(count));
  result.valueSizes = new Uint32Array(count).fill(3);
  result.valueForms = Uint32Array.of(stream.formId({ encoding: "text", schema: null }));
  result.topics = Uint32Array.of(stream.topicId("t"));
  result.offsets = Float64Array.from({ length: count }, (_, index) => firstOffset + index);
  return result;
}

async function sink(t: Parameters<typeof rawHost>[0], behaviour: string) {
  const host = await rawHost(t);
  const use = { plugin: host.manifest("good"), connector: "alpha" };
  const lease = await host.processes.acquire(use, noSignal);
  const stream = await lease.process.startSinkTask(taskStart("sink", { behaviour }), noSignal);
  return { ...host, lease, stream };
}

test("puts, flushes, opens and closes get their answers in order", async (t) => {
  const { stream, log } = await sink(t, "");
  assert.equal(await stream.open([{ topic: "t", partition: 0, offset: 7 }]), undefined);
  await stream.room();
  const puts = [stream.put(columns(stream, 2, 7), 0), stream.put(columns(stream, 2, 9), 0)];
  assert.deepEqual(await Promise.all(puts), [
    { at: "runs", runs: [{ count: 2, outcome: "stored" }] },
    { at: "runs", runs: [{ count: 2, outcome: "stored" }] },
  ]);
  const offsets = [{ topic: "t", partition: 0, offset: 11 }];
  assert.deepEqual(await stream.flush(offsets), { at: "safe", offsets, epoch: 0 });
  const failure = await stream.close([{ topic: "t", partition: 0 }], "revoked");
  assert.equal(failure?.text, "close broke");
  assert.equal(await stream.stop(5_000), undefined);
  await waitFor(() => log.find("put 2 to t: abab from 9") !== undefined, { withinMs: 20_000 });
});

test("ids begin again after forget, and the plugin learns them anew", async (t) => {
  const { stream, log } = await sink(t, "");
  assert.equal(stream.topicId("other"), 1);
  assert.equal(stream.topicId("t"), 2);
  stream.forget();
  assert.equal(stream.topicId("t"), 1);
  await stream.room();
  await stream.put(columns(stream, 1, 0), 0);
  await waitFor(() => log.find("put 1 to t: ab from 0") !== undefined, { withinMs: 20_000 });
});

test("I5: there is room only while the plugin has given credit", async (t) => {
  const { stream } = await sink(t, "hangs");
  await stream.room();
  const put = stream.put(columns(stream, 10, 0), 0);
  put.catch(() => {});
  assert.ok(stream.isAsked, "the put has no answer");
  const stop = new AbortController();
  let room = false;
  const waiting = stream.room(stop.signal).then(() => {
    room = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(room, false);
  stop.abort();
  await waiting;
});

test("a put to be repeated says when, why and the new epoch", async (t) => {
  const { stream } = await sink(t, "retries");
  await stream.room();
  const result = await stream.put(columns(stream, 1, 0), 4);
  assert.equal(stream.isAsked, false);
  assert.ok(result.at === "retry");
  assert.equal(result.retryAfterMs, 50);
  assert.equal(result.failure.text, "busy");
  assert.equal(result.epoch, 5);
});

test("what the plugin says of its own accord comes in order, commits asked for twice once", async (t) => {
  const { stream, log } = await sink(t, "asks");
  assert.deepEqual(await stream.nextEvent(), { at: "request-commit" });
  const rewind = { at: "rewind", offsets: [{ topic: "t", partition: 0, offset: 1 }], epoch: 1 };
  let next = await stream.nextEvent();
  // Unless the first was taken before the second came.
  if (next?.at === "request-commit") next = await stream.nextEvent();
  assert.deepEqual(next, rewind);
  const errant = await stream.nextEvent();
  assert.ok(errant?.at === "errant");
  assert.deepEqual(errant.original, { topic: "t", partition: 0, offset: 4 });
  assert.equal(errant.stage, "TASK_PUT");
  stream.errantReceipt(errant.reportId, undefined);
  await waitFor(() => log.find("receipt of 1") !== undefined, { withinMs: 20_000 });
  assert.equal(stream.tryEvent(), undefined);
});

test("runs that do not add up end the task, and whoever waits for an answer", async (t) => {
  const { stream } = await sink(t, "miscounts");
  await stream.room();
  await assert.rejects(stream.put(columns(stream, 1, 0), 0), { code: "plugin.gone" });
  assert.match(await stream.ended, /runs add up to 2 instead of 1 records/);
});

for (const { name, behaviour, expect } of [
  {
    name: "beyond what the flush named",
    behaviour: "overclaims",
    expect: /offset 4 of t-0, beyond 3/,
  },
  {
    name: "without an offset",
    behaviour: "names-no-offset",
    expect: /a FlushResult has no offset for t-0/,
  },
]) {
  test(`I2: a flush result ${name} ends the task instead of being committed`, async (t) => {
    const { stream } = await sink(t, behaviour);
    await assert.rejects(stream.flush([{ topic: "t", partition: 0, offset: 3 }]), {
      message: expect,
    });
  });
}

test("a killed process rejects what was asked of its sink", async (t) => {
  const { stream, lease } = await sink(t, "hangs");
  await stream.room();
  const put = stream.put(columns(stream, 1, 0), 0);
  process.kill(lease.process.pid, "SIGKILL");
  await assert.rejects(put, { code: "plugin.gone", message: /was killed by SIGKILL/ });
  assert.equal(await stream.nextEvent(), undefined);
});
