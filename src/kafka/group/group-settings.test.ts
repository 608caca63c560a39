import assert from "node:assert/strict";
import { test } from "node:test";
import { groupSettings } from "./group-settings.ts";

const java = "org.apache.kafka.clients.consumer";

test("a consumer without keys has Java's defaults", () => {
  const { timing, assignors, ...rest } = groupSettings();
  assert.deepEqual(timing, {
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 3_000,
    rebalanceTimeoutMs: 300_000,
    requestTimeoutMs: 30_000,
    retryBackoffMs: 100,
    retryBackoffMsMax: 1_000,
  });
  assert.deepEqual(
    assignors.map(({ name }) => name),
    ["range", "cooperative-sticky"],
  );
  assert.deepEqual(rest, {
    instanceId: null,
    mayCreateTopics: true,
    mapAgeMsMax: 300_000,
    apiTimeoutMs: 60_000,
  });
});

test("strategies are Java's classes, in the order of preference", () => {
  const text = `${java}.CooperativeStickyAssignor, ${java}.RangeAssignor`;
  const { assignors } = groupSettings({ "partition.assignment.strategy": text });
  assert.deepEqual(
    assignors.map(({ name }) => name),
    ["cooperative-sticky", "range"],
  );
});

for (const { key, value, why } of [
  { key: "session.timeout.ms", value: "10s", why: /whole number/ },
  { key: "max.poll.interval.ms", value: "0", why: /whole number/ },
  { key: "heartbeat.interval.ms", value: "45000", why: /is not below session\.timeout\.ms/ },
  { key: "group.instance.id", value: "a b", why: /letters, digits/ },
  { key: "group.instance.id", value: "", why: /letters, digits/ },
  { key: "group.protocol", value: "consumer", why: /only classic/ },
  {
    key: "partition.assignment.strategy",
    value: `${java}.StickyAssignor`,
    why: /RangeAssignor and/,
  },
]) {
  test(`${key}=${value} is refused with the key's name`, () => {
    assert.throws(
      () => groupSettings({ [key]: value }),
      (error: Error & { problems?: readonly { key: string }[] }) => {
        assert.match(error.message, why);
        assert.equal(error.problems?.[0]?.key, key);
        return true;
      },
    );
  });
}
