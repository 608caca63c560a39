/** Topic names and the settings of a topic, checked as Kafka checks them. */
import { type ConfigProblem, TaskError } from "../base/error.ts";
import type { Settings } from "./setting.ts";

/** The settings of a topic that the embedded log acts on. */
export interface TopicConfig {
  readonly compacted: boolean;
  readonly deleting: boolean;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly segmentBytes: number;
  readonly deleteRetentionMs: number;
}

/** A compacted topic is read from its start whenever the host starts: keep it short. */
const compactedSegmentBytes = 4 * 1024 * 1024;

/** The settings under Kafka's names, defaults filled in; others are kept as they are. */
export function describeConfig(
  given: Readonly<Record<string, string>>,
  settings: Settings,
): Record<string, string> {
  const policy = given["cleanup.policy"] ?? "delete";
  const segmentBytes = policy.includes("compact")
    ? Math.min(settings.segmentBytes, compactedSegmentBytes)
    : settings.segmentBytes;
  return {
    "cleanup.policy": policy,
    "delete.retention.ms": "86400000",
    "retention.bytes": String(settings.retentionBytes),
    "retention.ms": String(settings.retentionMs),
    "segment.bytes": String(segmentBytes),
    ...given,
  };
}

/** @throws TaskError `kafka.topic_invalid` that names every setting which cannot be used. */
export function parseTopicConfig(
  topic: string,
  given: Readonly<Record<string, string>>,
  settings: Settings,
): TopicConfig {
  const config = describeConfig(given, settings);
  const problems: ConfigProblem[] = [];
  const number = (key: string, min: number): number => {
    const value = Number(config[key]);
    if (!Number.isInteger(value) || value < min) {
      problems.push({ key, message: `${config[key]} is not a whole number of at least ${min}` });
    }
    return value;
  };
  const policies = config["cleanup.policy"]!.split(",").map((policy) => policy.trim());
  if (policies.some((policy) => policy !== "compact" && policy !== "delete")) {
    problems.push({ key: "cleanup.policy", message: "is not one of compact, delete or both" });
  }
  const parsed = {
    compacted: policies.includes("compact"),
    deleting: policies.includes("delete"),
    retentionMs: number("retention.ms", -1),
    retentionBytes: number("retention.bytes", -1),
    segmentBytes: number("segment.bytes", 1),
    deleteRetentionMs: number("delete.retention.ms", 0),
  };
  if (problems.length > 0) {
    const list = problems.map((problem) => `${problem.key} ${problem.message}`).join("; ");
    throw new TaskError("kafka.topic_invalid", `cannot make topic ${topic}: ${list}`);
  }
  return parsed;
}

/** The folder of a topic; two names that differ only in case stay apart where file names do not. */
export function folderOfTopic(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
}

/** The topic of a folder; undefined for a folder that no topic can have. */
export function topicOfFolder(folder: string): string | undefined {
  try {
    const name = decodeURIComponent(folder);
    return folderOfTopic(name) === folder ? name : undefined;
  } catch {
    return undefined;
  }
}
