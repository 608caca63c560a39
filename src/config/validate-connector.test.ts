import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, type RequestError } from "../base/error.ts";
import { keyWith, requiredKey } from "./connector-keys.ts";
import type { SubmittedConfig } from "./parse.ts";
import {
  type ConnectorClass,
  type OwnAnswer,
  pluginDescText,
  refuseInvalid,
  validateConnector,
} from "./validate-connector.ts";
import type { ConfigInfos } from "./validation.ts";

const own = {
  importance: "HIGH",
  group: null,
  order: -1,
  width: "NONE",
  documentation: "what it is for",
} as const;

const source: ConnectorClass = {
  className: "acme.TableSource",
  kind: "source",
  version: "1.2.0",
  config: [
    requiredKey({ ...own, name: "table", type: "STRING", displayName: "table" }),
    keyWith(null, { ...own, name: "password", type: "PASSWORD", displayName: "password" }),
  ],
  validates: false,
};

const sink: ConnectorClass = { ...source, className: "acme.TableSink", kind: "sink", config: [] };

const json = "org.apache.kafka.connect.json.JsonConverter";
const good = { name: "c", "connector.class": "acme.TableSource", table: "t" };
const goodSink = { name: "c", "connector.class": "acme.TableSink", topics: "t" };

function validate(
  config: SubmittedConfig,
  extra: { cls?: ConnectorClass; older?: ConnectorClass[]; answer?: OwnAnswer } = {},
): Promise<ConfigInfos> {
  const { cls = source, older = [], answer = { values: [] } } = extra;
  return validateConnector(config, {
    versions: (name) => [cls, ...older, sink].filter((each) => each.className === name),
    available: () => pluginDescText([{ ...source, location: "/plugins/table" }]),
    worker: {
      keyConverter: json,
      valueConverter: json,
      headerConverter: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
      converterVersion: "4.1.1",
    },
    stages: async () => ({
      names: () => ["acme.Drop"],
      find: (_kind, name) =>
        name === "acme.Drop"
          ? { at: "found", stage: { className: name, keys: [] } }
          : { at: "missing" },
    }),
    validatePlugin: async () => answer,
  });
}

function errorsOf(infos: ConfigInfos): Record<string, readonly string[]> {
  const wrong = infos.configs.flatMap(({ value }) =>
    value && value.errors.length > 0 ? [[value.name, value.errors] as const] : [],
  );
  return Object.fromEntries(wrong);
}

const refused: { name: string; config: SubmittedConfig; key: string }[] = [
  {
    name: "exactly-once",
    config: { "exactly.once.support": "required" },
    key: "exactly.once.support",
  },
  {
    name: "transaction boundaries",
    config: { "transaction.boundary": "connector" },
    key: "transaction.boundary",
  },
  {
    name: "an offsets topic",
    config: { "offsets.storage.topic": "o" },
    key: "offsets.storage.topic",
  },
  {
    name: "a converter nobody has",
    config: { "value.converter": "io.confluent.connect.avro.AvroConverter" },
    key: "value.converter",
  },
  {
    name: "client overrides",
    config: { "producer.override.acks": "1" },
    key: "producer.override.acks",
  },
  { name: "a config provider", config: { table: `$${"{file:/etc/x:table}"}` }, key: "table" },
  {
    name: "a number of crashes that is none",
    config: { "errors.quarantine.crashes": "-1" },
    key: "errors.quarantine.crashes",
  },
  {
    name: "an unknown restart policy",
    config: { "restart.policy": "always" },
    key: "restart.policy",
  },
];

for (const config of [good, goodSink]) {
  const kind = config === good ? "source" : "sink";
  test(`a ${kind} may tolerate records, log them, try them again and have dead letters`, async () => {
    const infos = await validate({
      ...config,
      "errors.tolerance": "all",
      "errors.retry.timeout": "-1",
      "errors.log.enable": "true",
      "errors.deadletterqueue.topic.name": "dlq",
    });
    assert.deepEqual(errorsOf(infos), {});
  });
}

for (const { name, config, key } of refused) {
  test(`a connector that asks for ${name} is refused with the key's name`, async () => {
    const infos = await validate({ ...good, ...config });
    assert.deepEqual(Object.keys(errorsOf(infos)), [key]);
    assert.equal(infos.error_count, 1);
    assert.ok(errorsOf(infos)[key]?.[0]?.includes(key), errorsOf(infos)[key]?.[0]);
  });
}

const accepted: { name: string; config: SubmittedConfig }[] = [
  { name: "nothing special", config: {} },
  {
    name: "what the defaults say, spelled out",
    config: {
      transforms: "",
      predicates: "",
      "errors.tolerance": "none",
      "errors.retry.timeout": "0",
      "errors.log.enable": "false",
      "topic.creation.groups": "",
      "exactly.once.support": "requested",
      "transaction.boundary": "POLL",
      "header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
      "connector.plugin.version": "[1.0,2.0)",
      "restart.policy": "on-failure",
    },
  },
  {
    name: "groups of topics, whatever they say: that is looked at when it starts",
    config: { "topic.creation.groups": "g,default", "topic.creation.g.partitions": "many" },
  },
  {
    name: "converters by their short names",
    config: {
      "key.converter": "String",
      "value.converter": "JsonConverter",
      "value.converter.schemas.enable": "false",
      "header.converter": "Simple",
    },
  },
];

