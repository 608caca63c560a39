/** What a connector's config says of its dead letters. */
import type { ConnectorConfig } from "../plugin/plugin.ts";

/** From `errors.deadletterqueue.*`. */
export interface DeadLetterSettings {
  readonly topic: string;
  readonly replicationFactor: number;
  readonly contextHeaders: boolean;
}

export const deadLetterPrefix = "errors.deadletterqueue.";

/** Undefined where no topic is named. For sources the keys are an extension of Bulkhead. */
export function deadLetterSettings(config: ConnectorConfig): DeadLetterSettings | undefined {
  const topic = config[`${deadLetterPrefix}topic.name`]?.trim() ?? "";
  if (topic === "") return undefined;
  const contextHeaders = isTrue(config[`${deadLetterPrefix}context.headers.enable`]);
  const factor = config[`${deadLetterPrefix}topic.replication.factor`]?.trim() || "3";
  return { topic, replicationFactor: Number(factor), contextHeaders };
}

/** Connect gives a task no reporter unless somebody would hear what it reports. */
export function hasErrantReporter(config: ConnectorConfig): boolean {
  return deadLetterSettings(config) !== undefined || isTrue(config["errors.log.enable"]);
}

/** As the config parser reads a boolean that it has found valid. */
export function isTrue(value: string | undefined): boolean {
  return value?.trim().toLowerCase() === "true";
}
