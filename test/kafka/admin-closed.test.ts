/** What the admin of a cluster does when its connections are closed under it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../../src/base/deadline.ts";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import { createTopics } from "../../src/kafka/protocol/create-topics.ts";
import { metadata } from "../../src/kafka/protocol/metadata.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { ScriptedBroker } from "../harness/kafka/scripted-broker.ts";
import { waitFor } from "../harness/wait-for.ts";

const topic = { name: "t", partitionCount: 1, replicationFactor: 1, config: {} };
/** No throttle, one topic, no error. */
const made = Buffer.from("\0\0\0\0\0\0\0\x01\0\x01t\0\0\xff\xff", "latin1");

test("a call that is repeated ends with the connections, and so does waiting to be told", async () => {
  const broker = await ScriptedBroker.start();
  broker.versions.set(createTopics.key, [4, 4]);
  const transport = await createTransport({
    bootstrapServers: [broker.address],
    config: {},
    clientId: "closed",
    logger: silentLogger(),
  });
  try {
    const admin = createKafkaAdmin({ transport, logger: silentLogger() });
    broker.answers.set(createTopics.key, () => made);
    const creating = admin.createTopic(topic);
    await waitFor(() => broker.requests.some(({ key }) => key === createTopics.key), {
      withinMs: 20_000,
      what: "the topic to be made",
    });
    // From here on nobody says where it is.
    broker.answers.set(metadata.key, () => undefined);
    const asked = () => broker.requests.filter(({ key }) => key === metadata.key).length;
    const before = asked();
    const listing = assert.rejects(admin.listTopics(), { code: "kafka.closed" });
    await waitFor(() => asked() > before, { withinMs: 20_000, what: "the question" });
    await transport.close();
    // Repeating would take a minute, and being told ten seconds.
    assert.equal(await within(listing, 5_000, "late"), undefined);
    assert.equal(await within(creating, 5_000, "late"), true);
    await assert.rejects(within(admin.describeTopic("t"), 5_000, "late"), { code: "kafka.closed" });
  } finally {
    await transport.close();
    broker.stop();
  }
});
