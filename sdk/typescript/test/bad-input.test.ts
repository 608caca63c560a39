/** User code that goes wrong: told in its own words with its line, and nobody else notices. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { config } from "../src/config.ts";
import { Encoding } from "../src/gen/bulkhead/plugin/v1/record_pb.ts";
import { sink } from "../src/sink.ts";
import { source } from "../src/source.ts";
import { HostEnd } from "./host-end.ts";

const ring = new Error("round");
ring.cause = ring;

/** What somebody may throw, and what the host is told. */
const odd: Record<string, { thrown: () => unknown; told: RegExp; line?: false }> = {
  "an error": { thrown: () => new Error("no luck"), told: /^no luck$/ },
  "a text": { thrown: () => "no luck", told: /^no luck$/, line: false },
  nothing: { thrown: () => undefined, told: /^undefined$/, line: false },
  null: { thrown: () => null, told: /^null$/, line: false },
  "a symbol": { thrown: () => Symbol("luck"), told: /^Symbol\(luck\)$/, line: false },
  "an object": { thrown: () => ({ code: 7 }), told: /code: 7/, line: false },
  "an object that cannot be a text": {
    thrown: () => Object.create(null),
    told: /^\[Object: null prototype\] \{\}$/,
    line: false,
  },
  "an object whose toString throws": {
    thrown: () => ({
      toString() {
        throw new Error("nor this");
      },
    }),
    told: /toString: \[Function: toString\]/,
    line: false,
  },
  "an error whose message throws": {
    thrown: () =>
      Object.defineProperty(new Error("x"), "message", {
        get() {
          throw new Error("nor this");
        },
      }),
    told: /^what was thrown cannot be shown$/,
    // Whoever maps lines to a source reads the message for it.
    line: false,
  },
  "an error whose message is no text": {
    thrown: () => Object.assign(new Error("x"), { message: { a: 1 }, stack: 7, name: null }),
    told: /a: 1/,
    line: false,
  },
  // Its line stands behind the message, which is cut.
  "a huge message": { thrown: () => new Error("x".repeat(5_000_000)), told: /^x{16384}…$/ },
  "binary text": { thrown: () => new Error("\u0000\ud800z"), told: /^\0\ufffdz$/ },
  "a ring of causes": { thrown: () => ring, told: /^round$/ },
};

function fail(at: string, point: string): void {
  if (at !== point) return;
  throw new Error(`no ${point}`);
}

