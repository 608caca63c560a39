/** A producer's keys: Java's defaults, Java's conflicts, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientConfig } from "../kafka.ts";
import { producerSettings } from "./producer-settings.ts";

test("without a config a producer is as Kafka 4.1 makes it", () => {
  assert.deepEqual(producerSettings(), {
    acks: -1,
    isIdempotent: true,
    lingerMs: 5,
    batchBytesMax: 16_384,
    bufferBytesMax: 33_554_432,
    requestBytesMax: 1_048_576,
    inFlightMax: 5,
    compression: undefined,
    deliveryMsMax: 120_000,
    topicWaitMsMax: 60_000,
    requestTimeoutMs: 30_000,
    retriesMax: 2_147_483_647,
    retryBackoffMs: 100,
    retryBackoffMsMax: 1_000,
    mapAgeMsMax: 300_000,
    ignoresKeys: false,
  });
});

const given: { name: string; config: ClientConfig; expect: object }[] = [
  { name: "acks=all", config: { acks: "all" }, expect: { acks: -1, isIdempotent: true } },
  {
    name: "idempotence by default gives way to acks",
    config: { acks: "1" },
    expect: { acks: 1, isIdempotent: false },
  },
  {
    name: "… to more requests in flight",
    config: { "max.in.flight.requests.per.connection": "6" },
    expect: { inFlightMax: 6, isIdempotent: false },
  },
  { name: "… and to no retries", config: { retries: "0" }, expect: { isIdempotent: false } },
  {
    name: "Connect's max.block.ms is for ever",
    config: { "max.block.ms": "9223372036854775807" },
    expect: { topicWaitMsMax: 2 ** 63 },
  },
  {
    name: "the delivery time-out is never below linger and one request",
    config: { "request.timeout.ms": "200000" },
    expect: { deliveryMsMax: 200_005 },
  },
  {
    name: "a first backoff beyond the longest makes it longer",
    config: { "retry.backoff.ms": "5000" },
    expect: { retryBackoffMs: 5_000, retryBackoffMsMax: 5_000 },
  },
  {
    name: "a codec and its level",
    config: { "compression.type": "gzip", "compression.gzip.level": "1" },
    expect: { compression: { codec: "gzip", level: 1 } },
  },
];

for (const { name, config, expect } of given) {
  test(name, () => {
    const settings = { ...producerSettings(config) };
    for (const [key, value] of Object.entries(expect)) {
      assert.deepEqual(settings[key as keyof typeof settings], value, key);
    }
  });
}

const wrong: { config: ClientConfig; key: string; message: string }[] = [
  {
    config: { "linger.ms": "soon" },
    key: "linger.ms",
    message: "Invalid value soon for configuration linger.ms: Not a number of type LONG",
  },
  {
    config: { acks: "2" },
    key: "acks",
    message: "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1",
  },
  {
    config: { "enable.idempotence": "true", acks: "1" },
    key: "acks",
    message:
      "Must set acks to all in order to use the idempotent producer. " +
      "Otherwise we cannot guarantee idempotence.",
  },
  {
    config: { "enable.idempotence": "true", "max.in.flight.requests.per.connection": "6" },
    key: "max.in.flight.requests.per.connection",
    message:
      "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.",
  },
  {
    config: { "delivery.timeout.ms": "1000" },
    key: "delivery.timeout.ms",
    message: "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms",
  },
  {
    config: { "compression.type": "brotli" },
    key: "compression.type",
    message:
      "Invalid value brotli for configuration compression.type: " +
      "String must be one of: none, gzip, snappy, lz4, zstd",
  },
  {
    config: { "partitioner.class": "org.example.Own" },
    key: "partitioner.class",
    message:
      "Invalid value org.example.Own for configuration partitioner.class: records go to " +
      "partitions by Kafka's default partitioner here; leave the key out",
  },
];

for (const { config, key, message } of wrong) {
  test(`${JSON.stringify(config)} is refused`, () => {
    assert.throws(() => producerSettings(config), {
      code: "config.invalid",
      message,
      problems: [{ key, message }],
    });
  });
}
