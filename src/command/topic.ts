import { ConfigError, TaskError } from "../base/error.ts";
import { table } from "../cli/table.ts";
import type { Kafka } from "../kafka/kafka.ts";
import { type LogOptions, type LogUse, openLogOf } from "./log-access.ts";
import { readerGone } from "./reader-gone.ts";

const widthWithoutTerminal = 120;

export interface TopicListOptions extends LogOptions {
  readonly json?: boolean;
}

/** Prints the names of all topics, one to a line. */
export async function listTopics(options: TopicListOptions): Promise<void> {
  await withLog(options, { at: "look" }, async (kafka) => {
    const names = [...(await kafka.admin.listTopics())].sort();
    if (options.json) print(JSON.stringify(names));
    else for (const name of names) print(name);
  });
}

/** Prints the partitions of a topic with their ends, and its settings. */
export async function describeTopic(name: string, options: TopicListOptions): Promise<void> {
  await withLog(options, { at: "look", topics: [name] }, async (kafka) => {
    const { partitionCount, config } = await topicOf(kafka, name);
    const partitions = Array.from({ length: partitionCount }, (_, partition) => ({
      topic: name,
      partition,
    }));
    const ends = await kafka.admin.endOffsets(partitions);
    if (options.json) {
      const shown = ends.map((endOffset, partition) => ({ partition, endOffset }));
      print(JSON.stringify({ name, partitions: shown, config }));
      return;
    }
    const width = process.stdout.columns ?? widthWithoutTerminal;
    print(`topic ${name}\n`);
    print(
      table(
        ["partition", "end offset"],
        ends.map((end, n) => [`${n}`, `${end}`]),
        width,
      ),
    );
    const settings = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
    if (settings.length > 0) print(`\n${table(["setting", "value"], settings, width)}`);
  });
}

export interface TopicCreateOptions extends LogOptions {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly setting?: readonly string[];
}

/** @throws TaskError when there is such a topic, or the log refuses to make it */
export async function createTopic(name: string, options: TopicCreateOptions): Promise<void> {
  const { partitions: partitionCount, replicationFactor } = options;
  const config = Object.fromEntries((options.setting ?? []).map(settingOf));
  await withLog(options, { at: "write" }, async (kafka) => {
    const made = await kafka.admin.createTopic({ name, partitionCount, replicationFactor, config });
    if (made) return print(`made topic ${name}`);
    throw new TaskError("kafka.topic_invalid", `cannot make topic ${name}: there is one`);
  });
}

/** @throws TaskError when there is no such topic */
export async function deleteTopic(name: string, options: LogOptions): Promise<void> {
  await withLog(options, { at: "change" }, async (kafka) => {
    await topicOf(kafka, name);
    await kafka.admin.deleteTopic(name);
    print(`deleted topic ${name}`);
  });
}

/** @throws TaskError `kafka.topic_invalid` for a topic that is not there */
export async function topicOf(kafka: Kafka, name: string) {
  const found = await kafka.admin.describeTopic(name);
  if (found !== undefined) return found;
  throw new TaskError("kafka.topic_invalid", `cannot find topic ${name}`, {
    hint: "bulkhead topic list names those there are",
  });
}

function settingOf(text: string): [string, string] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [key.trim(), value];
  throw new ConfigError("config.invalid", `cannot use the setting ${text}: it is not key=value`);
}

async function withLog(
  options: LogOptions,
  use: LogUse,
  work: (kafka: Kafka) => Promise<void>,
): Promise<void> {
  readerGone();
  const { kafka } = await openLogOf(options, use);
  try {
    await work(kafka);
  } finally {
    await kafka.close();
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
