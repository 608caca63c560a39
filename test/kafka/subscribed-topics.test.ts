/** Which topics a member reads, as a cluster that the test plays has them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { brokerCode } from "../../src/kafka/broker-error.ts";
import { SubscribedTopics } from "../../src/kafka/group/subscribed-topics.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { FakeClock } from "../harness/fake-clock.ts";
import { lostError, ScriptedTransport } from "../harness/kafka/scripted-transport.ts";
import { waitFor } from "../harness/wait-for.ts";

const ageMsMax = 300_000;

function open(t: TestContext, topics: readonly string[] | ((topic: string) => boolean)) {
  const { map } = new ScriptedTransport({ topics: { a: [1], b: [1, 1] } });
  const clock = new FakeClock();
  const stop = new AbortController();
  let looks = 0;
  const subscribed = new SubscribedTopics({
    map,
    topics,
    mayCreate: true,
    ageMsMax,
    clock,
    logger: silentLogger(),
    onLook: () => {
      looks += 1;
    },
  });
  const run = async () => {
    const running = subscribed.run(stop.signal);
    t.after(async () => {
      stop.abort();
      await running;
    });
    await waitFor(() => clock.sleepsMs.length === 1, { withinMs: 20_000 });
  };
  const pass = async (ms: number) => {
    const before = looks;
    clock.pass(ms);
    await waitFor(() => looks > before && clock.sleepsMs.length === 1, { withinMs: 20_000 });
  };
  return { map, clock, subscribed, run, pass };
}

test("a pattern means what is there when it is looked, without Kafka's own topics", async (t) => {
  const { map, clock, subscribed, run, pass } = open(t, (topic) => topic !== "b");
  map.setLeader("__consumer_offsets", 0, 1);
  await subscribed.look();
  assert.deepEqual(subscribed.names, ["a"]);
  await run();
  map.setLeader("c", 0, 1);
  assert.deepEqual(clock.sleepsMs, [ageMsMax]);
  await pass(ageMsMax);
  assert.deepEqual(subscribed.names, ["a", "c"]);
});

test("named topics keep their names, and counts leave out what is not there", async (t) => {
  const { map, subscribed } = open(t, ["b", "a", "x"]);
  await subscribed.look();
  assert.deepEqual(subscribed.names, ["a", "b", "x"]);
  assert.deepEqual(map.refreshes, [{ topics: ["b", "a", "x"], create: true }]);
  assert.deepEqual(
    [...subscribed.counts(subscribed.names)],
    [
      ["a", 1],
      ["b", 2],
    ],
  );
});

test("what is missing is looked for in short steps, and then at leisure", async (t) => {
  const { map, clock, subscribed, run, pass } = open(t, ["x"]);
  await subscribed.look();
  await run();
  assert.ok(clock.sleepsMs[0]! <= 100);
  map.failure = lostError(1, "cut");
  await pass(100);
  map.failure = undefined;
  map.setLeader("x", 0, 1);
  await pass(2_000);
  assert.deepEqual(clock.sleepsMs, [ageMsMax]);
  assert.equal(subscribed.failure, undefined);
});

test("a topic that may not be read fails with its name and what to do", async (t) => {
  const { map, subscribed, run, pass } = open(t, ["a"]);
  await subscribed.look();
  await run();
  map.errors.set("a", brokerCode.topicAuthorizationFailed);
  await pass(ageMsMax);
  assert.match(String(subscribed.failure), /cannot read topic a: .*TOPIC_AUTHORIZATION_FAILED/);
  await assert.rejects(subscribed.look(), { name: "TaskError", code: "kafka.broker_refused" });
});
