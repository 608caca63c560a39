/**
 * One file in a folder of `plugin.path` on its way from "there is a file" to "it is this plugin": it is
 * left alone until nobody writes to it any more, looked up by its digest, and asked once if unknown.
 */
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { errnoWords } from "../base/errno.ts";
import { errorLine } from "../base/error.ts";
import type { DescriptionCache } from "./description-cache.ts";
import { stampOf } from "./folder-contents.ts";
import { manifestText, parseManifest } from "./manifest.ts";
import type { PluginManifest } from "./plugin.ts";
import { fileDigest, isProgram } from "./program-file.ts";
import type { Turns } from "./turns.ts";

/** Asks a program what it is, in a process of its own; the door's PluginProcesses.describe. */
export type Describe = (plugin: PluginManifest, signal: AbortSignal) => Promise<PluginManifest>;

/** What all files share. */
export interface BareParts {
  readonly cache: DescriptionCache;
  readonly describe: Describe;
  /** Who is asked at the same time. */
  readonly turns: Turns;
  readonly clock: Clock;
  /** How long a file must not have changed before it is read. */
  readonly settleMs: number;
  /** How long it may go on changing before it is given up until the next look. */
  readonly settledMsMax: number;
  /** The state has changed. */
  readonly onChange: () => void;
}

/** How far it is; the last three are final until the file changes. */
export type BareState =
  /** Somebody may still be writing it, or it is being read. */
  | { at: "looking" }
  /** It is new here: it is asked what it offers, or waits for its turn. */
  | { at: "asking" }
  | { at: "known"; manifest: PluginManifest }
  | { at: "unusable"; reason: string }
  /** Nothing says that it is meant to be run. */
  | { at: "ignored" };

type Final = Exclude<BareState, { at: "looking" | "asking" }>;

const programBytesMax = 1_024 * 1_024 * 1_024;
/** A manifest of that size could not be read either. */
const descriptionCharsMax = 4 * 1_024 * 1_024;

/** With the pauses between them more than half a minute. */
const looksMax = 8;

export class BareProgram {
  readonly path: string;
  readonly foundMs: number;
  readonly #parts: BareParts;
  readonly #identified = deferred<void>();
  readonly #done = deferred<void>();
  readonly #stop = new AbortController();
  #state: BareState = { at: "looking" };
  /** Of the file that the final state is about. */
  #stamp = "";
  #isRestless = false;

  /** `foundMs`: when it was seen first, if it has been given up since. */
  constructor(path: string, parts: BareParts, foundMs = parts.clock.elapsedMs()) {
    this.path = path;
    this.#parts = parts;
    this.foundMs = foundMs;
  }

  get state(): BareState {
    return this.#state;
  }

  /** Resolves when all that can be known without running it is known. */
  get identified(): Promise<void> {
    return this.#identified.promise;
  }

  /** Resolves when its state is final. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  get isFinal(): boolean {
    return this.#state.at !== "looking" && this.#state.at !== "asking";
  }

  /** It was given up because it went on changing. */
  get isRestless(): boolean {
    return this.#isRestless;
  }

  /** What is known of it is about another file than the one that is there now. */
  isStale(stamp: string): boolean {
    return this.isFinal && this.#stamp !== stamp;
  }

  /** The file is gone, or another has taken its place. */
  stop(): void {
    this.#stop.abort(new Error("the file is gone"));
  }

