import { type FSWatcher, watch } from "node:fs";
import { basename } from "node:path";
import type { FolderContents } from "./folder-contents.ts";

/** I5: the system's own watches are few; what has none is still compared at each look. */
const watchesMax = 200;

/**
 * Watches folders for as long as they are wanted. It may miss changes (network mounts, a system out
 * of watches) and never tells what changed, only that a look is worth its while.
 */
export class FolderWatch {
  readonly #watches = new Map<string, FSWatcher>();
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /**
   * From now on these. In `children` only plugin.json counts, because a plugin may write beside it.
   */
  keep({ roots, children }: Pick<FolderContents, "roots" | "children">): void {
    const wanted = new Map(
      [...roots, ...children]
        .slice(0, watchesMax)
        .map((folder) => [folder, roots.includes(folder)]),
    );
    for (const folder of this.#watches.keys()) if (!wanted.has(folder)) this.#end(folder);
    for (const [folder, isRoot] of wanted) {
      if (!this.#watches.has(folder)) this.#begin(folder, isRoot);
    }
  }

  close(): void {
    for (const folder of [...this.#watches.keys()]) this.#end(folder);
  }

  #begin(folder: string, isRoot: boolean): void {
    try {
      const watching = watch(folder, { persistent: false }, (event, name) => {
        // The folder itself went away, or another took its place: that one needs a watch of its own.
        if (event === "rename" && name === basename(folder)) this.#end(folder);
        if (isRoot || name === null || name === "plugin.json") this.#onChange();
      });
      watching.on("error", () => {
        this.#end(folder);
        this.#onChange();
      });
      this.#watches.set(folder, watching);
    } catch {
      // It is gone, or there are no watches left: looking compares all the same.
    }
  }

  #end(folder: string): void {
    this.#watches.get(folder)?.close();
    this.#watches.delete(folder);
  }
}
