/** What workers have beyond their even share. */
import { isEmpty, type Work } from "./work.ts";

/** Per worker what it should give up, from the front of its list; connectors and tasks are judged apart. */
export function surplus(
  loads: ReadonlyMap<string, Work>,
  configured: Work,
): ReadonlyMap<string, Work> {
  const found = new Map<string, Work>();
  if ([...loads.values()].every(isEmpty)) return found;
  const connectors = beyond(loads, configured.connectors.length, (load) => load.connectors);
  const tasks = beyond(loads, configured.tasks.length, (load) => load.tasks);
  for (const id of loads.keys()) {
    const work = { connectors: connectors.get(id) ?? [], tasks: tasks.get(id) ?? [] };
    if (!isEmpty(work)) found.set(id, work);
  }
  return found;
}

function beyond<T>(
  loads: ReadonlyMap<string, Work>,
  total: number,
  of: (load: Work) => readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const share = Math.floor(total / loads.size);
  const extras = total % loads.size;
  const found = new Map<string, readonly T[]>();
  if (
    isEven(
      [...loads.values()].map((load) => of(load).length),
      share,
      extras,
    )
  )
    return found;
  let extrasLeft = extras;
  for (const [id, load] of loads) {
    const list = of(load);
    if (list.length <= share) continue;
    const most = extrasLeft > 0 ? share + 1 : share;
    extrasLeft -= 1;
    if (list.length > most) found.set(id, list.slice(0, list.length - most));
  }
  return found;
}

/** As many as must be have one more than the share, and all others have it exactly. */
function isEven(sizes: readonly number[], share: number, extras: number): boolean {
  const withShare = sizes.filter((size) => size === share).length;
  const withOneMore = sizes.filter((size) => size === share + 1).length;
  return withShare === sizes.length - extras && withOneMore === extras;
}
