import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectorName } from "../state/id.ts";
import {
  decodeConfigRecord,
  encodeCommit,
  encodeConnector,
  encodeLoggerLevel,
  encodeRestart,
  encodeSessionKey,
  encodeTargetState,
  encodeTask,
  encodeTaskCount,
} from "./config-codec.ts";
import { encodeJson, encodeText, jsonText } from "./java-json.ts";
import { decodeOffsetKey, encodeOffset, offsetKey } from "./offset-codec.ts";
import {
  decodeStatus,
  decodeStatusKey,
  decodeTopicKey,
  decodeTopicUse,
  encodeStatus,
  encodeTopicUse,
  statusKey,
  topicKey,
} from "./status-codec.ts";

interface Golden {
  readonly key: string;
  readonly value: string | null;
}

/** Of a worker without and of one with exactly-once support. */
const recorded = ["internal-topics", "internal-topics-exactly-once"].map(
  (name) =>
    JSON.parse(
      readFileSync(new URL(`../../test/goldens/${name}.json`, import.meta.url), "utf8"),
    ) as { topics: Record<"config" | "status" | "offset", Golden[]> },
);
const of = (topic: "config" | "status" | "offset") =>
  recorded.flatMap(({ topics }) => topics[topic]);
const goldens = { topics: { config: of("config"), status: of("status"), offset: of("offset") } };

const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString());
const bytes = (value: string | null) => (value === null ? null : encodeText(value));

/** What this worker would write for a change that it read. */
function encodedAgain({ key, value }: Golden) {
  const change = decodeConfigRecord(encodeText(key), bytes(value));
  switch (change.at) {
    case "connector":
      return encodeConnector(change.connector, change.config);
    case "task":
      return encodeTask(change.connector, change.task, change.config);
    case "commit":
      return encodeCommit(change.connector, change.taskCount);
    case "target-state":
      return encodeTargetState(change.connector, change.target);
    case "restart":
      return encodeRestart(change.connector, change.options);
    case "task-count":
      return encodeTaskCount(change.connector, change.taskCount);
    case "session-key":
      return encodeSessionKey(change.sessionKey);
    case "logger-level":
      return encodeLoggerLevel(change.logger, change.level);
    default:
      throw new Error(`${key} was read as ${JSON.stringify(change)}`);
  }
}

test("config records that Apache Connect wrote are read, and written again with the same bytes", () => {
  for (const golden of goldens.topics.config) {
    const record = encodedAgain(golden);
    assert.deepEqual([text(record.key), text(record.value)], [golden.key, golden.value]);
  }
  assert.ok(goldens.topics.config.length > 80);
});

test("statuses that Apache Connect wrote are read, and written again with the same bytes", () => {
  let count = 0;
  for (const { key, value } of goldens.topics.status) {
    const owner = decodeStatusKey(encodeText(key));
    if (owner === undefined) {
      assert.match(key, /^status-topic-/);
      continue;
    }
    assert.equal(statusKey(owner), key);
    if (value === null) continue;
    const status = decodeStatus(encodeText(value));
    assert.ok(status, value);
    assert.equal(text(encodeStatus(status)), value);
    count += 1;
  }
  assert.ok(count > 50);
});

test("topics in use that Apache Connect wrote are read, and written again with the same bytes", () => {
  let count = 0;
  for (const { key, value } of goldens.topics.status) {
    const used = decodeTopicKey(encodeText(key));
    assert.equal(used === undefined, decodeStatusKey(encodeText(key)) !== undefined, key);
    if (used === undefined) continue;
    assert.equal(topicKey(used), key);
    count += 1;
    if (value === null) continue;
    const use = decodeTopicUse(encodeText(value));
    assert.ok(use, value);
    assert.deepEqual({ topic: use.topic, connector: use.connector }, used);
    assert.equal(text(encodeTopicUse(use)), value);
  }
  assert.ok(count > 5);
});

for (const key of [
  "status-topic-",
  "status-topic-t",
  "status-topic-t:c",
  "status-topic-:connector-c",
  "status-topic-t:connector-",
  "status-topic-t:connectors-c",
]) {
  test(`${key} is no key of a topic in use`, () => {
    assert.equal(decodeTopicKey(encodeText(key)), undefined);
  });
}

test("the name of a connector may look like a key", () => {
  const use = { topic: "t.1", connector: connectorName("a:connector-b") };
  assert.deepEqual(decodeTopicKey(encodeText(topicKey(use))), use);
});

