import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Failure } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import { TaskActivity, type TaskHeartbeatSchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";

/** What a task is doing and since when, for the heartbeat. */
export class TaskMeter {
  readonly #connector: string;
  readonly #task: number;
  #activity: TaskActivity = TaskActivity.STARTING;
  #sinceMs = performance.now();
  #progressMs = performance.now();
  #transient: Failure | undefined;
  recordsIn = 0;
  recordsOut = 0;

  constructor(connector: string, task: number) {
    this.#connector = connector;
    this.#task = task;
  }

  now(activity: TaskActivity): void {
    if (activity === this.#activity) return;
    this.#activity = activity;
    this.#sinceMs = performance.now();
  }

  /** Nothing to do now; while a failure is not overcome that is a pause before the next attempt. */
  rest(): void {
    this.now(this.#transient === undefined ? TaskActivity.IDLE : TaskActivity.BACKING_OFF);
  }

  /** Records went through. */
  progress(): void {
    this.#progressMs = performance.now();
    this.overcame();
  }

  /** What failed before went well, be it without records. */
  overcame(): void {
    this.#transient = undefined;
  }

  backingOff(failure: Failure): void {
    this.#transient = failure;
    this.now(TaskActivity.BACKING_OFF);
  }

  heartbeat(): MessageInitShape<typeof TaskHeartbeatSchema> {
    const nowMs = performance.now();
    return {
      connector: this.#connector,
      task: this.#task,
      activity: this.#activity,
      activityForMs: BigInt(Math.round(nowMs - this.#sinceMs)),
      ...(this.#transient === undefined ? {} : { lastTransientFailure: this.#transient }),
      recordsIn: BigInt(this.recordsIn),
      recordsOut: BigInt(this.recordsOut),
      sinceProgressMs: BigInt(Math.round(nowMs - this.#progressMs)),
    };
  }
}
