/** What can be given to a worker, as sets that keep their order. */
import { type ConnectorName, connectorName, type TaskId, taskText } from "../state/id.ts";
import { connectorItself, type WorkItem } from "./protocol.ts";

/** Connectors by name and tasks by `taskText`; none twice. */
export interface Work {
  readonly connectors: readonly ConnectorName[];
  readonly tasks: readonly string[];
}

export const noWork: Work = { connectors: [], tasks: [] };

export function isEmpty({ connectors, tasks }: Work): boolean {
  return connectors.length === 0 && tasks.length === 0;
}

/** What is in none of the others. */
export function minus(work: Work, ...others: readonly Work[]): Work {
  const connectors = new Set(others.flatMap((other) => other.connectors));
  const tasks = new Set(others.flatMap((other) => other.tasks));
  return {
    connectors: work.connectors.filter((connector) => !connectors.has(connector)),
    tasks: work.tasks.filter((task) => !tasks.has(task)),
  };
}

/** What is in both, in the order of the first. */
export function common(work: Work, other: Work): Work {
  return minus(work, minus(work, other));
}

/** What is in any of them. */
export function union(works: Iterable<Work>): Work {
  const connectors = new Set<ConnectorName>();
  const tasks = new Set<string>();
  for (const work of works) {
    for (const connector of work.connectors) connectors.add(connector);
    for (const task of work.tasks) tasks.add(task);
  }
  return { connectors: [...connectors], tasks: [...tasks] };
}

/** What is in more than one of them. */
export function repeated(works: Iterable<Work>): Work {
  const seen = { connectors: new Set<ConnectorName>(), tasks: new Set<string>() };
  const again = { connectors: new Set<ConnectorName>(), tasks: new Set<string>() };
  for (const { connectors, tasks } of works) {
    for (const each of connectors) {
      if (seen.connectors.has(each)) again.connectors.add(each);
      seen.connectors.add(each);
    }
    for (const each of tasks) {
      if (seen.tasks.has(each)) again.tasks.add(each);
      seen.tasks.add(each);
    }
  }
  return { connectors: [...again.connectors], tasks: [...again.tasks] };
}

/** By name, tasks also by number: `a-2` before `a-10`. */
export function sorted({ connectors, tasks }: Work): Work {
  const ids = tasks.map((task) => taskOf(task));
  ids.sort((a, b) => compare(a.connector, b.connector) || a.task - b.task);
  return { connectors: [...connectors].sort(compare), tasks: ids.map(taskText) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The id that `taskText` made a text of: what stands behind the last dash is the number. */
export function taskOf(text: string): TaskId {
  const dash = text.lastIndexOf("-");
  return { connector: connectorName(text.slice(0, dash)), task: Number(text.slice(dash + 1)) };
}

/** As the group's protocol has it: one item for each connector, the Connector instance first. */
export function itemsOf({ connectors, tasks }: Work): WorkItem[] {
  const instances = new Map<ConnectorName, number[]>();
  for (const connector of connectors) instances.set(connector, [connectorItself]);
  for (const text of tasks) {
    const { connector, task } = taskOf(text);
    const known = instances.get(connector);
    if (known === undefined) instances.set(connector, [task]);
    else known.push(task);
  }
  return [...instances].map(([connector, numbers]) => ({ connector, instances: numbers }));
}

/** The other way round. */
export function workIn(items: readonly WorkItem[]): Work {
  const connectors: ConnectorName[] = [];
  const tasks: string[] = [];
  for (const { connector, instances } of items) {
    for (const instance of instances) {
      if (instance === connectorItself) connectors.push(connector);
      else tasks.push(taskText({ connector, task: instance }));
    }
  }
  return union([{ connectors, tasks }]);
}
