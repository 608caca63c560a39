import type { ConnectorConfig } from "../plugin/plugin.ts";

/** Topics that no pattern matches: Kafka's consumers leave internal topics out. */
const internalTopics = new Set(["__consumer_offsets", "__transaction_state"]);

/** What a sink's `topics` or `topics.regex` (matched as a whole) subscribes to. */
export function subscription(
  config: ConnectorConfig,
): readonly string[] | ((topic: string) => boolean) {
  const pattern = config["topics.regex"];
  if (pattern !== undefined && pattern !== "") {
    // Without flags, as the config was checked.
    const whole = new RegExp(`^(?:${pattern})$`);
    return (topic) => !internalTopics.has(topic) && whole.test(topic);
  }
  const topics = (config["topics"] ?? "").split(",").map((topic) => topic.trim());
  return [...new Set(topics.filter((topic) => topic !== ""))];
}
