/** Clauses on describing, validating and refusing configs. */
import {
  type ClassDescription,
  type ConfigKey,
  ConfigType,
  PluginKind,
  ValidateMode,
  type ValidateResult,
} from "../../plugin/gen/bulkhead/plugin/v1/config_pb.ts";
import { FailureCode } from "../../plugin/gen/bulkhead/plugin/v1/error_pb.ts";
import { Blocked, type Clause, must, NotJudged } from "../clause.ts";
import { enumName } from "../enum-name.ts";
import { connectorName, type Trial } from "../trial.ts";

const calls = "proto/README.md, section 4";

async function describe(trial: Trial): Promise<ClassDescription> {
  const running = await trial.ready();
  const { className } = trial.class;
  const kind = { case: "describe", value: { className } } as const;
  const reply = await running.request(kind, trial.answerMs);
  if (reply === undefined) throw new Blocked("describe.classes", running.program.lastWords);
  if (reply.kind.case === "failure" && reply.kind.value.code === FailureCode.UNSUPPORTED) {
    throw new NotJudged("the plugin does not serve Describe");
  }
  const classes = reply.kind.case === "describe" ? reply.kind.value.classes : [];
  const found = classes.find((one) => one.className === className);
  if (found === undefined) {
    throw new Blocked("describe.classes", `Describe of ${className} did not describe it`);
  }
  return found;
}

async function validate(trial: Trial, config: Record<string, string>): Promise<ValidateResult> {
  const running = await trial.ready();
  const value = { className: trial.class.className, config, mode: ValidateMode.STATIC };
  const reply = await running.request({ case: "validate", value }, trial.answerMs);
  if (reply === undefined) {
    throw new Blocked("validate.runnable", `no reply came; ${running.program.lastWords}`);
  }
  if (reply.kind.case === "failure" && reply.kind.value.code === FailureCode.UNSUPPORTED) {
    throw new NotJudged("the plugin does not serve Validate");
  }
  if (reply.kind.case !== "validate") {
    throw new Blocked("validate.runnable", `Validate was answered with ${reply.kind.case}`);
  }
  const { failure } = reply.kind.value;
  if (failure !== undefined) throw new Blocked("validate.runnable", `it broke: ${failure.text}`);
  return reply.kind.value;
}

const errorsOf = (result: ValidateResult, key: string) =>
  result.values.find(({ name }) => name === key)?.errors ?? [];

function keysOf(trial: Trial): readonly ConfigKey[] {
  const { description } = trial.class;
  if (description === undefined) throw new NotJudged("the plugin does not serve Describe");
  return description.config;
}

const numbers: readonly ConfigType[] = [
  ConfigType.INT,
  ConfigType.SHORT,
  ConfigType.LONG,
  ConfigType.DOUBLE,
];

/** What is wrong with the default of a key; undefined: nothing. */
function faultOfDefault({ type, defaultValue, validator }: ConfigKey): string | undefined {
  if (defaultValue === undefined) return undefined;
  const number = Number(defaultValue);
  if (numbers.includes(type) && (defaultValue.trim() === "" || Number.isNaN(number))) {
    return "is not a number";
  }
  if (type === ConfigType.BOOLEAN && !/^(true|false)$/i.test(defaultValue.trim())) {
    return "is neither true nor false";
  }
  const rule = validator?.kind;
  if (rule?.case === "range") {
    const { min = number, max = number } = rule.value;
    if (number < min || number > max) return `is not from ${min} to ${max}`;
  }
  if (rule?.case === "oneOf") {
    const fold = (text: string) => (rule.value.caseInsensitive ? text.toLowerCase() : text);
    if (!rule.value.values.map(fold).includes(fold(defaultValue))) return "is not a listed value";
  }
  return undefined;
}

