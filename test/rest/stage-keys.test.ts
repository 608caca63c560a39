/** What a validation says of transforms and predicates (test/goldens/validate), and of wrong ones. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { SubmittedConfig } from "../../src/config/parse.ts";
import { unsupported } from "../../src/config/refusals.ts";
import type { ConfigInfos } from "../../src/config/validation.ts";
import { differences } from "../compat/match.ts";
import { validateFile } from "../harness/memory-rest.ts";

const [head, ...recorded] = readFileSync(
  new URL("../goldens/validate/transforms.jsonl", import.meta.url),
  "utf8",
)
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

test("the keys of transforms and predicates are listed as recorded", async () => {
  const infos = await validateFile(head.config);
  assert.deepEqual(infos.groups, head.groups);
  assert.deepEqual(
    infos.configs.map(({ value }) => value?.name),
    head.order,
  );
  assert.equal(recorded.length, 20);
  for (const entry of recorded) {
    const answer = infos.configs.find(({ value }) => value?.name === entry.value.name);
    assert.deepEqual(differences(entry, answer, entry.value.name), []);
  }
});

const apache = "org.apache.kafka.connect.transforms";
const missing = (key: string) =>
  `Missing required configuration "${key}" which has no default value.`;
const unknown = (key: string, name: string) =>
  `Invalid value ${name} for configuration ${key}: Class ${name} could not be found.`;
const isNull = "Null value can not be supplied as the configuration value.";
const lone =
  "Config 'transforms.a.negate' was provided but there is no config 'transforms.a.predicate' defining a predicate to be negated.";

const cases: {
  readonly name: string;
  readonly config: SubmittedConfig;
  readonly errors: Readonly<Record<string, readonly string[]>>;
}[] = [
  {
    name: "a list that is null",
    config: { transforms: null },
    errors: {
      transforms: [
        "Invalid value null for configuration transforms: entry must be non null",
        isNull,
      ],
    },
  },
  {
    name: "an alias that is there twice",
    config: { transforms: "a, a", "transforms.a.type": "Filter" },
    errors: {
      transforms: ["Invalid value [a, a] for configuration transforms: Duplicate alias provided."],
    },
  },
  {
    name: "aliases without types",
    config: { transforms: "a", predicates: "p" },
    errors: {
      "transforms.a.type": [missing("transforms.a.type")],
      "predicates.p.type": [missing("predicates.p.type")],
    },
  },
  {
    name: "a type that is null",
    config: { transforms: "a", "transforms.a.type": null },
    errors: { "transforms.a.type": [isNull] },
  },
  {
    name: "a class that nobody has",
    config: { transforms: "a", "transforms.a.type": "no.such.Class", "transforms.a.field": null },
    errors: {
      "transforms.a.field": [isNull],
      "transforms.a.type": [unknown("transforms.a.type", "no.such.Class")],
    },
  },
  {
    name: "a short name that several classes share",
    config: { transforms: "a", "transforms.a.type": "Value" },
    errors: { "transforms.a.type": [unknown("transforms.a.type", "Value")] },
  },
  {
    name: "a class without its half of the record",
    config: { transforms: "a", "transforms.a.type": `${apache}.HoistField` },
    errors: {
      "transforms.a.type": [
        `This class is abstract and cannot be created. Did you mean ${apache}.HoistField$Key, ${apache}.HoistField$Value?`,
      ],
    },
  },
  {
    name: "a predicate as a transform, and the other way",
    config: {
      transforms: "a",
      "transforms.a.type": "HasHeaderKey",
      predicates: "p",
      "predicates.p.type": "Filter",
    },
    errors: {
      "transforms.a.type": [
        `Class class ${apache}.predicates.HasHeaderKey does not implement the Transformation interface`,
      ],
      "predicates.p.type": [
        `Class class ${apache}.Filter does not implement the Predicate interface`,
      ],
    },
  },
  {
    name: "blanks around a type",
    config: { transforms: "a", "transforms.a.type": " Filter" },
    errors: {
      "transforms.a.type": [
        "Invalid value  Filter for configuration transforms.a.type: Error getting config definition from Transformation:  Filter",
      ],
    },
  },
  {
    name: "a negation of nothing, beside what else is wrong",
    config: {
      transforms: "a,b",
      "transforms.a.type": `${apache}.HoistField$Key`,
      "transforms.a.negate": "perhaps",
      "transforms.b.type": `${apache}.ExtractField$Value`,
      "transforms.b.field": "id",
      "transforms.b.field.syntax.version": "V3",
    },
    errors: {
      "transforms.a.type": [lone],
      "transforms.a.field": [missing("transforms.a.field")],
      "transforms.a.negate": [
        "Invalid value perhaps for configuration transforms.a.negate: Expected value to be either true or false",
      ],
      "transforms.b.field.syntax.version": [
        "Invalid value V3 for configuration field.syntax.version: String must be one of (case insensitive): V1, V2",
      ],
    },
  },
  {
    name: "a negation of nothing beside a missing type",
    config: { transforms: "a", "transforms.a.negate": "true" },
    errors: { "transforms.a.type": [missing("transforms.a.type"), lone] },
  },
  {
    name: "versions that cannot be read or that no class has",
    config: {
      transforms: "a,b",
      "transforms.a.type": "Filter",
      "transforms.a.plugin.version": "[1",
      "transforms.b.type": "Filter",
      "transforms.b.plugin.version": "9.0",
    },
    errors: {
      "transforms.a.plugin.version": ["Unbounded range: [1"],
      "transforms.b.plugin.version": [
        "Plugin Filter not found that matches the version range [9.0,9.0], available versions: [4.1.1]",
      ],
    },
  },
  {
    name: "a predicate that nobody defines, which only the task finds",
    config: { transforms: "a", "transforms.a.type": "Filter", "transforms.a.predicate": "p" },
    errors: {},
  },
];

for (const { name, config, errors } of cases) {
  test(`a validation tells ${name}`, async () => {
    const given = { name: "n", "connector.class": "FileStreamSource", topic: "t", ...config };
    assert.deepEqual(errorsOf(await validateFile(given)), errors);
  });
}

test("a short name is shown in full", async () => {
  const given = { name: "n", "connector.class": "FileStreamSource", topic: "t" };
  const config = { ...given, transforms: "a", "transforms.a.type": "Filter" };
  const { configs } = await validateFile(config);
  const type = configs.find(({ value }) => value?.name === "transforms.a.type");
  assert.equal(type?.value?.value, `${apache}.Filter`);
});

/** Without the refusal of the lists themselves. */
function errorsOf(infos: ConfigInfos): Record<string, readonly string[]> {
  const found = infos.configs.flatMap(({ value }) => {
    const errors = value?.errors.filter((message) => !message.includes(unsupported)) ?? [];
    return value && errors.length > 0 ? [[value.name, errors] as const] : [];
  });
  return Object.fromEntries(found);
}
