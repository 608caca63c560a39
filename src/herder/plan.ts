/**
 * What has to be done so that what runs becomes what is wanted: decided here and nowhere else, without
 * a clock or I/O. It is asked again after every change, so an action need not succeed at once, and what
 * is on its way (starting, stopping) is left alone.
 */
import type { Assignment } from "../cluster/cluster.ts";
import { type ClusterState, findConnector, targetState } from "../state/cluster-state.ts";
import { type ConnectorName, type TaskId, taskText } from "../state/id.ts";
import type { TargetState } from "../state/status.ts";
import type { ConnectorStart, Running, StopWord, TaskStart } from "../worker/worker.ts";

export type Action =
  | { at: "start-connector"; start: ConnectorStart }
  | { at: "stop-connector"; name: ConnectorName; word: StopWord }
  | { at: "connector-target"; name: ConnectorName; target: TargetState }
  | { at: "make-task-configs"; name: ConnectorName; request: TasksRequest }
  | { at: "start-task"; start: TaskStart }
  | { at: "stop-task"; id: TaskId; word: StopWord }
  | { at: "task-target"; id: TaskId; target: TargetState }
  | { at: "forget-connector-status"; name: ConnectorName }
  | { at: "forget-task-status"; id: TaskId };

/** Which start of a connector, and which time since, wants its task configs made. */
export interface TasksRequest {
  readonly incarnation: number;
  readonly tasksWanted: number;
}

/** Instances that shall stop and start once; tasks by `taskText`. */
export interface RestartSet {
  readonly connectors: ReadonlySet<ConnectorName>;
  readonly tasks: ReadonlySet<string>;
}

export interface PlanInput {
  readonly state: ClusterState;
  readonly assignment: Assignment;
  readonly running: Running;
  readonly restarts: RestartSet;
  /** The last request of each connector that was taken up. */
  readonly requests: ReadonlyMap<ConnectorName, TasksRequest>;
  /** Who has a status. */
  readonly statuses: readonly { readonly name: ConnectorName; readonly tasks: readonly number[] }[];
}

export function plan(input: PlanInput): Action[] {
  return [
    ...connectorChanges(input),
    ...connectorStarts(input),
    ...taskChanges(input),
    ...taskStarts(input),
    ...taskConfigRequests(input),
    ...(input.assignment.leads ? staleStatuses(input) : []),
  ];
}

function connectorChanges({ state, assignment, running, restarts }: PlanInput): Action[] {
  return [...running.connectors].flatMap(([name, { at, revision, target }]): Action[] => {
    if (at === "stopping") return [];
    const entry = assignment.connectors.has(name) ? findConnector(state, name) : undefined;
    if (entry === undefined || entry.configRevision !== revision) {
      return [{ at: "stop-connector", name, word: "UNASSIGNED" }];
    }
    if (restarts.connectors.has(name)) return [{ at: "stop-connector", name, word: "RESTARTING" }];
    const wanted = targetState(entry);
    return wanted === target ? [] : [{ at: "connector-target", name, target: wanted }];
  });
}

function connectorStarts({ state, assignment, running }: PlanInput): Action[] {
  return [...assignment.connectors].flatMap((name): Action[] => {
    const entry = findConnector(state, name);
    if (entry === undefined || running.connectors.has(name)) return [];
    const { config, configRevision: revision } = entry;
    return [
      { at: "start-connector", start: { name, config, revision, target: targetState(entry) } },
    ];
  });
}

function taskChanges(input: PlanInput): Action[] {
  return [...input.running.tasks].flatMap(([key, { at, id, generation, target }]): Action[] => {
    if (at === "stopping") return [];
    const start = wantedTask(input, id);
    // I4: a task that belongs to an earlier commit goes before its successor starts.
    if (start === undefined || start.generation !== generation) {
      return [{ at: "stop-task", id, word: "UNASSIGNED" }];
    }
    if (input.restarts.tasks.has(key)) return [{ at: "stop-task", id, word: "RESTARTING" }];
    return start.target === target ? [] : [{ at: "task-target", id, target: start.target }];
  });
}

function taskStarts(input: PlanInput): Action[] {
  return [...input.assignment.connectors].flatMap((connector) => {
    const taskConfigs = findConnector(input.state, connector)?.taskConfigs ?? [];
    return taskConfigs.flatMap((_, task): Action[] => {
      const id = { connector, task };
      if (input.running.tasks.has(taskText(id))) return [];
      const start = wantedTask(input, id);
      return start === undefined ? [] : [{ at: "start-task", start }];
    });
  });
}

/** The task as it should run here; undefined when it should not. */
function wantedTask({ state, assignment }: PlanInput, id: TaskId): TaskStart | undefined {
  const entry = findConnector(state, id.connector);
  const taskConfig = entry?.taskConfigs[id.task];
  if (entry === undefined || taskConfig === undefined) return undefined;
  if (!assignment.tasks.has(taskText(id))) return undefined;
  const target = targetState(entry);
  // A stopped connector has no tasks, also where somebody wrote the state without the commit.
  if (target === "STOPPED") return undefined;
  return {
    id,
    generation: entry.tasksRevision,
    connectorConfig: entry.config,
    taskConfig,
    taskCount: entry.taskConfigs.length,
    target,
  };
}

function taskConfigRequests(input: PlanInput): Action[] {
  const { state, assignment, running, requests, restarts } = input;
  return [...running.connectors].flatMap(([name, connector]): Action[] => {
    const { at, incarnation, tasksWanted, target, revision } = connector;
    if (!assignment.connectors.has(name) || restarts.connectors.has(name)) return [];
    const entry = findConnector(state, name);
    if (at !== "running" || target !== "STARTED" || tasksWanted === 0) return [];
    if (entry === undefined || entry.configRevision !== revision) return [];
    if (targetState(entry) !== "STARTED") return [];
    const made = requests.get(name);
    if (made?.incarnation === incarnation && made.tasksWanted === tasksWanted) return [];
    return [{ at: "make-task-configs", name, request: { incarnation, tasksWanted } }];
  });
}

function staleStatuses({ state, running, statuses }: PlanInput): Action[] {
  return statuses.flatMap(({ name, tasks }): Action[] => {
    const entry = findConnector(state, name);
    // Not before its tasks have ended, which may use a topic to their last moment.
    const gone =
      entry === undefined &&
      !running.connectors.has(name) &&
      ![...running.tasks.values()].some(({ id }) => id.connector === name);
    const taskCount = entry?.taskConfigs.length ?? 0;
    return [
      ...tasks
        .map((task) => ({ connector: name, task }))
        .filter((id) => id.task >= taskCount && !running.tasks.has(taskText(id)))
        .map((id): Action => ({ at: "forget-task-status", id })),
      ...(gone ? [{ at: "forget-connector-status", name } as const] : []),
    ];
  });
}
