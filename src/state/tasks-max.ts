import type { ConfigText } from "./config-record.ts";
import type { ConnectorName } from "./id.ts";

/** How many tasks a connector may have; the config was validated when it was written. */
export function tasksMax(config: ConfigText): number {
  const count = Number(config["tasks.max"] ?? "1");
  return Number.isInteger(count) && count >= 1 ? count : 1;
}

/** Connect's sentence about a connector that made too many tasks; undefined when all is well. */
export function tooManyTasks(
  connector: ConnectorName,
  config: ConfigText,
  taskCount: number,
): string | undefined {
  const max = tasksMax(config);
  if (taskCount <= max || config["tasks.max.enforce"]?.trim().toLowerCase() === "false") {
    return undefined;
  }
  return (
    `The connector ${connector} has generated ${taskCount} tasks, which is greater than ${max}, ` +
    "the maximum number of tasks it is configured to create. This behaviour should be considered " +
    "a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector " +
    "with 'tasks.max.enforce' set to false; however, this option will be removed in a future " +
    "release of Kafka Connect."
  );
}
