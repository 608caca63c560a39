/** Asking brokers where partitions begin and end, while leaders move. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import { brokerCode } from "../../src/kafka/broker-error.ts";
import { listOffsets, offsetOf } from "../../src/kafka/protocol/list-offsets.ts";
import { lookUpOffsets } from "../../src/kafka/reader/offset-lookup.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { ScriptedLogs } from "../harness/kafka/scripted-logs.ts";

function open(t: TestContext) {
  const logs = new ScriptedLogs({ topics: { t: [1, 2] }, nodes: [1, 2] });
  const connections = logs.transport.connections({ clientId: "test" });
  t.after(() => connections.close());
  const { map } = logs.transport;
  const ends = (timeoutMs = 5_000, topic = "t") =>
    lookUpOffsets(
      [1, 0].map((partition) => ({ topic, partition, timestampMs: offsetOf.latest })),
      { map, connections, readCommitted: false, timeoutMs },
    );
  return { logs, ends, map };
}

test("each leader is asked once, and the answers stand in the order asked", async (t) => {
  const { logs, ends } = open(t);
  logs.partition("t", 0).append(["0", "1"]);
  logs.partition("t", 1).append(["0"]);
  assert.deepEqual(await ends(), [1, 2]);
  const nodes = logs.transport.callsOf(listOffsets).map(({ node }) => node);
  assert.deepEqual(nodes.sort(), [1, 2]);
});

test("the end for readers of what is committed is where the first open transaction begins", async (t) => {
  const { logs } = open(t);
  const log = logs.partition("t", 0);
  log.append(["0"]);
  log.append(["1"], 7);
  log.append(["2"]);
  const admin = createKafkaAdmin({ transport: logs.transport, logger: silentLogger() });
  const place = [{ topic: "t", partition: 0 }];
  assert.deepEqual(await admin.endOffsets(place), [3]);
  assert.deepEqual(await admin.endOffsets(place, { readCommitted: true }), [1]);
});

test("what may pass is asked again, and only that", async (t) => {
  const { logs, ends, map } = open(t);
  logs.codes.set("t/0", brokerCode.offsetNotAvailable);
  const asked = ends();
  map.setLeader("t", 1, -1);
  setImmediate(() => map.setLeader("t", 1, 1));
  while (logs.transport.callsOf(listOffsets).length < 2) await new Promise(setImmediate);
  logs.codes.clear();
  assert.deepEqual(await asked, [0, 0]);
});

for (const { what, topic, code, expected } of [
  {
    what: "a topic that does not exist, once the time is over",
    topic: "absent",
    code: 0,
    expected: { name: "RetriableError", message: /end of absent-.*UNKNOWN_TOPIC_OR_PARTITION/ },
  },
  {
    what: "a topic that may not be read, at once",
    topic: "t",
    code: brokerCode.topicAuthorizationFailed,
    expected: { name: "TaskError", message: /end of t-0 at broker-1:9092: .*AUTHORIZATION_FAILED/ },
  },
]) {
  test(`the error names ${what}`, async (t) => {
    const { logs, ends } = open(t);
    if (code !== 0) logs.codes.set("t/0", code);
    await assert.rejects(ends(code === 0 ? 100 : 60_000, topic), expected);
  });
}
