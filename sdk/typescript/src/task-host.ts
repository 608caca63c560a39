import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "./clock.ts";
import type { OffsetReader } from "./connector-definition.ts";
import type { StartTaskRequest } from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import type { TaskHeartbeatSchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { TaskStream } from "./task-stream.ts";

/** What a task needs from its session. */
export interface TaskHost {
  readonly connector: string;
  readonly request: StartTaskRequest;
  readonly messageBytesMax: number;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly offsets: OffsetReader;
  readonly clock: Clock;
  /** Opens the task's stream; the reader must not wait. */
  openStream(onMessage: (bytes: Buffer) => void): TaskStream;
}

/** A source or sink task that runs in this process. */
export interface RunningTask {
  /** Resolves when the host has taken the ticket; rejects when it has not. */
  readonly opened: Promise<void>;
  /** Resolves when the task is over and no user code runs; never rejects. */
  readonly done: Promise<void>;
  heartbeat(): MessageInitShape<typeof TaskHeartbeatSchema>;
  /** The stream has ended without a stop: what runs is told, the user's `stop` still follows. */
  cutOff(reason: string): void;
  /** The session is gone: no further user call. */
  abandon(reason: string): void;
}