  /** Until its state is final, or it is stopped. Never rejects. */
  async run(parent: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([parent, this.#stop.signal]);
    const backoff = new Backoff({ firstMs: this.#parts.settleMs, maxMs: 10_000, jitter: 0 });
    for (let looks = 1; !signal.aborted; looks += 1) {
      let found = await this.#find(signal);
      // I5: it may write into itself whenever it runs.
      if (found === "changed" && looks === looksMax) {
        const reason = `it has changed each of the ${looks} times that it was asked what it offers`;
        found = { at: "unusable", reason };
      }
      if (found !== "changed") {
        if (!signal.aborted) this.#move(found);
        break;
      }
      this.#move({ at: "looking" });
      await this.#parts.clock.sleep(backoff.nextDelayMs(), signal);
    }
    this.#identified.resolve();
    this.#done.resolve();
  }

  /** "changed": the file is not what it was when this began. */
  async #find(signal: AbortSignal): Promise<Final | "changed"> {
    try {
      const first = await this.#stat();
      // A plugin may write beside itself all the time: of no file that is just data is anything awaited.
      if (!isExecutable(first) && !(await isProgram(this.path))) {
        this.#stamp = stampOf(first);
        return { at: "ignored" };
      }
      const stats = await this.#settled(signal);
      this.#stamp = stampOf(stats);
      if (this.#isRestless) {
        const ms = this.#parts.settledMsMax;
        return { at: "unusable", reason: `it has been written to for ${ms} ms without a pause` };
      }
      const refused = await this.#whyNotRun(isExecutable(stats), Number(stats.size));
      if (refused !== undefined) return refused;
      const digest = await fileDigest(this.path, signal);
      const manifest = await this.#parts.cache.read(digest, this.path);
      if (manifest !== undefined) return { at: "known", manifest };
      this.#identified.resolve();
      this.#move({ at: "asking" });
      return await this.#parts.turns.take(signal, () => this.#ask(digest, signal));
    } catch (error) {
      if (signal.aborted || isGone(error)) return { at: "ignored" };
      return {
        at: "unusable",
        reason: `it cannot be read: ${errnoWords(error) ?? errorLine(error)}`,
      };
    }
  }

  /** Waits until it has not changed for a moment: it may be on its way here. I5: not for ever. */
  async #settled(signal: AbortSignal): Promise<BigIntStats> {
    const { clock, settleMs, settledMsMax } = this.#parts;
    const startMs = clock.elapsedMs();
    for (let before = ""; ; ) {
      const stats = await this.#stat();
      const stamp = stampOf(stats);
      const changedMs = Math.max(Number(stats.mtimeMs), Number(stats.ctimeMs));
      const ageMs = clock.nowMs() - changedMs;
      if (ageMs >= settleMs || stamp === before) return stats;
      this.#isRestless = clock.elapsedMs() - startMs >= settledMsMax;
      if (this.#isRestless) return stats;
      signal.throwIfAborted();
      before = stamp;
      // Below 0 where the file comes from a machine whose clock is ahead.
      await clock.sleep(ageMs < 0 ? settleMs : settleMs - ageMs, signal);
    }
  }

  async #whyNotRun(executable: boolean, sizeBytes: number): Promise<Final | undefined> {
    if (!(await isProgram(this.path))) {
      if (!executable) return { at: "ignored" };
      const reason =
        "it may be executed but is not a program: it begins with neither #! nor the mark of one";
      return { at: "unusable", reason };
    }
    if (!executable) {
      const reason =
        "it is a program without execute permission; if it is a plugin, give it one with chmod +x";
      return { at: "unusable", reason };
    }
    if (sizeBytes <= programBytesMax) return undefined;
    return { at: "unusable", reason: `it has ${sizeBytes} bytes, too many for a program` };
  }

  async #ask(digest: string, signal: AbortSignal): Promise<Final | "changed"> {
    const directory = dirname(this.path);
    const name = basename(this.path);
    const command = [this.path];
    const asked = { name, version: "", directory, command, classes: [] };
    let described: PluginManifest;
    try {
      described = await this.#parts.describe(asked, signal);
    } catch (error) {
      if (isBusy(error)) return "changed";
      if ((await this.#stampNow()) !== this.#stamp) return "changed";
      return { at: "unusable", reason: errorLine(error) };
    }
    // What it said is kept under the digest of what was run, so that must still be the same.
    if ((await fileDigest(this.path, signal)) !== digest) return "changed";
    const text = manifestText(described);
    if (text.length > descriptionCharsMax) {
      return { at: "unusable", reason: `its description has ${text.length} characters, too many` };
    }
    const parsed = parseManifest(text, directory, this.path);
    if (parsed.at === "broken") {
      const reason = `it describes itself wrongly: ${parsed.problems.join("; ")}`;
      return { at: "unusable", reason };
    }
    await this.#parts.cache.write(digest, text);
    return { at: "known", manifest: parsed.manifest };
  }

  async #stampNow(): Promise<string> {
    return stampOf(await this.#stat());
  }

  #stat(): Promise<BigIntStats> {
    return stat(this.path, { bigint: true });
  }

  #move(state: BareState): void {
    if (this.#state.at === state.at && state.at === "looking") return;
    this.#state = state;
    this.#parts.onChange();
  }
}

function isExecutable({ mode }: BigIntStats): boolean {
  return (mode & 0o111n) !== 0n;
}

/** Somebody has it open for writing. */
function isBusy(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as NodeJS.ErrnoException).code === "ETXTBSY") return true;
  }
  return false;
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}
