/** The producer of the Kafka driver over brokers in memory: what brokers refuse, and ids and epochs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FencedError, RecordError, TaskError } from "../../src/base/error.ts";
import { describeConfigs } from "../../src/kafka/protocol/describe-configs.ts";
import { initProducerId } from "../../src/kafka/protocol/init-producer-id.ts";
import { produce } from "../../src/kafka/protocol/produce.ts";
import type { Fault } from "../harness/kafka/model-cluster.ts";
import { ProducerRun, refusing, sentBatches } from "../harness/kafka/producer-run.ts";

const one = { topics: { t: [1] } };

const refusals: { code: number; message: RegExp; tries: number }[] = [
  { code: 29, message: /TOPIC_AUTHORIZATION_FAILED/, tries: 1 },
  { code: 87, message: /INVALID_RECORD/, tries: 1 },
  { code: -1, message: /UNKNOWN_SERVER_ERROR/, tries: 2 },
];

for (const { code, message, tries } of refusals) {
  test(`an answer of ${message.source} is final after ${tries}, and what follows goes on`, async () => {
    const run = new ProducerRun(one);
    run.send("first");
    await run.producer.flush();
    refusing(run, ...Array.from({ length: tries }, () => code));
    run.send("bad");
    const flush = run.producer.flush();
    await run.until(2);
    await flush;
    assert.match(run.errors[0] ?? "", message);
    assert.match(run.errors[0] ?? "", /a record to partition 0 of topic t at broker-1:9092/);
    run.send("next");
    await run.until(3);
    assert.deepEqual(run.cluster.values("t", 0), ["first", "next"]);
    const last = run.transport.callsOf(produce).at(-1)!;
    assert.deepEqual(sentBatches(last.request), [{ epoch: 1, sequence: 0, count: 1 }]);
  });
}

test("retries=N ends after N, with the last answer as the cause", async () => {
  const run = new ProducerRun(one, { retries: "2", "enable.idempotence": "false" });
  refusing(run, 19, 19, 19);
  run.send("a");
  await run.until(1);
  assert.match(run.errors[0] ?? "", /not done within retries \(2\), tried 3 times/);
  assert.equal(run.transport.callsOf(produce).length, 3);
});

test("a retry waits for its backoff, which doubles", async () => {
  const run = new ProducerRun(one, { "retry.backoff.ms": "100", "retry.backoff.max.ms": "1000" });
  refusing(run, 19, 19, 19, 19, 19, 19);
  run.send("a");
  const times: number[] = [];
  run.transport.on(initProducerId, () => ({ errorCode: 0, producerId: 1, producerEpoch: 0 }));
  let seen = 0;
  while (run.outcomes.length === 0) {
    await run.quiet();
    const calls = run.transport.callsOf(produce).length;
    if (calls > seen) times.push(run.clock.elapsedMs());
    seen = calls;
    run.clock.pass(10);
  }
  const gaps = times.slice(1).map((time, n) => time - times[n]!);
  const least = [80, 160, 320, 640, 800, 800];
  assert.equal(gaps.length, 6);
  for (const [n, gap] of gaps.entries()) {
    assert.ok(gap >= least[n]! && gap <= least[n]! * 1.25 + 20, `wait ${n}: ${gap} ms`);
  }
});

test("one record over the broker's limit fails with size and limit; the others go on", async () => {
  const run = new ProducerRun(one);
  run.cluster.messageBytesMax = 300;
  const entries = [{ key: "max.message.bytes", value: "300", source: 1 }];
  run.transport.on(describeConfigs, () => ({
    topics: [{ name: "t", errorCode: 0, errorMessage: null, entries }],
  }));
  for (let n = 0; n < 20; n += 1) run.send(`small ${n}`);
  run.send("x".repeat(400));
  run.send("last");
  await run.until(22);
  const failed = run.outcomes.filter(({ error }) => error !== undefined);
  assert.equal(failed.length, 1);
  assert.ok(failed[0]?.error instanceof RecordError);
  assert.match(
    run.errors[0] ?? "",
    /partition 0 of topic t at broker-1:9092: it is 4\d\d bytes as a batch, more than 300/,
  );
  assert.equal(run.cluster.values("t", 0).length, 21);
  assert.equal(run.cluster.values("t", 0).at(-1), "last");
});

for (const { isStored, expected } of [
  { isStored: true, expected: "fails, since its halves would be there twice" },
  { isStored: false, expected: "is written in halves" },
]) {
  test(`a batch too large after a lost answer, ${isStored ? "" : "not "}stored: it ${expected}`, async () => {
    const run = new ProducerRun(one);
    run.send("first");
    await run.producer.flush();
    const faults: Fault[] = [{ at: isStored ? "answer-lost" : "request-lost" }];
    run.cluster.nextFault = () => {
      const fault = faults.shift() ?? { at: "none" };
      // Lowered behind the first try.
      if (fault.at === "none") run.cluster.messageBytesMax = 200;
      return fault;
    };
    const sent = Array.from({ length: 20 }, (_, n) => `value ${n}`);
    for (const value of sent) run.send(value);
    await run.until(21);
    run.send("after");
    await run.until(22);
    assert.deepEqual(run.cluster.values("t", 0), ["first", ...sent, "after"]);
    assert.equal(run.errors.length, isStored ? 20 : 0);
    if (!isStored) return;
    assert.match(run.errors[0] ?? "", /to partition 0 of topic t at broker-1:9092: .*too large/);
    assert.match(String(run.failure(1).cause), /OUT_OF_ORDER_SEQUENCE_NUMBER/);
  });
}

test("a fresh broker has no producer ids yet: the question is repeated", async () => {
  const run = new ProducerRun(one);
  let left = 3;
  run.transport.on(initProducerId, () => {
    left -= 1;
    return { errorCode: left > 0 ? 14 : 0, producerId: 7, producerEpoch: 0 };
  });
  run.send("a");
  await run.until(1);
  assert.deepEqual(run.stored(0), ["a"]);
});

test("a cluster that gives no producer id fails what waits for it, by partition", async () => {
  const run = new ProducerRun(one);
  run.transport.on(initProducerId, () => ({ errorCode: 31, producerId: -1, producerEpoch: -1 }));
  run.send("a");
  await run.until(1);
  assert.match(run.errors[0] ?? "", /a record to partition 0 of topic t/);
  const cause = run.failure().cause as Error;
  assert.match(cause.message, /enable.idempotence=true.*CLUSTER_AUTHORIZATION_FAILED/);
});

test("when the last epoch is used up, another producer id is asked for", async () => {
  const run = new ProducerRun(one);
  let asked = 0;
  run.transport.on(initProducerId, () => {
    asked += 1;
    return { errorCode: 0, producerId: asked, producerEpoch: asked === 1 ? 32_767 : 0 };
  });
  run.send("a");
  await run.producer.flush();
  refusing(run, 87);
  run.send("b");
  await run.until(2);
  run.send("c");
  await run.until(3);
  assert.equal(asked, 2);
  assert.deepEqual(run.cluster.values("t", 0), ["a", "c"]);
});

test("a fenced producer writes nothing more", async () => {
  const run = new ProducerRun(one);
  refusing(run, 90);
  run.send("a");
  await run.until(1);
  assert.ok(run.outcomes[0]?.error instanceof FencedError);
  assert.throws(() => run.send("b"), FencedError);
});

test("authentication that fails is told with the partition, and not repeated", async () => {
  const run = new ProducerRun(one, { "enable.idempotence": "false" });
  run.transport.on(produce, () => {
    throw new TaskError("kafka.authentication_failed", "wrong password");
  });
  run.send("a");
  await run.until(1);
  assert.match(run.errors[0] ?? "", /a record to partition 0 of topic t at broker-1:9092/);
  assert.equal((run.failure().cause as Error).message, "wrong password");
  assert.equal(run.transport.callsOf(produce).length, 1);
});

test("an answer that leaves a partition out counts as lost", async () => {
  const run = new ProducerRun(one);
  const script = run.transport.script(produce.key)!;
  let left = 1;
  run.transport.on(produce, async (request, call) => {
    left -= 1;
    if (left >= 0) return { topics: [], throttleMs: 0 };
    return (await script(request, call as never)) as never;
  });
  run.send("a");
  await run.until(1);
  assert.deepEqual(run.stored(0), ["a"]);
});