/** Judged for each class. */
export const configClauses: readonly Clause[] = [
  {
    id: "describe.classes",
    title: "Describe without a class describes every class of hello",
    rule: "DescribeResult: the classes with their config definitions.",
    place: calls,
    hint: "describe all classes when the request names none",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      const reply = await running.request({ case: "describe", value: {} }, trial.answerMs);
      must(reply !== undefined, `no reply came; ${running.program.lastWords}`);
      if (reply.kind.case === "failure" && reply.kind.value.code === FailureCode.UNSUPPORTED) {
        throw new NotJudged("the plugin does not serve Describe");
      }
      must(reply.kind.case === "describe", `it was answered with ${reply.kind.case}`);
      const described = reply.kind.value.classes;
      const named = running.session.of("hello")[0]?.plugin?.classes ?? [];
      for (const name of named) {
        must(
          described.filter((one) => one.className === name).length === 1,
          `${name} is not described`,
        );
      }
      must(described.length === named.length, "it describes classes that hello does not name");
      for (const one of described) {
        must(one.kind !== PluginKind.UNSPECIFIED, `${one.className} has no kind`);
      }
    },
  },
  {
    id: "describe.config-def",
    title: "the config definition is sound",
    rule: "ClassDescription: unique keys with a type; a default that its own type and validator take.",
    place: calls,
    hint: "a required key has no default; texts are as in a config file",
    of: "class",
    async run(trial) {
      const { config } = await describe(trial);
      const names = config.map(({ name }) => name);
      must(new Set(names).size === names.length, "a key is declared twice");
      for (const key of config) {
        must(key.name !== "", "a key has no name");
        must(key.type !== ConfigType.UNSPECIFIED, `${key.name} has no type`);
        const both = key.required && key.defaultValue !== undefined;
        must(!both, `${key.name} is required and has a default`);
        const fault = faultOfDefault(key);
        must(fault === undefined, `the default ${key.defaultValue} of ${key.name} ${fault}`);
        const stranger = key.dependents.find((one) => !names.includes(one));
        must(stranger === undefined, `${key.name} has the dependent ${stranger}, not a key`);
      }
    },
  },
  {
    id: "describe.manifest",
    title: "plugin.json says what Describe says",
    rule: "The static copy in plugin.json makes Describe rare: listing and validating start no process.",
    place: calls,
    hint: "generate plugin.json from the program, again after each change",
    of: "class",
    async run(trial) {
      const { manifest } = trial.class;
      if (manifest === undefined) throw new NotJudged("there is no plugin.json with this class");
      const described = await describe(trial);
      const kind = enumName(PluginKind, described.kind).toLowerCase();
      must(kind === manifest.kind, `its kind is ${kind}, in plugin.json ${manifest.kind}`);
      const version = manifest.version ?? trial.subject.manifest?.version;
      must(
        described.version === version,
        `its version is ${described.version}, in plugin.json ${version}`,
      );
      const keys = new Map(manifest.config.map((key) => [key.name, key]));
      for (const key of described.config) {
        const listed = keys.get(key.name);
        must(listed !== undefined, `plugin.json lacks the key ${key.name}`);
        keys.delete(key.name);
        const type = enumName(ConfigType, key.type);
        must(type === listed.type, `${key.name} is ${type}, in plugin.json ${listed.type}`);
        must(key.required === listed.required, `required of ${key.name} differs from plugin.json`);
        const value = key.defaultValue ?? null;
        must(
          value === listed.defaultValue,
          `the default of ${key.name} is ${value}, in plugin.json ${listed.defaultValue}`,
        );
      }
      must(keys.size === 0, `plugin.json has the key ${[...keys.keys()][0]}, Describe has not`);
    },
  },
  {
    id: "validate.runnable",
    title: "Validate finds nothing wrong with a config that runs, nor with keys it does not know",
    rule: "ValidateResult: per key the parsed value and its errors; keys that are not declared are not errors.",
    place: calls,
    hint: "answer with one entry for each declared key, and pass over the others",
    of: "class",
    async run(trial) {
      const config = await trial.config({ config: { "nobody.knows.this": "x" } });
      const result = await validate(trial, config);
      const wrong = result.values.find(({ errors }) => errors.length > 0);
      must(wrong === undefined, `${wrong?.name}: ${wrong?.errors[0]}`);
      for (const { name } of trial.class.description?.config ?? []) {
        const count = result.values.filter((one) => one.name === name).length;
        must(count === 1, `the result has ${count} entries for ${name}`);
      }
    },
  },
  {
    id: "validate.defaults",
    title: "Validate shows the default of a key that is not given",
    rule: "ConfigValue.value: the value after parsing.",
    place: calls,
    hint: "parse the default as if it had been given",
    of: "class",
    async run(trial) {
      const config = await trial.config();
      const keys = keysOf(trial).filter(
        ({ name, defaultValue }) => defaultValue !== undefined && config[name] === undefined,
      );
      if (keys.length === 0)
        throw new NotJudged("every key with a default is given, or there is none");
      const result = await validate(trial, config);
      for (const { name, defaultValue = "", type } of keys) {
        const value = result.values.find((one) => one.name === name)?.value;
        const same = numbers.includes(type)
          ? Number(value) === Number(defaultValue)
          : type === ConfigType.PASSWORD || value?.trim() === defaultValue.trim();
        must(
          same,
          `${name} has the value ${value ?? "null"} instead of its default ${defaultValue}`,
        );
      }
    },
  },
  {
    id: "validate.required",
    title: "Validate names each required key that is missing",
    rule: "A key that is required and has no value is an error of that key.",
    place: calls,
    hint: 'the text is Connect\'s: Missing required configuration "x" which has no default value.',
    of: "class",
    async run(trial) {
      const config = await trial.config();
      const required = keysOf(trial).filter((key) => key.required);
      if (required.length === 0) throw new NotJudged("no key is required");
      for (const { name } of required) delete config[name];
      const result = await validate(trial, config);
      for (const { name } of required) {
        must(errorsOf(result, name).length > 0, `${name} is missing and has no error`);
      }
    },
  },
  {
    id: "validate.types",
    title: "Validate finds a value of the wrong type",
    rule: "ValidateResult: per key the parsed value and its errors.",
    place: calls,
    hint: "parse every value by the type of its key; collect all errors",
    of: "class",
    async run(trial) {
      const config = await trial.config();
      const typed = keysOf(trial).filter(
        ({ type }) => numbers.includes(type) || type === ConfigType.BOOLEAN,
      );
      if (typed.length === 0) throw new NotJudged("no key is a number or a boolean");
      for (const { name } of typed) config[name] = "neither";
      const result = await validate(trial, config);
      for (const { name, type } of typed) {
        const given = `the value "neither" of ${name}, which is ${enumName(ConfigType, type)},`;
        must(errorsOf(result, name).length > 0, `${given} has no error`);
      }
    },
  },
  {
    id: "config.required-enforced",
    title: "does not run without a required key",
    rule: "Required options are enforced: a Failure comes before Started.",
    place: "proto/README.md, section 9",
    hint: "parse the whole config before user code; fail with INVALID_CONFIG and class CONFIGURATION",
    of: "class",
    async run(trial) {
      const required = trial.requiredKeys;
      if (required.length === 0) throw new NotJudged("no key is required");
      const config = await trial.config();
      for (const key of required.slice(0, 3)) {
        const { [key]: _, ...rest } = config;
        must(!(await runs(trial, rest)), `without ${key} its task reported started`);
      }
    },
  },
];

/** Whether a task gets as far as Started; a failure anywhere before is a no. */
async function runs(trial: Trial, config: Record<string, string>): Promise<boolean> {
  const running = await trial.ready();
  const value = { className: trial.class.className, config };
  const start = await running.request(
    { case: "startConnector", value },
    trial.answerMs,
    connectorName,
  );
  if (start?.kind.case !== "startConnector") return false;
  const made = await running.request(
    { case: "taskConfigs", value: { tasksMax: 1 } },
    trial.answerMs,
    connectorName,
  );
  if (made?.kind.case !== "taskConfigs") return false;
  const [task] = made.kind.value.configs;
  const { id, ticket } = trial.sendStartTask(running, {
    connector: config,
    task: task?.config ?? {},
  });
  const decided = () => {
    if (running.session.finalReplies(id)[0]?.kind.case === "failure") return "failed";
    const kinds = ticket.stream?.messages.map(({ kind }) => kind.case as string) ?? [];
    if (kinds.includes("failure")) return "failed";
    return kinds.includes("started") ? "started" : undefined;
  };
  return (await running.until(decided, trial.answerMs)) === "started";
}
