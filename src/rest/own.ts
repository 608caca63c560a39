/** `/bulkhead/…`: what this host tells beyond Connect's API, under one prefix of its own. */
import type { Resource } from "./resource.ts";

/** A task as it runs now. */
export interface RunningTask {
  readonly connector: string;
  readonly task: number;
  readonly state: string;
  /** Of its plugin process; null while it has none. */
  readonly pid: number | null;
  /** Under Connect's metric names. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** The resources. */
export function ownResources(runningTasks: () => readonly RunningTask[]): readonly Resource[] {
  return [
    {
      path: "/bulkhead/tasks",
      methods: {
        GET: { handle: async () => ({ status: 200, body: { tasks: runningTasks() } }) },
      },
    },
  ];
}
