/** Packages with native code: loaded when they are first needed, and told of in words when they cannot be. */
import { createRequire } from "node:module";

const requireHere = createRequire(import.meta.url);

/** One package, by the name that it is installed under. A failure is remembered as well. */
export class NativePackage<T> {
  readonly name: string;
  readonly #load: (name: string) => T;
  #found: { at: "not_tried" } | { at: "loaded"; module: T } | { at: "missing"; cause: unknown } = {
    at: "not_tried",
  };

  constructor(name: string, load: (name: string) => T = (given) => requireHere(given) as T) {
    this.name = name;
    this.#load = load;
  }

  /** @throws whatever stopped it from being loaded, the same each time. */
  get(): T {
    if (this.#found.at === "not_tried") {
      try {
        this.#found = { at: "loaded", module: this.#load(this.name) };
      } catch (cause) {
        this.#found = { at: "missing", cause };
      }
    }
    if (this.#found.at === "loaded") return this.#found.module;
    throw (this.#found as { cause: unknown }).cause;
  }

  /** For those who have another way. */
  getIfAny(): T | undefined {
    if (this.#found.at === "missing") return undefined;
    try {
      return this.get();
    } catch {
      return undefined;
    }
  }
}
