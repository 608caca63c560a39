import type { PluginProcess, ProcessLease } from "../plugin/plugin.ts";
import type { TargetState } from "../state/status.ts";
import { TargetSwitch } from "./target-switch.ts";
import type { OnTaskState, Task, TaskMeter, TaskParts, TaskSpec } from "./task.ts";

/** What source and sink tasks have in common: the way into a plugin process and out of it. */
export abstract class ProcessTask<S> implements Task {
  protected readonly spec: TaskSpec;
  /** Once it has a process, its logger's lines have the pid. */
  protected parts: TaskParts;
  protected readonly onState: OnTaskState;
  protected readonly target: TargetSwitch;
  #pid: number | undefined;

  constructor(spec: TaskSpec, parts: TaskParts, target: TargetState, onState: OnTaskState) {
    this.spec = spec;
    this.parts = parts;
    this.onState = onState;
    this.target = new TargetSwitch(target);
  }

  get id(): TaskSpec["id"] {
    return this.spec.id;
  }

  get meter(): TaskMeter {
    return this.parts.meter;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  setTarget(target: TargetState): void {
    this.target.set(target);
  }

  /** A task that begins paused takes no process before it is resumed, as in Connect. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.target.paused) {
      this.onState("PAUSED");
      await this.target.started(signal);
    }
    if (signal.aborted) return;
    let lease: ProcessLease;
    try {
      lease = await this.parts.acquireProcess(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    try {
      this.#pid = lease.process.pid;
      const { logger } = this.parts;
      this.parts = { ...this.parts, logger: logger.child({ pid: this.#pid }) };
      await this.#runIn(lease, signal);
    } finally {
      this.#pid = undefined;
      await lease.release();
    }
    if (lease.condemned.aborted && !signal.aborted) throw lease.condemned.reason;
  }

  /** Until it is asked to stop, or has to because of a neighbour. */
  async #runIn(lease: ProcessLease, signal: AbortSignal): Promise<void> {
    const { condemned, process } = lease;
    const ending = AbortSignal.any([signal, condemned]);
    try {
      const stream = await this.startIn(process, ending).catch((error: unknown) => {
        // Being stopped while starting is not an error.
        if (!ending.aborted) throw error;
      });
      if (stream !== undefined) await this.serve(stream, lease, ending);
    } catch (error) {
      // What goes wrong in a process that is being ended says nothing of the task: it starts again.
      if (!condemned.aborted || signal.aborted) throw error;
      // One that is started by hand goes as it pleases.
      const level = condemned.reason?.code === "plugin.away" ? "debug" : "warn";
      this.parts.logger[level]({ err: error }, "the task could not stop cleanly with its process");
    }
  }

  /** Resolves when the user's start has returned. */
  protected abstract startIn(process: PluginProcess, signal: AbortSignal): Promise<S>;

  /** From the open stream to its end; rejects with what failed the task. */
  protected abstract serve(stream: S, lease: ProcessLease, signal: AbortSignal): Promise<void>;
}
