/** The producer of the Kafka driver where this program itself is at fault: nobody waits for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskError } from "../../src/base/error.ts";
import type { Receipt } from "../../src/kafka/kafka.ts";
import { produce } from "../../src/kafka/protocol/produce.ts";
import { ProducerRun, refusing } from "../harness/kafka/producer-run.ts";

const one = { topics: { t: [1, 1] } };
const bad = new TypeError("a slip");

const throwing: Receipt = {
  stored() {
    throw bad;
  },
  failed() {
    throw bad;
  },
};

/** All have their outcome, nothing can be sent any more, and nobody waits. */
async function assertBroken(run: ProducerRun, flush: Promise<void>): Promise<void> {
  await run.quiet();
  await flush;
  const isBroken = { name: "TaskError", code: "kafka.producer_broken", cause: bad } as const;
  assert.throws(() => run.send("later"), isBroken);
  await run.producer.room();
  await run.producer.flush();
  await run.producer.close(30_000);
}

for (const { name, code } of [
  { name: "is told that a record is stored", code: 0 },
  { name: "is told that a record failed", code: 87 },
]) {
  test(`a receipt that throws when it ${name} leaves nobody without an outcome`, async () => {
    const run = new ProducerRun(one, { "linger.ms": "0" });
    refusing(run, code);
    const script = run.transport.script(produce.key)!;
    run.transport.on(produce, async (request, call) => {
      const answer = await script(request, call as never);
      for (let n = 0; n < 3; n += 1) run.send(`late ${n}`, { partition: 1 });
      return answer as never;
    });
    run.send("before", { partition: 0 });
    run.send("bad", { partition: 0, receipt: throwing });
    run.send("behind", { partition: 0 });
    const flush = run.producer.flush();
    await assertBroken(run, flush);
    assert.deepEqual(run.outcomes.map(({ value }) => value).sort(), [
      "before",
      "behind",
      "late 0",
      "late 1",
      "late 2",
    ]);
    assert.equal((run.failure(4) as TaskError).cause, bad);
  });
}

test("a receipt that throws while its topic is given up leaves nobody without an outcome", async () => {
  const run = new ProducerRun({}, { "max.block.ms": "5000" });
  run.transport.map.errors.set("t", 29);
  run.send("bad", { receipt: throwing });
  run.send("behind");
  await assertBroken(run, run.producer.flush());
  assert.match(run.errors[0] ?? "", /TOPIC_AUTHORIZATION_FAILED/);
});

test("a receipt that throws as its record finds no partition leaves nobody without an outcome", async () => {
  const run = new ProducerRun(one);
  run.send("bad", { partition: 7, receipt: throwing });
  run.send("behind");
  await assertBroken(run, run.producer.flush());
  assert.equal(run.failure().code, "kafka.producer_broken");
});

test("an answer that trips the producer up fails what waits", async () => {
  const run = new ProducerRun(one);
  run.transport.on(produce, () => {
    const answer = { throttleMs: 0, topics: [] };
    Object.defineProperty(answer, "topics", {
      get() {
        throw bad;
      },
    });
    return answer;
  });
  run.send("a", { partition: 0 });
  run.send("b", { partition: 1 });
  await assertBroken(run, run.producer.flush());
  assert.deepEqual(
    run.outcomes.map(({ error }) => (error as TaskError | undefined)?.cause),
    [bad, bad],
  );
});

test("a question for a topic that fails unforeseen fails its records, and the next is asked", async () => {
  const run = new ProducerRun(one);
  run.transport.map.failure = bad;
  run.send("a");
  const flush = run.producer.flush();
  await run.until(1, 2_000);
  await flush;
  assert.equal(run.failure().cause, bad);
  run.transport.map.failure = undefined;
  run.clock.pass(1_000);
  run.send("b");
  await run.until(2);
  assert.deepEqual(run.cluster.values("t", 0).concat(run.cluster.values("t", 1)), ["b"]);
});
