/** Where processes live or lived: what is remembered of a place beyond the process in it. */
import type { PluginManifest, ProcessView } from "./plugin.ts";

/** One place; in time several processes, one after the other. */
export interface Place {
  readonly key: string;
  readonly use: ProcessView["use"];
  readonly plugin: PluginManifest;
  /** Processes that were started here. */
  starts: number;
  lastExit: ProcessView["lastExit"];
  /** Who lived here when the last process ended. */
  connectors: readonly string[];
  /** Processes here now; usually one. */
  living: number;
}

/** I5: places where nobody lives now. */
const emptyPlacesMax = 1_000;

export class Places {
  readonly #places = new Map<string, Place>();
  readonly #isConnector: (name: string) => boolean;

  /** `isConnector`: is there still a connector of this name? */
  constructor(isConnector: (name: string) => boolean) {
    this.#isConnector = isConnector;
  }

  /** Somebody moves in. */
  enter(key: string, use: Place["use"], plugin: PluginManifest): Place {
    const known = this.#places.get(key);
    const place = known ?? newPlace(key, use, plugin);
    place.living += 1;
    // The newest last, so that the oldest are forgotten first.
    this.#places.delete(key);
    this.#places.set(key, place);
    return place;
  }

  /** Somebody has gone; `exit` says how, when there was a process. */
  leave(place: Place, exit: Place["lastExit"], connectors: readonly string[]): void {
    place.living -= 1;
    place.lastExit = exit ?? place.lastExit;
    place.connectors = connectors;
    // A helper that was never in trouble leaves nothing to tell.
    if (place.use === "helper" && place.living === 0 && place.lastExit === null) {
      this.#places.delete(place.key);
    }
    this.#forgetOldest();
  }

  /** Places where nobody lives now, of connectors that there are. */
  empty(): Place[] {
    for (const { key, living, connectors } of this.#places.values()) {
      const gone = connectors.length > 0 && !connectors.some((name) => this.#isConnector(name));
      if (living === 0 && gone) this.#places.delete(key);
    }
    return [...this.#places.values()].filter(({ living }) => living === 0);
  }

  #forgetOldest(): void {
    if (this.#places.size <= emptyPlacesMax) return;
    const empty = [...this.#places.values()].filter(({ living }) => living === 0);
    const tooMany = empty.length - emptyPlacesMax;
    for (const { key } of empty.slice(0, Math.max(0, tooMany))) this.#places.delete(key);
  }
}

function newPlace(key: string, use: Place["use"], plugin: PluginManifest): Place {
  return { key, use, plugin, starts: 0, lastExit: null, connectors: [], living: 0 };
}
