/** One topic: its settings, its partitions and its folder. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeDurably } from "../base/write-durably.ts";
import type { TopicDescription } from "../kafka/kafka.ts";
import { diskError } from "./disk-error.ts";
import { PartitionLog } from "./partition-log.ts";
import type { Surroundings } from "./setting.ts";
import { describeConfig, folderOfTopic, parseTopicConfig } from "./topic-config.ts";

/** What `topic.json` holds. A folder without it is a topic whose making was cut short. */
export interface TopicFile {
  readonly name: string;
  readonly partitionCount: number;
  readonly config: Readonly<Record<string, string>>;
}

export class Topic {
  readonly name: string;
  readonly partitions: readonly PartitionLog[];
  readonly #file: TopicFile;
  readonly #directory: string;
  readonly #surroundings: Surroundings;
  #made: Promise<void> | undefined;

  /** Neither reads nor writes; then call `make` or `open`. @throws TaskError `kafka.topic_invalid`. */
  constructor(file: TopicFile, surroundings: Surroundings) {
    this.name = file.name;
    this.#file = file;
    this.#surroundings = surroundings;
    this.#directory = join(surroundings.settings.directory, "topics", folderOfTopic(file.name));
    const config = parseTopicConfig(file.name, file.config, surroundings.settings);
    this.partitions = Array.from({ length: file.partitionCount }, (_, partition) => {
      const directory = join(this.#directory, String(partition));
      const ready = () => this.make();
      const { name: topic } = file;
      return new PartitionLog({ topic, partition, directory, config, surroundings, ready });
    });
  }

  /** Not closed or deleted. */
  get isOpen(): boolean {
    return this.partitions[0]!.isOpen;
  }

  /** Makes the folders, once; a failed try is made again by the next call. */
  make(): Promise<void> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** Opens what an earlier run made. */
  async open(): Promise<void> {
    this.#made = Promise.resolve();
    await Promise.all(this.partitions.map((log) => log.open()));
  }

  describe(): TopicDescription {
    const { name, partitionCount, config } = this.#file;
    return { name, partitionCount, config: describeConfig(config, this.#surroundings.settings) };
  }

  async close(): Promise<void> {
    await Promise.all(this.partitions.map((log) => log.close()));
  }

  async delete(): Promise<void> {
    // Without its file the folder is no topic any more, should the rest be cut short.
    await rm(join(this.#directory, "topic.json"), { force: true });
    await Promise.all(this.partitions.map((log) => log.delete()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #make(): Promise<void> {
    try {
      for (const log of this.partitions) {
        await mkdir(join(this.#directory, String(log.partition)), { recursive: true });
      }
      await writeDurably(join(this.#directory, "topic.json"), JSON.stringify(this.#file, null, 2));
      await syncFolder(join(this.#directory, ".."));
    } catch (error) {
      const { directory } = this.#surroundings.settings;
      throw diskError(error, `make topic ${this.name}`, directory);
    }
  }
}

/** The topic of a folder, not yet open; undefined where its making was cut short. */
export async function readTopicFile(directory: string): Promise<TopicFile | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, "topic.json"), "utf8")) as TopicFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
