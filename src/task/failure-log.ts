/** The log's line of a record that failed, in the words of Connect's LogReporter. */
import { isTrue } from "./dead-letter-settings.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

/** Does nothing unless the connector has `errors.log.enable`. */
export function logFailure(
  spec: TaskSpec,
  { logger, meter }: Pick<TaskParts, "logger" | "meter">,
  step: { readonly stage: string; readonly className: string },
  record: { logText(): string },
  error: unknown,
): void {
  const { connectorConfig: config, id } = spec;
  if (!isTrue(config["errors.log.enable"])) return;
  meter.totalErrorsLogged += 1;
  const which = isTrue(config["errors.log.include.messages"]) ? record.logText() : "";
  logger.error(
    { err: error },
    `Error encountered in task ${id.connector}-${id.task}. Executing stage '${step.stage}' ` +
      `with class '${step.className}'${which}.`,
  );
}
