/** The chain of a preview, step by step for one record; transforms of plugins live in processes of its own. */
import { HostError } from "../base/error.ts";
import type { Scope } from "../base/scope.ts";
import type { Logger } from "../observe/logger.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";
import { pluginStagesOf } from "../plugin-stages.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { connectorName } from "../state/id.ts";
import type { StageChain, StagedStep } from "../task/stage-chain.ts";
import type { TaskLimits } from "../task/task.ts";
import { openStage, stepsOf } from "../task-parts.ts";
import { isMeant, type Step } from "../transform/step.ts";
import type { PreviewPlugins } from "./preview-run.ts";

export interface PreviewChain {
  readonly steps: readonly StagedStep[];
  /** Of plugins' transforms among them; undefined: there are none. */
  readonly staged: StageChain | undefined;
}

/** What came of one step on one record; undefined when the signal fired. */
export type StepOutcome =
  | { readonly at: "kept"; readonly record: ConnectRecord }
  | { readonly at: "skipped" }
  | { readonly at: "dropped" }
  | { readonly at: "failed"; readonly error: HostError };

/**
 * Makes the connector's transforms anew, as a task does before it starts. Those of plugins end with the scope.
 * @throws ConfigError for settings that cannot be used, TaskError for a plugin that does not start
 */
export async function openChain(
  connectorConfig: ConnectorConfig,
  plugins: PreviewPlugins,
  limits: TaskLimits,
  logger: Logger,
  scope: Scope,
  signal: AbortSignal,
): Promise<PreviewChain> {
  const steps = await stepsOf({ connectorConfig }, pluginStagesOf(plugins.catalog));
  if (steps.length === 0) return { steps: [], staged: undefined };
  const { hasStages, TaskStages } = await import("../task/task-stages.ts");
  if (!hasStages(steps)) return { steps: steps.map(alone), staged: undefined };
  const id = { connector: connectorName(connectorConfig["name"] ?? ""), task: 0 };
  const stages = await TaskStages.open(
    steps,
    limits,
    {
      logger,
      openStage: (alias, stage, until) => openStage(plugins, { id, limits }, alias, stage, until),
    },
    signal,
  );
  scope.defer(() => stages.close());
  return { steps: stages.steps, staged: stages.chain };
}

function alone(step: Step): StagedStep {
  return { step, predicate: undefined, transform: undefined };
}

/**
 * One step on one record, which may be changed.
 * @throws TaskError when a plugin with a transform or predicate has failed as a whole or is gone
 */
export async function outcomeOf(
  { step, predicate, transform }: StagedStep,
  record: ConnectRecord,
  signal: AbortSignal,
): Promise<StepOutcome | undefined> {
  const [held] = (await predicate?.run("test", [record], signal)) ?? [];
  if (signal.aborted) return undefined;
  if (held?.at === "failed") return failed(held.error);
  try {
    const holds = held?.at === "held" ? held.holds !== step.negate : isMeant(step, record);
    if (!holds) return { at: "skipped" };
    if (transform === undefined) {
      return step.transform.apply(record) ? { at: "kept", record } : { at: "dropped" };
    }
  } catch (error) {
    return failed(error);
  }
  const [verdict] = await transform.run("apply", [record], signal);
  if (verdict === undefined || verdict.at === "held") return undefined;
  return verdict.at === "failed" ? failed(verdict.error) : verdict;
}

function failed(error: unknown): StepOutcome {
  if (error instanceof HostError) return { at: "failed", error };
  throw error;
}