for (const { name, config } of accepted) {
  test(`a connector that asks for ${name} is accepted`, async () => {
    assert.deepEqual(errorsOf(await validate({ ...good, ...config })), {});
  });
}

test("a version that no plugin has is an error on the class and on the version", async () => {
  const infos = await validate({ ...good, "connector.plugin.version": "2.0" });
  assert.deepEqual(Object.keys(errorsOf(infos)), ["connector.class", "connector.plugin.version"]);
  assert.equal(infos.error_count, 2);
});

test("of several versions the one that is wished for is checked, and all are told", async () => {
  const key = requiredKey({ ...own, name: "schema", type: "STRING", displayName: "schema" });
  const older = [{ ...source, version: "1.0.0", config: [key] }];
  const recommended = (infos: ConfigInfos) =>
    infos.configs.find(({ value }) => value?.name === "connector.plugin.version")?.value;
  const newest = await validate(good, { older });
  assert.equal(newest.error_count, 0);
  assert.deepEqual(recommended(newest)?.recommended_values, ["1.0.0", "1.2.0"]);
  const wished = await validate({ ...good, "connector.plugin.version": "[1.0,1.1]" }, { older });
  assert.deepEqual(Object.keys(errorsOf(wished)), ["schema"]);
  const none = await validate({ ...good, "connector.plugin.version": "3" }, { older });
  assert.match(
    errorsOf(none)["connector.class"]?.[0] ?? "",
    /acme.TableSource not found.* range \[3,3\], available versions: \[1.0.0, 1.2.0\]$/,
  );
});

test("the settings of a converter count once each, however many messages they have", async () => {
  const infos = await validate({
    ...good,
    "value.converter": json,
    "value.converter.schemas.cache.size": "x",
    "value.converter.schemas.enable": "perhaps",
  });
  assert.equal(infos.error_count, 2);
  assert.equal(infos.configs.at(-1)?.definition?.name, "value.converter.replace.null.with.default");
  assert.deepEqual(infos.groups.slice(-2), ["Schemas", "Serialization"]);
});

test("a null is an error, but not under a key of the plugin's own", async () => {
  const infos = await validate({ ...good, table: null, "my.key": null, "errors.tolerance": null });
  assert.deepEqual(errorsOf(infos), {
    "my.key": ["Null value can not be supplied as the configuration value."],
    "errors.tolerance": [
      "Invalid value null for configuration errors.tolerance: String must be one of: none, all",
      "Null value can not be supplied as the configuration value.",
    ],
  });
  assert.equal(infos.configs[0]?.definition, null);
});

test("what the plugin itself says of a key replaces the host's answer, and only for that key", async () => {
  const answer: OwnAnswer = {
    values: [
      {
        name: "table",
        value: "t",
        errors: ["no such table"],
        recommendedValues: ["orders"],
        visible: true,
      },
    ],
  };
  const infos = await validate(good, { cls: { ...source, validates: true }, answer });
  assert.deepEqual(errorsOf(infos), { table: ["no such table"] });
  const table = infos.configs.find(({ value }) => value?.name === "table");
  assert.deepEqual(table?.value?.recommended_values, ["orders"]);
  assert.equal(table?.definition?.required, true);
});

test("a password is shown hidden", async () => {
  const infos = await validate({ ...good, password: "hunter2" });
  assert.ok(!JSON.stringify(infos).includes("hunter2"));
});

test("an unknown class is answered with the plugins there are", async () => {
  await assert.rejects(validate({ "connector.class": "Nope" }), (error: RequestError) => {
    assert.equal(error.status, 400);
    assert.equal(
      error.message,
      "Failed to find any class that implements Connector and which name matches Nope, available connectors are: PluginDesc{klass=class acme.TableSource, name='acme.TableSource', version='1.2.0', encodedVersion=1.2.0, type=source, typeName='source', location='/plugins/table'}",
    );
    return true;
  });
});

test("a missing class is told with the config, but without its secrets", async () => {
  await assert.rejects(validate({ topic: "t", "db.password": "hunter2" }), {
    message: "Connector config {topic=t, db.password=[hidden]} contains no connector type",
  });
});

test("a config with errors is refused with all of them in one text", async () => {
  const infos = await validate({ ...good, "tasks.max": "x", "offsets.storage.topic": "a" });
  assert.throws(
    () => refuseInvalid(infos),
    (error: ConfigError) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map(({ key }) => key),
        ["tasks.max", "tasks.max", "offsets.storage.topic"],
      );
      assert.match(
        error.message,
        /^Connector configuration is invalid and contains the following 3/,
      );
      return true;
    },
  );
});
