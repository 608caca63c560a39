/**
 * Makes the topics of a source task before their first record, as its connector's groups say: Connect's
 * rules, in its words.
 */
import { errorLine, HostError, RetriableError, TaskError } from "../base/error.ts";
import { groupFor, type TopicGroup } from "../config/topic-creation.ts";
import type { Admin, NewTopic } from "../kafka/kafka.ts";
import type { Logger } from "../observe/logger.ts";

/** I5: topics that are known to exist; of more the oldest is asked about again. */
const knownMax = 100_000;

export interface TopicCreationParts {
  readonly groups: readonly TopicGroup[];
  readonly admin: Pick<Admin, "createTopic" | "describeTopic">;
  readonly logger: Logger;
}

/** One for each run of a task: what an earlier run has seen is asked about again. */
export class TopicCreation {
  readonly #parts: TopicCreationParts;
  readonly #known = new Set<string>();

  constructor(parts: TopicCreationParts) {
    this.#parts = parts;
  }

  /** Whether records may go there without asking. */
  isKnown(topic: string): boolean {
    return this.#known.has(topic);
  }

  /**
   * Resolves once the topic is there.
   * @throws RetriableError when nobody could say whether it is; TaskError `task.topic_creation`
   */
  async ensure(topic: string): Promise<void> {
    const { groups, logger } = this.#parts;
    logger.info(
      `The task will send records to topic '${topic}' for the first time. Checking whether topic exists`,
    );
    if (await this.#exists(topic)) {
      logger.info(`Topic '${topic}' already exists.`);
    } else {
      const group = groupFor(groups, topic);
      const { partitionCount, replicationFactor, config } = group;
      const wanted = { name: topic, partitionCount, replicationFactor, config };
      const isNew = await this.#create(wanted);
      const made = `Created topic '${textOf(wanted)}' using creation group ${group.name}`;
      logger.info(isNew ? made : `Found existing topic '${textOf(wanted)}'`);
    }
    this.#remember(topic);
  }

  async #exists(topic: string): Promise<boolean> {
    try {
      return (await this.#parts.admin.describeTopic(topic)) !== undefined;
    } catch (cause) {
      const code = codeOf(cause);
      if (code === "kafka.call_timeout") {
        const text = `Timed out while describing topics '${topic}'`;
        throw new RetriableError("task.topic_creation", text, {
          cause,
          javaClass: "org.apache.kafka.connect.errors.RetriableException",
        });
      }
      if (code === "kafka.not_authorized") {
        throw failed(`Not authorized to describe topic(s) '${topic}'`, cause);
      }
      throw failed(`Error while attempting to describe topics '${topic}'`, cause);
    }
  }

  async #create(wanted: NewTopic): Promise<boolean> {
    const { name } = wanted;
    try {
      return await this.#parts.admin.createTopic(wanted);
    } catch (cause) {
      switch (codeOf(cause)) {
        case "kafka.not_authorized":
        case "kafka.version_unsupported":
          throw failed(
            `Task failed to create new topic ${textOf(wanted)}. Ensure that the task is authorized to ` +
              "create topics or that the topic exists and restart the task",
            cause,
          );
        case "kafka.topic_invalid":
          throw failed(`Unable to create topic(s) '${name}': ${ownWords(cause)}`, cause);
        case "kafka.call_timeout":
          throw failed(
            `Timed out while checking for or creating topic(s) '${name}'. This could indicate a ` +
              "connectivity issue, unavailable topic partitions, or if this is your first use of " +
              "the topic it may have taken too long to create.",
            cause,
          );
        default:
          throw failed(`Error while attempting to create/find topic(s) '${name}'`, cause);
      }
    }
  }

  #remember(topic: string): void {
    this.#known.add(topic);
    const [oldest] = this.#known;
    if (this.#known.size > knownMax && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** As Java prints a NewTopic. */
function textOf({ name, partitionCount, replicationFactor, config }: NewTopic): string {
  const settings = Object.entries(config).map(([key, value]) => `${key}=${value}`);
  return (
    `(name=${name}, numPartitions=${partitionCount}, replicationFactor=${replicationFactor}, ` +
    `replicasAssignments=null, configs={${settings.join(", ")}})`
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof HostError ? error.code : undefined;
}

function ownWords(error: unknown): string {
  const { cause } = error as Error;
  return cause instanceof Error ? cause.message : errorLine(error);
}

function failed(message: string, cause: unknown): TaskError {
  return new TaskError("task.topic_creation", message, {
    cause,
    javaClass: "org.apache.kafka.connect.errors.ConnectException",
  });
}
