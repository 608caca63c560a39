import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../base/error.ts";
import { kafkaClients } from "./kafka-clients.ts";
import { workerId } from "./listener.ts";
import { parseWorkerConfig } from "./worker-config.ts";

const json = "org.apache.kafka.connect.json.JsonConverter";
const least = { "key.converter": json, "value.converter": "StringConverter" };

test("the least worker file gets Connect's defaults and ours", () => {
  const config = parseWorkerConfig(least);
  const { properties: _, ...typed } = config;
  assert.deepEqual(typed, {
    bootstrapServers: "localhost:9092",
    keyConverter: { className: json, config: {} },
    valueConverter: { className: "org.apache.kafka.connect.storage.StringConverter", config: {} },
    headerConverter: {
      className: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
      config: {},
    },
    taskShutdownGracefulTimeoutMs: 5_000,
    topicCreationEnable: true,
    topicTrackingAllowReset: true,
    topicTrackingEnable: true,
    offsetFlushIntervalMs: 60_000,
    offsetFlushTimeoutMs: 5_000,
    pluginPath: [],
    listeners: [{ protocol: "http", host: "", port: 8083 }],
    advertised: { hostName: undefined, port: undefined, listener: undefined },
    processPer: "connector",
    restartPolicy: "none",
    restartDelayMs: 1_000,
    restartDelayMsMax: 60_000,
    restartAttemptsMax: 10,
    restartWindowMs: 600_000,
    restartResetMs: 600_000,
    pluginConnectTimeoutMs: 30_000,
    pluginCacheDir: "",
    pluginAttach: [],
    pluginAttachDir: "",
    pluginRequestTimeoutMs: 60_000,
    pluginStartTimeoutMs: 60_000,
    pluginHeartbeatIntervalMs: 5_000,
    pluginHeartbeatTimeoutMs: 120_000,
    pluginMemoryBytesMax: 0,
    pluginMessageBytesMax: 4_194_304,
    pluginWindowBytes: 4_194_304,
    clients: kafkaClients({}),
    offsetStorageFile: "",
    embedded: {
      partitions: 1,
      fsync: "interval",
      fsyncIntervalMs: 1_000,
      retentionMs: 604_800_000,
      retentionBytes: -1,
      segmentBytes: 134_217_728,
    },
    logLevel: "info",
    logFormat: "auto",
    warnings: [],
  });
});

test("every wrong value is told at once", () => {
  assert.throws(
    () =>
      parseWorkerConfig({
        "value.converter": "Nope",
        "offset.flush.interval.ms": "soon",
        listeners: "https://:8443,8083",
        "plugin.process.per": "thread",
        "config.providers": "file",
        "rest.advertised.listener": "ftp",
        "value.converter.schemas.enable": "no",
      }),
    (error: ConfigError) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map(({ key }) => key),
        [
          "key.converter",
          "value.converter",
          "offset.flush.interval.ms",
          "plugin.process.per",
          "listeners",
          "listeners",
          "config.providers",
          "rest.advertised.listener",
        ],
      );
      for (const { key, message } of error.problems) {
        assert.ok(message.includes(key), message);
      }
      return true;
    },
  );
});

test("a memory limit that no process could keep is refused", () => {
  const key = "plugin.memory.bytes.max";
  const message = `Invalid value 512 for configuration ${key}: Value must be 0 (no limit) or at least 1048576`;
  assert.throws(() => parseWorkerConfig({ ...least, [key]: "512" }), {
    problems: [{ key, message }],
  });
  assert.equal(parseWorkerConfig({ ...least, [key]: "0" }).pluginMemoryBytesMax, 0);
});

test("the longest pause before a restart cannot be shorter than the first", () => {
  const delays = { "restart.delay.ms": "500", "restart.delay.max.ms": "100" };
  const key = "restart.delay.max.ms";
  const message = `Invalid value 100 for configuration ${key}: Value must be at least restart.delay.ms=500`;
  assert.throws(() => parseWorkerConfig({ ...least, ...delays }), { problems: [{ key, message }] });
});

test("a file that is something else is told in a few lines", () => {
  const words = Array.from({ length: 60 }, (_, index) => [`word${index}`, ""]);
  const { warnings } = parseWorkerConfig({ ...least, ...Object.fromEntries(words) });
  assert.equal(warnings.length, 11);
  assert.match(warnings[10] ?? "", /^50 more keys of the worker config are unknown/);
});

