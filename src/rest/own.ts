/** `/bulkhead/…`: what this host tells beyond Connect's API, under one prefix of its own. */
import type { PluginCatalog, PluginClass, ProcessView } from "../plugin/plugin.ts";
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

export interface OwnParts {
  readonly runningTasks: () => readonly RunningTask[];
  readonly catalog: PluginCatalog;
  readonly processes: () => readonly ProcessView[];
}

/** The resources. */
export function ownResources({ runningTasks, catalog, processes }: OwnParts): readonly Resource[] {
  return [
    {
      path: "/bulkhead/tasks",
      methods: {
        GET: { handle: async () => ({ status: 200, body: { tasks: runningTasks() } }) },
      },
    },
    {
      path: "/bulkhead/plugins",
      methods: {
        GET: {
          handle: async () => {
            await catalog.look();
            return {
              status: 200,
              body: {
                plugins: pluginsOf(catalog),
                unusable: catalog.unusable.map(({ path, reason }) => ({ path, reason })),
                processes: processes().map(shownProcess),
              },
            };
          },
        },
      },
    },
  ];
}

/** What is loaded, by name; of the same name each version and place. */
function pluginsOf({ classes }: PluginCatalog): unknown[] {
  const byPlace = new Map<string, PluginClass[]>();
  for (const each of classes) {
    const { name, version, directory, command } = each.plugin;
    const place = JSON.stringify([name, version, directory, command]);
    byPlace.set(place, [...(byPlace.get(place) ?? []), each]);
  }
  return [...byPlace]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, members]) => {
      const [first] = members;
      if (first === undefined) return [];
      const { name, version, directory, program } = first.plugin;
      const shown = members.map((each) => ({
        class: each.className,
        type: each.kind,
        version: each.version,
      }));
      return [{ name, version, location: program ?? directory, classes: shown }];
    });
}

function shownProcess(view: ProcessView): unknown {
  return {
    plugin: view.plugin,
    version: view.version,
    pid: view.pid,
    use: view.use,
    state: view.at,
    connectors: view.connectors,
    up_ms: whole(view.upMs),
    rss_bytes: whole(view.rssBytes),
    cpu_ms: whole(view.cpuMs),
    restarts: view.restarts,
    last_exit: view.lastExit,
    since_heartbeat_ms: whole(view.sinceHeartbeatMs),
    stalled: view.stalled,
    tasks: view.tasks.map((task) => ({
      connector: task.connector,
      task: task.task,
      activity: task.activity,
      activity_ms: whole(task.activityMs),
      since_progress_ms: whole(task.sinceProgressMs),
      transient_failure: task.transientFailure,
    })),
  };
}

function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
