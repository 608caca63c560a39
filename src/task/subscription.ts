import { TaskError } from "../base/error.ts";
import { JavaPattern } from "../base/java-pattern.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";

/** Topics that no pattern matches: Kafka's consumers leave internal topics out. */
const internalTopics = new Set(["__consumer_offsets", "__transaction_state"]);

/** What a sink's `topics` or `topics.regex` (matched as a whole) subscribes to. */
export function subscription(
  config: ConnectorConfig,
): readonly string[] | ((topic: string) => boolean) {
  const pattern = config["topics.regex"];
  if (pattern !== undefined && pattern !== "") {
    const whole = new JavaPattern(pattern);
    return (topic) => !internalTopics.has(topic) && matches(whole, topic);
  }
  const topics = (config["topics"] ?? "").split(",").map((topic) => topic.trim());
  return [...new Set(topics.filter((topic) => topic !== ""))];
}

function matches(pattern: JavaPattern, topic: string): boolean {
  try {
    return pattern.matches(topic);
  } catch (cause) {
    throw new TaskError("config.invalid", `cannot try topics.regex on the topic ${topic}`, {
      cause,
    });
  }
}