for (const { timeoutMs, wrong } of [
  { timeoutMs: 0, wrong: false },
  { timeoutMs: 10, wrong: true },
  { timeoutMs: 500, wrong: false },
]) {
  test(`a plugin may be ${timeoutMs} ms without a heartbeat: ${wrong ? "refused" : "accepted"}`, () => {
    const parse = () =>
      parseWorkerConfig({ ...least, "plugin.heartbeat.timeout.ms": `${timeoutMs}` });
    if (!wrong) assert.equal(parse().pluginHeartbeatTimeoutMs, timeoutMs);
    else {
      const message =
        "Invalid value 10 for configuration plugin.heartbeat.timeout.ms: Value must be 0 (never) or at least 500";
      assert.throws(parse, { problems: [{ key: "plugin.heartbeat.timeout.ms", message }] });
    }
  });
}

test("plugins to wait for are named once each, by names that can be files'", () => {
  const parse = (names: string) => parseWorkerConfig({ ...least, "plugin.attach": names });
  assert.deepEqual(parse("a, b-1.x,a").pluginAttach, ["a", "b-1.x"]);
  assert.throws(() => parse("a,../b"), {
    problems: [
      {
        key: "plugin.attach",
        message:
          "Invalid value ../b for configuration plugin.attach: it names a file too: letters, digits and ._- only, at most 100",
      },
    ],
  });
});

test("a wrong setting of a converter is told under its full name", () => {
  const config = { ...least, "key.converter.schemas.enable": "no" };
  assert.throws(() => parseWorkerConfig(config, "the worker config file a"), {
    message: "cannot use the worker config file a: one problem",
    problems: [
      {
        key: "key.converter.schemas.enable",
        message:
          "Invalid value no for configuration key.converter.schemas.enable: Expected value to be either true or false",
      },
    ],
  });
});

test("keys without effect are named: each unknown one, and the known ones together", () => {
  const config = parseWorkerConfig({
    ...least,
    "offset.flush.interval": "1",
    "plugin.paths": "/plugins",
    "producer.linger.ms": "5",
    "producer.acks": "1",
    "consumer.max.poll.records": "7",
    "admin.retries": "2",
    "sasl.mechanism": "PLAIN",
    "key.converter.schemas.enable": "false",
    "group.id": "connect",
    "offset.storage.file.filename": "/tmp/offsets",
    "status.storage.topic": "statuses",
    "connector.client.config.override.policy": "None",
    "topic.creation.enable": "false",
    "topic.tracking.enable": "false",
    "admin.listeners": "",
  });
  assert.deepEqual(config.warnings, [
    "the worker config has an unknown key that has no effect: offset.flush.interval",
    "the worker config has an unknown key that has no effect: plugin.paths: did you mean plugin.path?",
    "known, but without effect in this version: admin.retries, group.id, status.storage.topic, " +
      "connector.client.config.override.policy",
  ]);
  assert.deepEqual(config.keyConverter.config, { "schemas.enable": "false" });
  const { producer, consumer } = config.clients;
  assert.deepEqual([producer["linger.ms"], producer["acks"]], ["5", "1"]);
  assert.equal(consumer["max.poll.records"], "7");
  const { topicCreationEnable, topicTrackingEnable, topicTrackingAllowReset } = config;
  assert.deepEqual(
    [topicCreationEnable, topicTrackingEnable, topicTrackingAllowReset],
    [false, false, true],
  );
});

test("keys of a connection are named when the log is in a folder", () => {
  const keys = { "sasl.mechanism": "PLAIN", "offset.storage.file.filename": "/tmp/offsets" };
  const embedded = { ...least, "bootstrap.servers": "embedded:log", ...keys };
  assert.deepEqual(parseWorkerConfig(embedded).warnings, [
    "known, but without effect in this version: sasl.mechanism, offset.storage.file.filename",
  ]);
  const { clients, offsetStorageFile, warnings } = parseWorkerConfig({ ...least, ...keys });
  assert.deepEqual([clients.worker, warnings], [{ "sasl.mechanism": "PLAIN" }, []]);
  assert.equal(offsetStorageFile, "/tmp/offsets");
});

const ids: { listeners: string; extra: Record<string, string>; bound?: number; id: string }[] = [
  { listeners: "http://10.0.0.1:8083", extra: {}, id: "10.0.0.1:8083" },
  { listeners: "http://10.0.0.1:0", extra: {}, bound: 4711, id: "10.0.0.1:4711" },
  { listeners: "http://[::1]:8083", extra: { "rest.advertised.port": "80" }, id: "::1:80" },
  { listeners: "http://:8083", extra: { "rest.advertised.host.name": "w1" }, id: "w1:8083" },
];

for (const { listeners, extra, bound, id } of ids) {
  test(`a worker on ${listeners} ${JSON.stringify(extra)} is known as ${id}`, () => {
    const config = parseWorkerConfig({ ...least, listeners, ...extra });
    assert.equal(workerId(config.listeners, config.advertised, bound), id);
  });
}
