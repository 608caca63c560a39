/** What a process says of itself in a heartbeat, in the host's own types. */
import { TaskActivity, type Heartbeat as Wire } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { TaskActivity as TaskView } from "./plugin.ts";

export interface Heartbeat {
  readonly rssBytes: number;
  readonly cpuMs: number;
  readonly tasks: readonly TaskView[];
}

/** I5: what is kept of one that a plugin fills. */
const tasksMax = 1_000;
const failureTextMax = 1_000;

const activityNames = new Map<number, string>(
  Object.entries(TaskActivity).map(([name, value]) => [
    value,
    name.toLowerCase().replaceAll("_", " "),
  ]),
);

/** `owns`: no process speaks for the tasks of a connector that does not live in it. */
export function heartbeatFromProto(wire: Wire, owns: (connector: string) => boolean): Heartbeat {
  const tasks = wire.tasks.filter(({ connector }) => owns(connector)).slice(0, tasksMax);
  return {
    rssBytes: Number(wire.rssBytes),
    cpuMs: Number(wire.cpuMs),
    tasks: tasks.map((task) => ({
      connector: task.connector,
      task: task.task,
      // One of a newer contract has no name here.
      activity: activityNames.get(task.activity) ?? "unspecified",
      activityMs: Number(task.activityForMs),
      sinceProgressMs: Number(task.sinceProgressMs),
      transientFailure: task.lastTransientFailure?.text.slice(0, failureTextMax) ?? null,
    })),
  };
}

/** The tasks of a heartbeat that came so long ago: what they were doing then, they do still. */
export function tasksLater(tasks: readonly TaskView[], sinceMs: number): TaskView[] {
  return tasks.map((task) => ({
    ...task,
    activityMs: task.activityMs + sinceMs,
    sinceProgressMs: task.sinceProgressMs + sinceMs,
  }));
}
