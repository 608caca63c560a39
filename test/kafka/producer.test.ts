/** The producer of the Kafka driver over brokers in memory: what goes when and where. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RetriableError, TaskError } from "../../src/base/error.ts";
import { produce } from "../../src/kafka/protocol/produce.ts";
import { ProducerRun, refusing, sentBatches } from "../harness/kafka/producer-run.ts";

const one = { topics: { t: [1] } };

test("records linger and leave together; a full batch leaves at once", async () => {
  const run = new ProducerRun(one, { "linger.ms": "20", "batch.size": "400" });
  await run.transport.map.refresh(["t"]);
  run.send("a");
  run.send("b");
  await run.quiet();
  run.clock.pass(19);
  await run.quiet();
  assert.equal(run.transport.callsOf(produce).length, 0);
  run.clock.pass(1);
  await run.quiet();
  assert.deepEqual(
    run.transport.callsOf(produce).map(({ request }) => sentBatches(request).length),
    [1],
  );
  assert.deepEqual(run.stored(0), ["a", "b"]);
  for (let n = 0; n < 30; n += 1) run.send(`value ${n}`);
  await run.quiet();
  assert.ok(run.outcomes.length > 2 && run.outcomes.length < 32);
  await run.until(32);
});

test("a flush hurries what lingers, and waits for nothing that comes later", async () => {
  const run = new ProducerRun(one, { "linger.ms": "60000", "delivery.timeout.ms": "120000" });
  run.send("a");
  const flush = run.producer.flush();
  await run.quiet();
  run.send("b");
  await flush;
  assert.deepEqual(run.stored(0), ["a"]);
});

test("partitions of one broker share a request, up to max.request.size", async () => {
  const leaders = Array.from({ length: 8 }, () => 1);
  const run = new ProducerRun(
    { topics: { t: leaders } },
    { "linger.ms": "0", "max.request.size": "400", "max.in.flight.requests.per.connection": "1" },
  );
  await run.transport.map.refresh(["t"]);
  for (let partition = 0; partition < 8; partition += 1) run.send("x".repeat(60), { partition });
  await run.until(8);
  const requests = run.transport.callsOf(produce).map(({ request }) => sentBatches(request).length);
  assert.deepEqual(requests, [3, 3, 2]);
});

test("while a request is in flight the next batch grows", async () => {
  const run = new ProducerRun(one, {
    "linger.ms": "0",
    "max.in.flight.requests.per.connection": "1",
  });
  await run.transport.map.refresh(["t"]);
  const script = run.transport.script(produce.key)!;
  let release = () => {};
  run.transport.on(produce, async (request, call) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return (await script(request, call as never)) as never;
  });
  run.send("first");
  await run.quiet();
  for (let n = 0; n < 10; n += 1) {
    run.send(`v${n}`);
    await run.quiet();
  }
  release();
  await run.quiet();
  release();
  await run.quiet();
  const counts = run.transport.callsOf(produce).flatMap(({ request }) => sentBatches(request));
  assert.deepEqual(
    counts.map(({ count }) => count),
    [1, 10],
  );
});

test("with one request in flight the order holds while the lead moves", async () => {
  const run = new ProducerRun(
    { ...one, nodes: [1, 2] },
    {
      "linger.ms": "0",
      "enable.idempotence": "false",
      "max.in.flight.requests.per.connection": "1",
    },
  );
  await run.transport.map.refresh(["t"]);
  const script = run.transport.script(produce.key)!;
  let release = () => {};
  run.transport.on(produce, async (request, call) => {
    if (call.node === 1) await new Promise<void>((resolve) => (release = resolve));
    return (await script(request, call as never)) as never;
  });
  run.send("first");
  await run.quiet();
  run.transport.map.setLeader("t", 0, 2);
  await run.transport.map.refresh(["t"]);
  run.send("second");
  await run.quiet();
  release();
  await run.until(2);
  assert.deepEqual(run.cluster.values("t", 0), ["first", "second"]);
});

test("keyless records stay with a partition until a batch is full, then go elsewhere", async () => {
  const run = new ProducerRun(
    { topics: { t: [1, 1, -1] } },
    { "batch.size": "300", "linger.ms": "0" },
  );
  await run.transport.map.refresh(["t"]);
  for (let n = 0; n < 40; n += 1) run.send(`value ${n}`);
  await run.until(40);
  const runs = run.transport.callsOf(produce).length;
  assert.ok(runs <= 12, `${runs} requests`);
  assert.ok(run.stored(0).length >= 10 && run.stored(1).length >= 10);
  // A partition without a leader gets nothing while others have one.
  assert.deepEqual(run.stored(2), []);
});

test("records that were sent before their topic was known go on in order", async () => {
  const run = new ProducerRun({ autoCreatePartitions: 2 });
  run.send("a", { key: "k" });
  run.send("b", { partition: 1 });
  run.send("c", { partition: 5 });
  run.send("d", { partition: 1 });
  await run.producer.flush();
  assert.equal(run.outcomes.length, 4);
  assert.deepEqual(
    run.cluster.values("t", 1).filter((value) => value !== "a"),
    ["b", "d"],
  );
  assert.deepEqual(run.errors, [
    "cannot write a record to partition 5 of topic t: it has 2, the first is 0",
  ]);
  assert.deepEqual(run.transport.map.refreshes, [{ topics: ["t"], create: true }]);
});

test("a partition that is new is found", async () => {
  const run = new ProducerRun(one);
  await run.transport.map.refresh(["t"]);
  run.transport.map.setLeader("t", 1, 1);
  run.send("a", { partition: 1 });
  await run.producer.flush();
  assert.deepEqual(run.cluster.values("t", 1), ["a"]);
});

test("a topic that does not come is given up after max.block.ms", async () => {
  const run = new ProducerRun({}, { "max.block.ms": "5000" });
  run.send("a");
  await run.until(1, 6_000);
  const error = run.failure();
  assert.equal(error.code, "kafka.topic_missing");
  assert.match(error.message, /topic t: it does not exist .* \(UNKNOWN_TOPIC_OR_PARTITION\)/);
  assert.ok(run.transport.map.refreshes.length < 20, "asks with backoff");
});

test("no broker says where a topic is: the reason is told", async () => {
  const run = new ProducerRun({}, { "max.block.ms": "5000" });
  run.transport.map.failure = new RetriableError("kafka.disconnected", "nobody there");
  run.send("a");
  await run.until(1, 6_000);
  const error = run.failure();
  assert.equal(error.code, "kafka.delivery_timeout");
  assert.equal((error.cause as Error).message, "nobody there");
});

test("nobody may ask any more: what waits for an answer fails at once", async () => {
  const run = new ProducerRun(one, { "max.block.ms": "9223372036854775807" });
  const wrong = new TaskError("kafka.authentication_failed", "wrong password");
  run.transport.map.failure = wrong;
  run.send("a");
  await run.until(1, 2_000);
  assert.equal(run.failure().cause, wrong);
  run.transport.map.failure = undefined;
  run.clock.pass(1_000);
  run.send("b");
  await run.until(2);
  assert.deepEqual(run.stored(0), ["b"]);
  refusing(run, 6);
  run.transport.map.failure = wrong;
  run.send("c");
  await run.until(3, 5_000);
  assert.equal(run.failure(2).cause, wrong);
  assert.match(run.errors[1] ?? "", /partition 0 of topic t at broker-1:9092/);
});

test("a topic that may not be seen fails at once", async () => {
  const run = new ProducerRun(one);
  run.transport.map.errors.set("t", 29);
  run.send("a");
  await run.producer.flush();
  assert.match(run.errors[0] ?? "", /find topic t .*TOPIC_AUTHORIZATION_FAILED/);
});

test("a topic that is deleted under the producer is given up after half a minute", async () => {
  const run = new ProducerRun(one, { "max.block.ms": "9223372036854775807" });
  run.send("a");
  await run.producer.flush();
  run.transport.map.leaders.delete("t");
  run.send("b");
  await run.until(2, 40_000);
  const error = run.failure(1);
  assert.equal(error.code, "kafka.topic_deleted");
});

test("a topic that comes back is written to", async () => {
  const run = new ProducerRun(one, {});
  run.send("a");
  await run.producer.flush();
  run.transport.map.leaders.delete("t");
  run.send("b");
  await run.quiet();
  run.clock.pass(10_000);
  await run.quiet();
  run.transport.map.setLeader("t", 0, 1);
  await run.until(2);
  assert.deepEqual(run.cluster.values("t", 0), ["a", "b"]);
});

test("a partition without a leader waits for one, at most for delivery.timeout.ms", async () => {
  const run = new ProducerRun({ topics: { t: [-1] } }, { "delivery.timeout.ms": "40000" });
  run.send("a");
  await run.quiet();
  run.clock.pass(20_000);
  await run.quiet();
  run.transport.map.setLeader("t", 0, 1);
  await run.until(1);
  assert.deepEqual(run.stored(0), ["a"]);
  run.transport.map.setLeader("t", 0, -1);
  refusing(run, 6);
  run.send("b");
  await run.until(2, 45_000);
  const error = run.failure(1);
  assert.equal(error.code, "kafka.delivery_timeout");
  assert.match(
    error.message,
    /partition 0 of topic t.*delivery\.timeout\.ms \(40000\), tried 1 time/,
  );
  assert.match((error.cause as Error).message, /t-0 at broker-1:9092: .*NOT_LEADER_OR_FOLLOWER/);
});

test("I5: room waits while the buffer is full, whatever lingers goes, and then there is room", async () => {
  const run = new ProducerRun(one, { "buffer.memory": "20000", "linger.ms": "60000" });
  await run.transport.map.refresh(["t"]);
  let hasRoom = false;
  // The first batch holds 16 KiB, the second as much.
  run.send("a");
  await run.producer.room();
  for (let n = 0; n < 400; n += 1)
    run.send(`a value of fifty bytes or so, number ${n}, in the batch`);
  const room = run.producer.room().then(() => {
    hasRoom = true;
  });
  assert.equal(hasRoom, false);
  await run.quiet();
  await room;
  assert.equal(run.outcomes.length > 200, true);
  const stop = new AbortController();
  run.transport.map.setLeader("t", 0, -1);
  run.cluster.nextFault = () => ({ at: "request-lost" });
  for (let n = 0; n < 800; n += 1)
    run.send(`a value of fifty bytes or so, number ${n}, in the batch`);
  const waits = run.producer.room(stop.signal);
  stop.abort();
  await waits;
});

test("a record that is over a limit of the producer is refused at once", () => {
  const run = new ProducerRun(one, { "max.request.size": "200", "buffer.memory": "150" });
  assert.throws(() => run.send("x".repeat(200)), {
    code: "record.too_large",
    message: /larger than 200, which is the value of the max.request.size configuration/,
  });
  assert.throws(() => run.send("x".repeat(80)), { message: /buffer\.memory/ });
});

test("close sends what is there; what is left after its time fails, and nothing is sent later", async () => {
  const run = new ProducerRun(one, { "linger.ms": "60000" });
  run.send("a");
  const closing = run.producer.close(1_000);
  assert.throws(() => run.send("b"), { code: "kafka.producer_closed" });
  await closing;
  assert.deepEqual(run.stored(0), ["a"]);
  const stuck = new ProducerRun({ topics: { t: [-1] } });
  stuck.send("a");
  stuck.send("u", { topic: "unknown" });
  await stuck.producer.close(5);
  assert.deepEqual(stuck.errors, [
    "cannot write to topic t: the producer is closed",
    "cannot write to topic unknown: the producer is closed",
  ]);
  await stuck.quiet();
  assert.equal(stuck.clock.sleepsMs.length, 0, "nothing is left that would wake");
});

test("a batch that is in flight at the end of close is told once, whatever is answered", async () => {
  const run = new ProducerRun(one);
  run.transport.on(produce, () => undefined);
  run.send("a");
  await run.quiet();
  run.clock.pass(5);
  await run.quiet();
  const [call] = run.transport.callsOf(produce);
  await run.producer.close(5);
  call?.answer({ topics: [], throttleMs: 0 });
  await run.quiet();
  assert.equal(run.outcomes.length, 1);
});
