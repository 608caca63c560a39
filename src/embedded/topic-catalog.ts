/** All topics of the folder. */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { TaskError } from "../base/error.ts";
import { topicNameError } from "../batch/topic-name.ts";
import type { NewTopic } from "../kafka/kafka.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { Surroundings } from "./setting.ts";
import { readTopicFile, Topic } from "./topic.ts";
import { topicOfFolder } from "./topic-config.ts";

/** I5: more are a mistake in a config; each costs a folder and a file. */
const partitionCountMax = 10_000;

export class TopicCatalog {
  readonly #surroundings: Surroundings;
  readonly #topics = new Map<string, Topic>();
  readonly #watchers = new Set<() => void>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  async open(): Promise<void> {
    const root = join(this.#surroundings.settings.directory, "topics");
    await mkdir(root, { recursive: true });
    await Promise.all(
      (await readdir(root)).map(async (folder) => {
        if (topicOfFolder(folder) === undefined) return;
        const file = await readTopicFile(join(root, folder));
        if (file === undefined) return rm(join(root, folder), { recursive: true, force: true });
        const topic = new Topic(file, this.#surroundings);
        await topic.open();
        this.#topics.set(topic.name, topic);
      }),
    );
  }

  get names(): readonly string[] {
    return [...this.#topics.keys()].sort();
  }

  get all(): readonly Topic[] {
    return [...this.#topics.values()];
  }

  get(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  partition(topic: string, partition: number): PartitionLog | undefined {
    return this.#topics.get(topic)?.partitions[partition];
  }

  /**
   * The topic to write to, made with the defaults when it is missing. Its folder is made by the first
   * write, so that this needs no waiting. @throws TaskError `kafka.topic_invalid`.
   */
  getOrAdd(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    return this.#add({ name, partitionCount: -1, replicationFactor: -1, config: {} });
  }

  /** False when it existed already. The topic is on the disk when this resolves. */
  async create(wanted: NewTopic): Promise<boolean> {
    const known = this.#topics.get(wanted.name);
    if (known !== undefined) {
      await known.make();
      return false;
    }
    const topic = this.#add(wanted);
    try {
      await topic.make();
    } catch (error) {
      this.#remove(topic);
      throw error;
    }
    return true;
  }

  async delete(name: string): Promise<void> {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    this.#remove(topic);
    await topic.delete();
  }

  /** Calls `nudge` whenever a topic came or went; returns how to stop that. */
  watch(nudge: () => void): () => void {
    this.#watchers.add(nudge);
    return () => this.#watchers.delete(nudge);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((topic) => topic.close()));
  }

  #add(wanted: NewTopic): Topic {
    const { name, config } = wanted;
    const unfit = topicNameError(name);
    if (unfit !== undefined) throw unfit;
    const partitionCount =
      wanted.partitionCount === -1
        ? this.#surroundings.settings.defaultPartitionCount
        : wanted.partitionCount;
    if (partitionCount < 1 || partitionCount > partitionCountMax) {
      throw new TaskError(
        "kafka.topic_invalid",
        `cannot make topic ${name} with ${partitionCount} partitions: ` +
          `1 to ${partitionCountMax} are possible`,
      );
    }
    const topic = new Topic({ name, partitionCount, config }, this.#surroundings);
    this.#topics.set(name, topic);
    for (const nudge of this.#watchers) nudge();
    return topic;
  }

  #remove(topic: Topic): void {
    this.#topics.delete(topic.name);
    for (const nudge of this.#watchers) nudge();
  }
}
