/** The catalog of what is in the folders of `plugin.path` now: the implementation of the door's PluginCatalog. */
import { setImmediate } from "node:timers/promises";
import { type Clock, systemClock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { errorLine } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import type { Logger } from "../observe/logger.ts";
import { type BareParts, BareProgram, type Describe } from "./bare-program.ts";
import { type CatalogSnapshot, createCatalog, type FoundPlugin, withoutTwins } from "./catalog.ts";
import { DescriptionCache } from "./description-cache.ts";
import { type FolderEntry, lookIntoFolders } from "./folder-contents.ts";
import { FolderWatch } from "./folder-watch.ts";
import { readManifestFile } from "./manifest-file.ts";
import type {
  AttachedPlugin,
  AttachedPlugins,
  PluginCatalog,
  PluginClass,
  UnusablePlugin,
  WantedClass,
} from "./plugin.ts";
import { Turns } from "./turns.ts";

export interface PluginFoldersOptions {
  /** `plugin.path`. */
  paths: readonly string[];
  /** Where descriptions of executables are kept. */
  cacheDirectory: string;
  describe: Describe;
  /** Those that have said what they are take the place of what folders have under their names. */
  attached?: Pick<AttachedPlugins, "list" | "onChange">;
  /** Nobody is asked before; what is kept is known at once. */
  mayAsk?: Promise<void>;
  logger: Logger;
  clock?: Clock;
  /** How long a look waits for an executable that is being asked what it offers, counted once for each. */
  askMsMax?: number;
  /** Without news from the system the folders are read again at most this often. */
  seenMsMin?: number;
  /** How long a look waits for the folders: a network mount may not answer. */
  seeMsMax?: number;
  /** For how long a file must not have changed before it is read. */
  settleMs?: number;
  /** How long a file may go on changing before it is listed as unusable. */
  settledMsMax?: number;
  lookInto?: typeof lookIntoFolders;
}

type Options = Required<PluginFoldersOptions>;

/** The catalog, and its end. */
export interface PluginFolders extends PluginCatalog {
  /** Stops watching and asking. */
  close(): Promise<void>;
}

/** One that hangs must not keep the others from being asked. */
const askedAtOnceMax = 2;
/** A folder that changes all the time: what the third look saw will do. */
const looksMax = 3;

/** Resolves when folders with plugin.json are known; executables follow on their own time. */
export async function openPluginFolders(options: PluginFoldersOptions): Promise<PluginFolders> {
  const full = {
    mayAsk: Promise.resolve(),
    attached: { list: () => [], onChange: () => () => {} },
    clock: systemClock,
    askMsMax: 5_000,
    seenMsMin: 1_000,
    seeMsMax: 5_000,
    settleMs: 300,
    settledMsMax: 30_000,
    lookInto: lookIntoFolders,
    ...options,
  };
  const folders = new LiveCatalog(full);
  await folders.see();
  return folders;
}

/** The reason of what is not known yet. */
const beingAsked = "it is being asked what it offers";

interface Told {
  readonly classes: ReadonlySet<string>;
  /** Path and reason, as JSON. */
  readonly problems: ReadonlySet<string>;
}

/** A plugin.json as it was read. */
interface ReadManifest {
  readonly stamp: string;
  readonly found: readonly PluginClass[] | UnusablePlugin;
}

class LiveCatalog implements PluginFolders {
  readonly #options: Options;
  readonly #scope = new Scope();
  readonly #watch = new FolderWatch(() => {
    this.#isDirty = true;
  });
  readonly #bareParts: BareParts;
  /** By path, as all below. */
  #manifests = new Map<string, ReadManifest>();
  readonly #programs = new Map<string, BareProgram>();
  #entries: readonly FolderEntry[] = [];
  /** Of plugins that come by themselves: who waits for them tells what is to tell. */
  #awaited: readonly string[] = [];
  #attachedChange = deferred();
  #snapshot: CatalogSnapshot = createCatalog([], []);
  #isDirty = true;
  #seenMs = 0;
  #seeing: Promise<void> | undefined;
  #hasToldSlow = false;
  /** What the log has been told; undefined = nothing yet. */
  #told: Told | undefined;

  constructor(options: Options) {
    this.#options = options;
    const { cacheDirectory, clock, describe, logger, mayAsk, settledMsMax, settleMs } = options;
    this.#bareParts = {
      cache: new DescriptionCache(cacheDirectory, logger),
      describe: async (plugin, signal) => {
        await untilAborted(mayAsk, signal);
        signal.throwIfAborted();
        return describe(plugin, signal);
      },
      turns: new Turns(askedAtOnceMax),
      clock,
      settleMs,
      settledMsMax,
      onChange: () => this.#publish(),
    };
    this.#scope.defer(() => this.#watch.close());
    this.#scope.defer(options.attached.onChange(() => this.#attachedHaveChanged()));
  }

  get classes(): readonly PluginClass[] {
    return this.#snapshot.classes;
  }

  get unusable(): readonly UnusablePlugin[] {
    return this.#snapshot.unusable;
  }

  find(...wanted: Parameters<PluginCatalog["find"]>): PluginClass | undefined {
    return this.#snapshot.find(...wanted);
  }

  versions(...wanted: Parameters<PluginCatalog["versions"]>): readonly PluginClass[] {
    return this.#snapshot.versions(...wanted);
  }

  async look(wanted?: WantedClass): Promise<void> {
    await this.see();
    if (wanted === undefined) {
      await this.#patiently(({ done }) => done);
      return;
    }
    const { name, kinds, wish } = wanted;
    const signal = AbortSignal.any([wanted.signal, this.#scope.signal]);
    await untilAborted(
      this.#patiently(({ identified }) => identified),
      signal,
    );
    // One that is still being asked may be newer: what is known will do.
    while (!signal.aborted && this.find(name, kinds, wish) === undefined) {
      const pending = this.#pending().map(({ done }) => done);
      // One that is away may stay away; one that is here is about to say what it is.
      const isAsking = this.#options.attached.list().some(({ state }) => state.at === "asking");
      if (isAsking) pending.push(this.#attachedChange.promise);
      if (pending.length === 0) return;
      await untilAborted(Promise.race(pending), signal);
    }
  }

  close(): Promise<void> {
    return this.#scope.close();
  }

  /** Reads the folders where that may show something new. */
  async see(): Promise<void> {
    // Whatever changed before this call has reached the watches when this turn of the loop is over.
    await setImmediate();
    const { clock, logger, seeMsMax, seenMsMin } = this.#options;
    for (let looks = 0; looks < looksMax && !this.#scope.signal.aborted; looks += 1) {
      const isFresh = !this.#isDirty && clock.elapsedMs() - this.#seenMs < seenMsMin;
      if (isFresh && this.#seeing === undefined) return;
      this.#seeing ??= this.#read().finally(() => {
        this.#seeing = undefined;
      });
      const seen = await within(
        this.#seeing.then(() => true),
        seeMsMax,
        false,
      );
      if (!seen && !this.#hasToldSlow) {
        logger.warn(`the folders of plugin.path have not answered for ${seeMsMax} ms`);
      }
      this.#hasToldSlow = !seen;
      if (!seen) return;
    }
  }

  async #read(): Promise<void> {
    const { clock, logger, lookInto, paths } = this.#options;
    this.#isDirty = false;
    this.#seenMs = clock.elapsedMs();
    try {
      const contents = await lookInto(paths);
      const { entries } = contents;
      this.#watch.keep(contents);
      await this.#readManifests(entries);
      this.#entries = entries;
      this.#keepPrograms(entries);
      this.#publish();
    } catch (error) {
      logger.warn(`the folders of plugin.path cannot be read: ${errorLine(error)}`);
    }
  }

  async #readManifests(entries: readonly FolderEntry[]): Promise<void> {
    const manifests = new Map<string, ReadManifest>();
    for (const entry of entries) {
      if (entry.at !== "manifest") continue;
      const known = this.#manifests.get(entry.path);
      const isSame = known?.stamp === entry.stamp;
      const read = isSame
        ? known
        : { stamp: entry.stamp, found: await readManifestFile(entry.path) };
      manifests.set(entry.path, read);
    }
    this.#manifests = manifests;
  }

  /** A program that is still being looked at sees by itself that its file has changed. */
  #keepPrograms(entries: readonly FolderEntry[]): void {
    const files = new Map(
      entries.flatMap((entry) => (entry.at === "file" ? [[entry.path, entry] as const] : [])),
    );
    const restless = new Map<string, number>();
    for (const [path, program] of this.#programs) {
      const file = files.get(path);
      if (file !== undefined && !program.isStale(file.stamp)) continue;
      if (program.isRestless) restless.set(path, program.foundMs);
      program.stop();
      this.#programs.delete(path);
    }
    for (const path of files.keys()) {
      if (this.#programs.has(path)) continue;
      const program = new BareProgram(path, this.#bareParts, restless.get(path));
      this.#programs.set(path, program);
      this.#scope.spawn(
        (signal) => program.run(signal),
        (error) => this.#options.logger.error({ path }, errorLine(error)),
      );
    }
  }

  #attachedHaveChanged(): void {
    this.#publish();
    this.#attachedChange.resolve();
    this.#attachedChange = deferred();
  }

  /** Waits for each that is pending, but not longer than `askMsMax` since it was found. */
  async #patiently(until: (program: BareProgram) => Promise<void>): Promise<void> {
    const { askMsMax, clock } = this.#options;
    const waits = this.#pending().map((program) => {
      const leftMs = program.foundMs + askMsMax - clock.elapsedMs();
      return within(until(program), Math.max(0, leftMs), undefined);
    });
    await Promise.all(waits);
  }

  #pending(): BareProgram[] {
    return [...this.#programs.values()].filter(({ isFinal }) => !isFinal);
  }

  /** Makes a new snapshot of what is known, in the order of the folders. */
  #publish(): void {
    const plugins: FoundPlugin[] = [];
    const unusable: UnusablePlugin[] = [];
    for (const entry of this.#entries) {
      const found = this.#foundOf(entry);
      if (found === undefined) continue;
      if ("reason" in found) unusable.push(found);
      else plugins.push({ path: entry.path, classes: found });
    }
    const attached = this.#options.attached.list();
    this.#awaited = attached.map(({ file }) => file);
    for (const one of attached) takeAttached(one, plugins, unusable);
    const { classes, unusable: twins } = withoutTwins(plugins);
    this.#snapshot = createCatalog(classes, [...unusable, ...twins]);
    this.#tell();
  }

  #foundOf(entry: FolderEntry): readonly PluginClass[] | UnusablePlugin | undefined {
    if (entry.at === "unusable") return { path: entry.path, reason: entry.reason };
    if (entry.at === "manifest") return this.#manifests.get(entry.path)?.found;
    const state = this.#programs.get(entry.path)?.state;
    switch (state?.at) {
      case "known":
        return state.manifest.classes;
      case "unusable":
        return { path: entry.path, reason: state.reason };
      case "asking":
        return { path: entry.path, reason: beingAsked };
      default:
        return undefined;
    }
  }

  /** Says in the log what has come and gone; of what is still being asked when it is known. */
  #tell(): void {
    const { logger, paths } = this.#options;
    const classes = this.classes.map(({ className, version }) => `${className} ${version}`.trim());
    const problems = this.unusable.filter(
      ({ path, reason }) => reason !== beingAsked && !this.#awaited.includes(path),
    );
    const now: Told = {
      classes: new Set(classes),
      problems: new Set(problems.map(({ path, reason }) => JSON.stringify([path, reason]))),
    };
    const before = this.#told;
    this.#told = now;
    for (const { path, reason } of problems) {
      if (before?.problems.has(JSON.stringify([path, reason]))) continue;
      logger.warn({ path, reason }, "a plugin cannot be used");
    }
    if (before === undefined) {
      const isConnector = ({ kind }: PluginClass) => kind === "source" || kind === "sink";
      if (this.#pending().length === 0 && !this.classes.some(isConnector)) {
        const hint = "set plugin.path in the worker config to folders that hold plugins";
        logger.warn({ pluginPath: paths, hint }, "no connector was found");
      }
      logger.info({ classes: classes.length }, "plugins found");
      return;
    }
    const came = classes.filter((one) => !before.classes.has(one));
    const went = [...before.classes].filter((one) => !now.classes.has(one));
    if (came.length + went.length > 0) logger.info({ came, went }, "the plugins have changed");
  }
}

/** What it said itself is newer than what lies in a folder; that counts until it has come once. */
function takeAttached(
  { name, connect, file, state }: AttachedPlugin,
  plugins: FoundPlugin[],
  unusable: UnusablePlugin[],
): void {
  const found = plugins.filter(({ classes }) => classes[0]?.plugin.name === name);
  if (state.at === "known") {
    for (const one of found) plugins.splice(plugins.indexOf(one), 1);
    plugins.unshift({ path: file, classes: state.manifest.classes });
    return;
  }
  if (found.length > 0) return;
  const away = `it is not attached: start plugin ${name} with ${connect}`;
  const reasons = { away, asking: beingAsked };
  unusable.push({ path: file, reason: state.at === "unusable" ? state.reason : reasons[state.at] });
}

/** Resolves with the work, or when the signal fires; the work goes on. */
async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let abort = () => {};
  const aborted = new Promise<void>((resolve) => {
    abort = resolve;
    signal.addEventListener("abort", abort, { once: true });
  });
  await Promise.race([work, aborted]);
  signal.removeEventListener("abort", abort);
}
