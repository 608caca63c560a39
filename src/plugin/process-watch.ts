/** Looks at every plugin process in turn: does it still answer, does it use too much memory. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../observe/logger.ts";
import type { Liveness, LivenessLimits } from "./liveness.ts";
import { hasProc, readTreeRss } from "./process-usage.ts";

export interface ProcessWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly liveness: LivenessLimits;
  /** `plugin.memory.bytes.max`: of a process and all it started; 0 = no limit. */
  readonly memoryBytesMax: number;
  /** As `readTreeRss`; undefined where nothing can be known. Default: what this system offers. */
  readonly readMemory?: ReadMemory | undefined;
}

type ReadMemory = (pids: readonly number[]) => Promise<ReadonlyMap<number, number>>;

/** A process from its launch to its end. */
export interface Watched {
  readonly pid: number;
  readonly logger: Logger;
  /** Undefined while nobody has to answer: before Hello, and once it is asked to end. */
  readonly liveness: Liveness | undefined;
  kill(reason: string): Promise<void>;
}

const memoryEveryMs = 1_000;

export class ProcessWatch {
  readonly #options: ProcessWatchOptions;
  readonly #watched = new Set<Watched>();
  /** Those that were told of as stalled. */
  readonly #stalled = new WeakSet<Watched>();
  /** Undefined when there is nothing to judge. */
  readonly #readMemory: ReadMemory | undefined;
  #watching: AbortController | undefined;
  #readMemoryAtMs = 0;
  #reading = false;

  constructor(options: ProcessWatchOptions) {
    this.#options = options;
    const system = hasProc() ? readTreeRss : undefined;
    const { logger, memoryBytesMax, readMemory } = { readMemory: system, ...options };
    if (memoryBytesMax === 0) return;
    this.#readMemory = readMemory;
    if (readMemory === undefined) {
      logger.warn("plugin.memory.bytes.max has no effect: this system has no /proc");
    }
  }

  get limits(): LivenessLimits {
    return this.#options.liveness;
  }

  /** Looks at it from now on; the answer takes that back. */
  add(process: Watched): () => void {
    this.#watched.add(process);
    if (this.#watching === undefined) {
      this.#watching = new AbortController();
      void this.#watch(this.#watching.signal);
    }
    return () => {
      this.#watched.delete(process);
      if (this.#watched.size > 0) return;
      this.#watching?.abort();
      this.#watching = undefined;
    };
  }

  /** One tick after the other; whatever takes time does so beside it, or the ticks would be late. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, liveness } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(liveness.tickMs, signal);
      if (signal.aborted) return;
      const nowMs = clock.elapsedMs();
      for (const process of [...this.#watched]) this.#judge(process, nowMs);
      if (this.#reading || nowMs - this.#readMemoryAtMs < memoryEveryMs) continue;
      this.#readMemoryAtMs = nowMs;
      if (this.#readMemory !== undefined) void this.#judgeMemory(this.#readMemory);
    }
  }

  #judge(process: Watched, nowMs: number): void {
    const { liveness, logger } = process;
    if (liveness === undefined) return;
    const verdict = liveness.tick(nowMs);
    const silentMs = Math.round(liveness.silentMs(nowMs));
    if (verdict === "dead") {
      const { timeoutMs } = liveness.limits;
      const since = new Date(this.#options.clock.nowMs() - silentMs).toISOString();
      const limit = `longer than plugin.heartbeat.timeout.ms=${timeoutMs}`;
      void process.kill(`it has sent no heartbeat since ${since}, ${silentMs} ms ago: ${limit}`);
    } else if (verdict === "stalled" && !this.#stalled.has(process)) {
      this.#stalled.add(process);
      logger.warn({ silentMs }, "plugin process is stalled: it sends no heartbeats");
    } else if (verdict === "fresh" && this.#stalled.delete(process)) {
      logger.info("plugin process sends heartbeats again");
    }
  }

  async #judgeMemory(readMemory: ReadMemory): Promise<void> {
    this.#reading = true;
    const { memoryBytesMax } = this.#options;
    const watched = [...this.#watched];
    const used = await readMemory(watched.map(({ pid }) => pid));
    for (const process of watched) {
      const bytes = used.get(process.pid) ?? 0;
      if (bytes <= memoryBytesMax || !this.#watched.has(process)) continue;
      const limit = `plugin.memory.bytes.max=${memoryBytesMax} (${sizeText(memoryBytesMax)})`;
      void process.kill(`it used ${sizeText(bytes)} of memory, more than ${limit}`);
    }
    this.#reading = false;
  }
}

/** As an operator reads it: `312 MiB`. */
export function sizeText(bytes: number): string {
  const mebibytes = bytes / (1_024 * 1_024);
  return mebibytes < 10 ? `${Math.round(bytes / 1_024)} KiB` : `${Math.round(mebibytes)} MiB`;
}