test("source offsets that Apache Connect wrote are found, and written again with the same bytes", () => {
  for (const { key, value } of goldens.topics.offset) {
    const decoded = decodeOffsetKey(encodeText(key));
    assert.ok(decoded);
    const asked = offsetKey(decoded.connector, decoded.partition);
    assert.equal(asked.partition, decoded.partition);
    const record = encodeOffset(decoded.text, value);
    assert.deepEqual([text(record.key), text(record.value)], [key, value]);
  }
});

const spoiled: { name: string; key: string | null; value: string | null; reason: RegExp }[] = [
  { name: "no key", key: null, value: "{}", reason: /not a text/ },
  { name: "a kind of a newer worker", key: "quota-a", value: "{}", reason: /not known/ },
  { name: "a value that is no JSON", key: "connector-a", value: "{", reason: /JSON object/ },
  { name: "a value that is a list", key: "connector-a", value: "[]", reason: /JSON object/ },
  { name: "no properties", key: "connector-a", value: "{}", reason: /no properties/ },
  { name: "a task without a number", key: "task-a", value: "{}", reason: /no task number/ },
  { name: "a deleted task config", key: "task-a-0", value: null, reason: /one by one/ },
  { name: "a commit of -1 tasks", key: "commit-a", value: '{"tasks":-1}', reason: /number of/ },
  {
    name: "a commit of more tasks than can be",
    key: "commit-a",
    value: '{"tasks":1e9}',
    reason: /number of/,
  },
  {
    name: "an unknown target state",
    key: "target-state-a",
    value: '{"state":"NAPPING"}',
    reason: /NAPPING/,
  },
  { name: "a restart without a value", key: "restart-connector-a", value: null, reason: /without/ },
  { name: "half a session key", key: "session-key", value: '{"key":"x"}', reason: /no session/ },
];

for (const { name, key, value, reason } of spoiled) {
  test(`a config record is ignored with a reason: ${name}`, () => {
    const change = decodeConfigRecord(bytes(key), bytes(value));
    assert.equal(change.at, "ignored");
    assert.match(change.at === "ignored" ? change.reason : "", reason);
  });
}

test("names with dashes and digits keep their task numbers apart", () => {
  const change = decodeConfigRecord(encodeText("task-a-1-0"), encodeJson({ properties: {} }));
  assert.deepEqual(change, { at: "task", connector: "a-1", task: 0, config: {} });
  assert.deepEqual(decodeStatusKey(encodeText("status-task-a-1-0")), { connector: "a-1", task: 0 });
});

test("a target state of a worker before state.v2 is read", () => {
  const change = decodeConfigRecord(encodeText("target-state-a"), encodeText('{"state":"PAUSED"}'));
  assert.deepEqual(change, { at: "target-state", connector: "a", target: "PAUSED" });
});

test("values that are no texts are read as texts, nulls are left out", () => {
  const value = encodeText('{"properties":{"a":1,"b":true,"c":null}}');
  const change = decodeConfigRecord(encodeText("connector-a"), value);
  assert.deepEqual(change, { at: "connector", connector: "a", config: { a: "1", b: "true" } });
});

test("JSON text is escaped as Jackson does", () => {
  const cases: [unknown, string][] = [
    ["\u0001\u001f", '"\\u0001\\u001F"'],
    ["😀", '"\\uD83D\\uDE00"'],
    ["\\u00ab", '"\\\\u00ab"'],
    ["é / \u2028", '"é / \u2028"'],
    ['\b\f\n\r\t"\\', '"\\b\\f\\n\\r\\t\\"\\\\"'],
  ];
  for (const [value, expected] of cases) assert.equal(jsonText(value), expected);
});

test("a status of a worker before 4.1 has no version; one that cannot be read is none", () => {
  const old = '{"state":"RUNNING","trace":null,"worker_id":"a:1","generation":3}';
  assert.equal(decodeStatus(encodeText(old))?.version, null);
  for (const bad of ["", "{}", '{"state":"DESTROYED","worker_id":"a"}', '{"state":"RUNNING"}']) {
    assert.equal(decodeStatus(encodeText(bad)), undefined);
  }
});

test("offset keys of other programs are not ours", () => {
  for (const key of ["", "{}", "[]", '["a"]', '["a",{},1]', "[1,{}]", '["a",{]', '["a",{}] x']) {
    assert.equal(decodeOffsetKey(encodeText(key)), undefined, key);
  }
  assert.equal(decodeOffsetKey(null), undefined);
  assert.equal(connectorName("a"), "a");
});
