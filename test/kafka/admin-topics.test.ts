/** What the admin makes of refusals of topics, over brokers in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import { createTopics } from "../../src/kafka/protocol/create-topics.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { FakeClock } from "../harness/fake-clock.ts";
import { ScriptedTransport } from "../harness/kafka/scripted-transport.ts";

const wanted = { name: "t", partitionCount: 1, replicationFactor: -1, config: {} };

function adminOver(transport: ScriptedTransport) {
  return createKafkaAdmin({ transport, logger: silentLogger(), clock: new FakeClock() });
}

for (const { errorCode, said, code, cause } of [
  { errorCode: 29, said: null, code: "kafka.not_authorized", cause: undefined },
  { errorCode: 31, said: null, code: "kafka.not_authorized", cause: undefined },
  { errorCode: 40, said: "Unknown topic config name: x", code: "kafka.topic_invalid", cause: 1 },
  { errorCode: 38, said: "too many", code: "kafka.broker_refused", cause: undefined },
]) {
  test(`a topic that is refused by code ${errorCode} is told as ${code}`, async () => {
    const transport = new ScriptedTransport();
    transport.on(createTopics, () => ({ topics: [{ name: "t", errorCode, errorMessage: said }] }));
    await assert.rejects(adminOver(transport).createTopic(wanted), (error: Error) => {
      assert.equal((error as Error & { code?: string }).code, code);
      assert.match(error.message, /^cannot create topic t: the broker answered /);
      assert.equal((error.cause as Error | undefined)?.message, cause && said);
      return true;
    });
  });
}

test("a topic that may not be looked at is told, and not taken for one that is missing", async () => {
  const transport = new ScriptedTransport();
  transport.map.errors.set("t", 29);
  await assert.rejects(adminOver(transport).describeTopic("t"), {
    code: "kafka.not_authorized",
    message: /cannot describe topic t: .*TOPIC_AUTHORIZATION_FAILED/,
    hint: /rights it needs on the topic/,
  });
  assert.equal(await adminOver(transport).describeTopic("u"), undefined);
});
