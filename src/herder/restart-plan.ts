import type { RestartOptions } from "../state/config-record.ts";
import type { ConnectorStatus, TaskStatus } from "../state/status.ts";

/** Which instances of a connector a restart request hits. */
export interface RestartPlan {
  readonly connector: boolean;
  readonly tasks: readonly number[];
}

/** From what the instances last said; every worker comes to the same answer. */
export function restartPlan(
  { includeTasks, onlyFailed }: RestartOptions,
  connector: ConnectorStatus | undefined,
  tasks: readonly { readonly task: number; readonly status: TaskStatus }[],
): RestartPlan {
  const isHit = (state: string | undefined) => !onlyFailed || state === "FAILED";
  return {
    connector: isHit(connector?.state),
    tasks: includeTasks
      ? tasks.filter(({ status }) => isHit(status.state)).map(({ task }) => task)
      : [],
  };
}