const at = config.string({ default: "nowhere" });
const broken = source({
  class: "broken.Source",
  config: { at, throws: config.string({ default: "an error" }) },
  validate: ({ config }) => fail(config.at ?? "", "validate"),
  taskConfigs({ config, texts }) {
    fail(config.at, "taskConfigs");
    return config.at === "texts" ? ("texts" as never) : [texts];
  },
  async monitor({ config }) {
    fail(config.at, "monitor");
  },
  start: ({ config }) => fail(config.at, "start"),
  async *read({ config, signal }) {
    yield { topic: "t", value: "before", sourcePartition: {}, sourceOffset: { n: 1 } };
    if (config.at === "read") throw odd[config.throws]?.thrown();
    if (config.at === "record") yield 7 as never;
    if (config.at === "topic") yield { value: "x" } as never;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
  async acked(_, { config }) {
    fail(config.at, "acked");
  },
  committed: (_, { config }) => fail(config.at, "committed"),
  stop: ({ config }) => fail(config.at, "stop"),
});

const brokenSink = sink({
  class: "broken.Sink",
  config: { at },
  start: ({ config }) => fail(config.at, "start"),
  open: (_, { config }) => fail(config.at, "open"),
  put: (_, { config }) => fail(config.at, "put"),
  async flush(_, { config }) {
    fail(config.at, "flush");
    if (config.at === "offsets") return "none" as never;
    return undefined;
  },
  close: (_, { config }) => fail(config.at, "close"),
  stop: ({ config }) => fail(config.at, "stop"),
});

const promise = source({
  class: "broken.Promise",
  config: {},
  // The star that was forgotten.
  read: (async () => {}) as never,
});

let host: HostEnd;
before(async () => {
  host = await HostEnd.listen();
  host.attach([broken, brokenSink, promise]);
  await host.accepted();
});
after(() => host.close());

const line = /bad-input\.test\.ts:\d+/;
const className = "broken.Source";

async function startSource(point: string, throws = "an error") {
  const taskConfig = { at: point, throws };
  const task = await host.startSource(point, { className, taskConfig });
  task.send({ case: "credit", value: { records: 10n, bytes: 1_000_000n } });
  return task;
}

const stop = { case: "stop", value: { timeoutMs: 5_000n } } as const;

for (const [what, { told, line: hasLine }] of Object.entries(odd)) {
  test(`${what}, thrown while reading, fails the task, and what came before is sent`, async () => {
    const task = await startSource("read", what);
    const failure = await task.inbox.next("failure");
    assert.match(failure.text, told);
    if (hasLine !== false) assert.match(failure.stack, line);
    assert.ok(task.inbox.kinds.includes("records"));
    task.send(stop);
    assert.equal((await task.inbox.next("stopped")).failure, undefined);
  });
}

test("what validate, taskConfigs and monitor throw is their answer", async () => {
  const answer = await host.request("v", {
    case: "validate",
    value: { className, config: { at: "validate" } },
  });
  assert.ok(answer.kind.case === "validate" && answer.kind.value.failure !== undefined);
  assert.equal(answer.kind.value.failure.text, "no validate");
  assert.match(answer.kind.value.failure.stack, line);
  for (const [point, text] of [
    ["taskConfigs", /^no taskConfigs$/],
    ["texts", /^taskConfigs of broken\.Source returned 'texts': it has to return an array/],
  ] as const) {
    const value = { className, config: { at: point } };
    await host.request(point, { case: "startConnector", value });
    const { kind } = await host.request(point, { case: "taskConfigs", value: { tasksMax: 1 } });
    assert.match(kind.case === "failure" ? kind.value.text : kind.case!, text);
  }
  const value = { className, config: { at: "monitor" } };
  await host.request("m", { case: "startConnector", value });
  const { kind } = await host.session.inbox.next("event");
  assert.ok(kind.case === "raiseError");
  assert.equal(kind.value.failure?.text, "no monitor");
  assert.match(kind.value.failure?.stack ?? "", line);
});

test("a read that is no generator says so", async () => {
  const task = await host.startSource("p", { className: "broken.Promise" });
  const { text } = await task.inbox.next("failure");
  assert.equal(text, "read returned a Promise: it has to be a generator, async *read");
  task.send(stop);
  await task.inbox.next("stopped");
});

test("a yield that is no record, or lacks its topic, fails the task with what it is", async () => {
  for (const [point, text] of [
    ["record", /^read yielded 7, which is no record$/],
    ["topic", /^a record has no topic: read yielded \{ value: 'x' \}$/],
  ] as const) {
    const task = await startSource(point);
    assert.match((await task.inbox.next("failure")).text, text);
    task.send(stop);
    await task.inbox.next("stopped");
  }
});

test("what start throws fails the task, and what stop throws is in Stopped", async () => {
  const started = await startSource("start");
  const failure = await started.inbox.next("failure");
  assert.equal(failure.text, "no start");
  assert.match(failure.stack, line);
  started.send(stop);
  await started.inbox.next("stopped");
  const stopped = await startSource("stop");
  await stopped.inbox.next("started");
  stopped.send(stop);
  const { failure: last } = await stopped.inbox.next("stopped");
  assert.equal(last?.text, "no stop");
  assert.match(last?.stack ?? "", line);
});

test("what acked and committed throw is logged, and the task goes on", async () => {
  for (const point of ["acked", "committed"] as const) {
    const task = await startSource(point);
    const { batchSeq } = await task.inbox.next("records");
    task.send({ case: "acked", value: { through: batchSeq } });
    const offsets = [{ partition: "{}", offset: '{"n":1}' }];
    task.send({ case: "committed", value: { offsets } });
    const { entries } = await host.session.inbox.next("logBatch");
    assert.match(entries[0]?.text ?? "", new RegExp(`${point} failed`));
    assert.match(entries[0]?.exception ?? "", line);
    task.send({ case: "drain", value: {} });
    await task.inbox.next("drained");
    task.send(stop);
    assert.equal((await task.inbox.next("stopped")).failure, undefined);
  }
});

test("what a sink's functions throw is the answer to what was asked", async () => {
  for (const point of ["open", "put", "flush", "offsets", "close", "stop"] as const) {
    const task = await host.startSink(point, {
      className: "broken.Sink",
      taskConfig: { at: point },
    });
    const place = { topic: "t", partition: 0 };
    task.send({ case: "open", value: { partitions: [place] } });
    const opened = await task.inbox.next("opened");
    task.send({ case: "topic", value: { id: 1, topic: "t" } });
    task.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
    const ids = { valueForms: [1], topics: [1], partitions: [1], offsets: [0n] };
    const columns = { count: 1, arena: Buffer.from("x"), valueSizes: [2], ...ids };
    task.send({ case: "put", value: { putSeq: 1n, columns } });
    const put = (await task.inbox.next("putResult")).kind;
    task.send({ case: "flush", value: { flushSeq: 1n, offsets: [{ ...place, offset: 1n }] } });
    const flushed = await task.inbox.next("flushResult");
    task.send({ case: "close", value: { partitions: [place], reason: 1 } });
    const closed = await task.inbox.next("closed");
    task.send(stop);
    const stopped = await task.inbox.next("stopped");
    const failures = {
      open: opened.failure,
      put: put.case === "failure" ? put.value : undefined,
      flush: flushed.failure,
      offsets: flushed.failure,
      close: closed.failure,
      stop: stopped.failure,
    };
    const failure = failures[point];
    assert.match(
      failure?.text ?? "nothing",
      point === "offsets" ? /flush/ : new RegExp(`^no ${point}$`),
    );
    if (point !== "offsets") assert.match(failure?.stack ?? "", line);
  }
});
