/** The stages of plugins that a task's chain has: opened before the task starts, closed behind it. */
import { PluginStage } from "../transform/plugin-stage.ts";
import type { Step } from "../transform/step.ts";
import { StageChain, type StagedStep } from "./stage-chain.ts";
import { StageExchange } from "./stage-exchange.ts";
import type { OpenStage, TaskLimits, TaskParts } from "./task.ts";

export function hasStages(steps: readonly Step[]): boolean {
  return steps.some(
    ({ transform, predicate }) =>
      transform instanceof PluginStage || predicate instanceof PluginStage,
  );
}

export class TaskStages {
  readonly steps: readonly StagedStep[];
  readonly chain: StageChain;
  readonly #open: readonly OpenStage[];
  readonly #parts: Pick<TaskParts, "logger">;

  private constructor(
    steps: readonly StagedStep[],
    open: readonly OpenStage[],
    parts: Pick<TaskParts, "logger">,
  ) {
    this.steps = steps;
    this.chain = new StageChain(steps);
    this.#open = open;
    this.#parts = parts;
  }

  /** @throws TaskError when one does not start; then those before it are closed */
  static async open(
    steps: readonly Step[],
    limits: Pick<TaskLimits, "messageBytesMax">,
    parts: Pick<TaskParts, "logger" | "openStage">,
    signal: AbortSignal,
  ): Promise<TaskStages> {
    const open: OpenStage[] = [];
    const exchange = async (alias: string, stage: unknown) => {
      if (!(stage instanceof PluginStage)) return undefined;
      const opened = await parts.openStage(alias, stage, signal);
      open.push(opened);
      return new StageExchange(opened.stream, limits.messageBytesMax);
    };
    const staged: StagedStep[] = [];
    try {
      for (const step of steps) {
        const predicate = await exchange(step.alias, step.predicate);
        staged.push({ step, predicate, transform: await exchange(step.alias, step.transform) });
      }
    } catch (error) {
      await closeAll(open, parts);
      throw error;
    }
    return new TaskStages(staged, open, parts);
  }

  /** Never rejects. */
  close(): Promise<void> {
    return closeAll(this.#open, this.#parts);
  }
}

async function closeAll(
  open: readonly OpenStage[],
  { logger }: Pick<TaskParts, "logger">,
): Promise<void> {
  for (const stage of open) {
    try {
      await stage.close();
    } catch (error) {
      logger.warn({ err: error }, "a transform's stage did not stop cleanly");
    }
  }
}
