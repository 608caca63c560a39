/** Gives work to those who have least. */
import type { Work } from "./work.ts";

/**
 * Adds the work, one after the other, to the workers with the fewest connectors (for tasks: the fewest
 * tasks) until all have as many; of equals the one whose id comes first is the first.
 */
export function spread(loads: ReadonlyMap<string, Work>, work: Work): ReadonlyMap<string, Work> {
  const connectors = filled(loads, work.connectors, (load) => load.connectors);
  const tasks = filled(loads, work.tasks, (load) => load.tasks);
  return new Map(
    [...loads.keys()].map((id) => [
      id,
      { connectors: connectors.get(id) ?? [], tasks: tasks.get(id) ?? [] },
    ]),
  );
}

function filled<T>(
  loads: ReadonlyMap<string, Work>,
  items: readonly T[],
  of: (load: Work) => readonly T[],
): ReadonlyMap<string, T[]> {
  const lists = new Map([...loads].map(([id, load]) => [id, [...of(load)]]));
  const workers = [...lists]
    .sort(([a, one], [b, other]) => one.length - other.length || (a < b ? -1 : 1))
    .map(([, list]) => list);
  const least = workers[0];
  if (least === undefined) return lists;
  for (let at = 0; at < items.length; ) {
    const size = least.length;
    for (const list of workers) {
      if (list.length > size || at === items.length) break;
      list.push(items[at] as T);
      at += 1;
    }
  }
  return lists;
}

/**
 * All work to all workers in turn, connectors first and tasks after them (protocol level 0, where every
 * round begins anew).
 *
 * @see reference: Connect's EagerAssignor
 */
export function dealt(memberIds: readonly string[], work: Work): ReadonlyMap<string, Work> {
  const ids = [...memberIds].sort();
  const given = new Map(ids.map((id) => [id, { connectors: [], tasks: [] } as Dealt]));
  const nth = (index: number) => given.get(ids[index % ids.length] as string) as Dealt;
  work.connectors.forEach((connector, index) => {
    nth(index).connectors.push(connector);
  });
  work.tasks.forEach((task, index) => {
    nth(work.connectors.length + index).tasks.push(task);
  });
  return given;
}

interface Dealt {
  readonly connectors: Work["connectors"][number][];
  readonly tasks: string[];
}
