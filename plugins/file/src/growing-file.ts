import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const lookAgainMs = 100;
const chunkBytes = 256 * 1024;

/** A file that others append to, read from a position on. */
export class GrowingFile {
  readonly #handle: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(chunkBytes);
  readonly #watcher: FSWatcher | undefined;
  #wake: (() => void) | undefined;
  #position: number;

  private constructor(path: string, handle: FileHandle, position: number) {
    this.#handle = handle;
    this.#position = position;
    this.#watcher = tryWatch(path, () => this.#wake?.());
  }

  /** Waits until the file is there; undefined when the signal fires first. */
  static async open(
    path: string,
    position: number,
    signal: AbortSignal,
    onMissing: () => void,
  ): Promise<GrowingFile | undefined> {
    for (let told = false; !signal.aborted; told = true) {
      try {
        return new GrowingFile(path, await open(path, "r"), position);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
        if (!told) onMissing();
        await sleep(lookAgainMs, undefined, { signal }).catch(() => {});
      }
    }
    return undefined;
  }

  /** The bytes that follow, or none at the end. The caller may keep them. */
  async read(): Promise<Buffer> {
    const { bytesRead } = await this.#handle.read(this.#buffer, 0, chunkBytes, this.#position);
    this.#position += bytesRead;
    return Buffer.from(this.#buffer.subarray(0, bytesRead));
  }

  /** By how many bytes the file is shorter than what was read of it; 0 = it is not. */
  async missingBytes(): Promise<number> {
    const { size } = await this.#handle.stat();
    return Math.max(0, this.#position - size);
  }

  /** Resolves when the file may have grown. */
  async changed(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, lookAgainMs);
      const clear = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#wake = undefined;
      };
      function done() {
        clear();
        resolve();
      }
      this.#wake = done;
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }

  async close(): Promise<void> {
    this.#watcher?.close();
    await this.#handle.close();
  }
}

/** Watching only makes it quicker; where it is not to be had, looking again is enough. */
function tryWatch(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, onChange);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
