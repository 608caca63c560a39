/** One plugin process and who lives in it: leases, the end with the last of them, and a condemned end. */
import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";
import type { Place } from "./places.ts";
import type { PluginManifest, PluginProcess, ProcessLease } from "./plugin.ts";
import type { PluginEnd } from "./plugin-end.ts";

export interface ResidentOptions {
  readonly plugin: PluginManifest;
  readonly place: Place;
  readonly startedMs: number;
  /** For all together to stop in a condemned process. */
  readonly condemnedMsMax: number;
  readonly launch: (resident: Resident, signal: AbortSignal) => Promise<PluginEnd>;
  /** It takes no new work from now on; may be told several times. */
  readonly onRetired: (resident: Resident) => void;
  /** It was not started for those who live in it, and stays when they go. */
  readonly stays?: boolean;
}

/** One share in the process. */
interface Share {
  readonly connector: string;
  readonly condemned: AbortController;
}

export class Resident {
  /** As described by now: a helper is launched before anybody knows it. */
  plugin: PluginManifest;
  readonly startedMs: number;
  /** Resolves with its Hello. */
  readonly child: Promise<PluginEnd>;
  /** From the moment it has a pid. */
  spawned: PluginEnd | undefined;
  place: Place;
  readonly #options: ResidentOptions;
  readonly #cancel = new AbortController();
  readonly #shares = new Set<Share>();
  /** When its last share goes; while a condemned process waits for that. */
  #emptied: Deferred<void> | undefined;
  /** What the process says while it ends is still the last one's. */
  #lastConnector: string | undefined;
  #condemnation: Promise<void> | undefined;

  constructor(options: ResidentOptions) {
    this.#options = options;
    this.plugin = options.plugin;
    this.startedMs = options.startedMs;
    this.place = options.place;
    this.child = options.launch(this, this.#cancel.signal);
    this.child.catch(() => {});
  }

  /** Nobody has seen it fail yet. */
  get isStarting(): boolean {
    return this.spawned === undefined || this.spawned.at === "starting";
  }

  /** Ready for more work, as far as can be seen now. */
  get isUsable(): boolean {
    return this.#condemnation === undefined && this.spawned?.isUsable === true;
  }

  /** The connectors that live in it. */
  get connectors(): string[] {
    const names = new Set([...this.#shares].map(({ connector }) => connector));
    if (names.size === 0 && this.#lastConnector !== undefined) names.add(this.#lastConnector);
    return [...names].filter((name) => name !== "");
  }

  /** For whoever comes now: a session that has ended is seen before the exit, which takes a while. */
  get takesWork(): boolean {
    return this.isStarting || this.isUsable;
  }

  /** Its start was called off; that is no failure of the plugin. */
  get isGivenUp(): boolean {
    return this.#cancel.signal.aborted;
  }

  owns(connector: string): boolean {
    return this.connectors.includes(connector);
  }

  /** Takes a share at once; the process may still be starting. Release it in any case. */
  share(connector: string): Share {
    const share = { connector, condemned: new AbortController() };
    this.#shares.add(share);
    this.#lastConnector = undefined;
    return share;
  }

  /** What a share is to its holder. `remote` is given a way to condemn the process by itself. */
  lease(
    share: Share,
    child: PluginEnd,
    remote: (condemn: ProcessLease["condemn"]) => PluginProcess,
  ): ProcessLease {
    const condemn = (reason: string) => this.#condemn(share, child, reason);
    return {
      process: remote(condemn),
      condemned: share.condemned.signal,
      release: () => this.release(share, "nothing of it is needed any more"),
      condemn,
    };
  }

  /** Resolves when the process has ended, if it was the last share or the process is condemned. */
  async release(share: Share, reason: string): Promise<void> {
    if (this.#options.stays) this.leave(share);
    else this.#leave(share);
    if (this.#condemnation !== undefined) await this.#condemnation;
    else if (this.#shares.size === 0 && !this.#options.stays) await this.end(reason);
  }

  /** It is gone, which is nobody's failure: who lives in it starts again elsewhere. */
  abandon(reason: TaskError): void {
    this.#options.onRetired(this);
    for (const { condemned } of this.#shares) condemned.abort(reason);
  }

  /** Gives a share back and leaves the process running, whoever is left. */
  leave(share: Share): void {
    this.#leave(share);
    this.#lastConnector = undefined;
  }

  /** Ends the process, also one that is still starting. */
  async end(reason: string): Promise<void> {
    this.#options.onRetired(this);
    if (this.#condemnation !== undefined) return this.#condemnation;
    this.#cancel.abort(new TaskError("plugin.closed", `the start was given up: ${reason}`));
    const child = await this.child.catch(() => undefined);
    await child?.end(reason);
  }

  #leave(share: Share): void {
    if (!this.#shares.delete(share)) return;
    if (this.#shares.size > 0) return;
    this.#lastConnector = share.connector;
    this.#emptied?.resolve();
  }

  /** The one that did not stop is left out; the first one's word starts the end. */
  #condemn(share: Share, child: PluginEnd, reason: string): Promise<void> {
    this.#leave(share);
    this.#condemnation ??= this.#endCondemned(child, reason);
    return this.#condemnation;
  }

  async #endCondemned(child: PluginEnd, reason: string): Promise<void> {
    this.#options.onRetired(this);
    child.condemn(reason);
    const text = `plugin process ${child.pid} (${this.plugin.name}) has to end: ${reason}`;
    for (const { condemned } of this.#shares) {
      condemned.abort(new TaskError("plugin.condemned", text));
    }
    if (this.#shares.size > 0) {
      this.#emptied = deferred();
      const empty = Promise.race([this.#emptied.promise, child.exited]);
      await within(empty, this.#options.condemnedMsMax, undefined);
    }
    await child.kill(reason);
  }
}
