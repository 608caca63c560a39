/** The log's line of a record that failed, in the words of Connect's LogReporter. */
import type { RecordPlace } from "./dead-letter.ts";
import { isTrue } from "./dead-letter-settings.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

/** The record as the line names it; type 1 = CreateTime, 2 = LogAppendTime. */
export interface ConsumedRecord {
  readonly original: RecordPlace | null;
  readonly timestampMs: number;
  readonly timestampType: number;
}

/** Does nothing unless the connector has `errors.log.enable`. */
export function logFailure(
  spec: TaskSpec,
  { logger }: Pick<TaskParts, "logger">,
  step: { readonly stage: string; readonly className: string },
  record: ConsumedRecord,
  error: unknown,
): void {
  const { connectorConfig: config, id } = spec;
  if (!isTrue(config["errors.log.enable"])) return;
  const which = isTrue(config["errors.log.include.messages"]) ? placeText(record) : "";
  logger.error(
    { err: error },
    `Error encountered in task ${id.connector}-${id.task}. Executing stage '${step.stage}' ` +
      `with class '${step.className}'${which}.`,
  );
}

function placeText({ original, timestampMs, timestampType }: ConsumedRecord): string {
  if (original === null) return "";
  const { topic, partition, offset } = original;
  const type = timestampType === 2 ? "LogAppendTime" : "CreateTime";
  return (
    `, where consumed record is {topic='${topic}', partition=${partition}, offset=${offset}, ` +
    `timestamp=${timestampMs}, timestampType=${type}}`
  );
}
