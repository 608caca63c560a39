/** Decides when what was written is forced onto the disk. */
import { errorLine } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import type { Logger } from "../observe/logger.ts";

/**
 * `always`: a record is on the disk before its outcome is told.
 * `interval`: an outcome is told when the system has the bytes, so a killed host loses nothing; a
 * power cut may take the last interval. Compacted topics (offsets, configs, states) are the exception:
 * a write to one forces everything written before it onto the disk and then itself. So an offset
 * never survives a power cut that the records before it did not.
 * `never`: only a full segment is forced, and everything at a clean end.
 */
export type FsyncPolicy = "always" | "interval" | "never";

/** A file that may have bytes the disk has not. */
export interface Syncable {
  sync(): Promise<void>;
}

/** Forces what is dirty onto the disk, on request and, under `interval`, by time. */
export class Syncer {
  readonly policy: FsyncPolicy;
  readonly #intervalMs: number;
  readonly #logger: Logger;
  readonly #scope = new Scope();
  #dirty = new Set<Syncable>();
  #last: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { policy: FsyncPolicy; intervalMs: number; logger: Logger }) {
    this.policy = options.policy;
    this.#intervalMs = options.intervalMs;
    this.#logger = options.logger;
  }

  markDirty(file: Syncable): void {
    this.#dirty.add(file);
    if (this.policy !== "interval" || this.#scope.signal.aborted) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#scope.spawn(
        () => this.syncAll(),
        (error) => this.#logger.error(`cannot force the log onto the disk: ${errorLine(error)}`),
      );
    }, this.#intervalMs).unref();
  }

  /** Resolves when everything that was marked before the call is on the disk. */
  syncAll(): Promise<void> {
    // One after the other: a second caller must not return while the first still has its files.
    const run = this.#last.then(() => this.#syncDirty());
    this.#last = run.catch(() => {});
    return run;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#scope.close();
    await this.syncAll();
  }

  async #syncDirty(): Promise<void> {
    const files = [...this.#dirty];
    this.#dirty = new Set();
    const results = await Promise.allSettled(files.map((file) => file.sync()));
    const failed = results.findIndex((result) => result.status === "rejected");
    if (failed < 0) return;
    for (const [n, result] of results.entries()) {
      if (result.status === "rejected") this.#dirty.add(files[n]!);
    }
    throw (results[failed] as PromiseRejectedResult).reason;
  }
}
