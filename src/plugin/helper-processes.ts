/**
 * Processes that answer questions and run no tasks: Describe, Validate, live checks, AlterOffsets. One
 * per program, started when it is first asked, kept warm for a while.
 */
import { isLate } from "../base/error.ts";
import { launchSignature } from "./launch-signature.ts";
import type { PluginManifest } from "./plugin.ts";
import type { RemoteProcess } from "./remote-process.ts";
import type { Resident } from "./resident.ts";

export interface HelperParts {
  readonly launch: (plugin: PluginManifest) => Resident;
  readonly remote: (resident: Resident) => Promise<RemoteProcess>;
  readonly warmMsMax: number;
}

/** Helpers that nobody asks anything; each holds some 50 MiB. */
const restingMax = 4;

interface Helper {
  readonly key: string;
  readonly resident: Resident;
  readonly signature: string;
  /** Requests that are open or wait for the start. */
  asked: number;
  idle: NodeJS.Timeout | undefined;
}

export class HelperProcesses {
  readonly #parts: HelperParts;
  /** Those that take questions. */
  readonly #helpers = new Map<string, Helper>();

  constructor(parts: HelperParts) {
    this.#parts = parts;
  }

  /**
   * Asks a program's helper. What its lines in the log say meanwhile bears the connector's name.
   * @throws what `ask` throws; a question that was given up ends the helper after its other ones
   */
  async ask<T>(
    plugin: PluginManifest,
    connector: string,
    signal: AbortSignal,
    ask: (remote: RemoteProcess) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const helper = this.#helper(plugin, await launchSignature(plugin));
    const { resident } = helper;
    clearTimeout(helper.idle);
    helper.asked += 1;
    const share = resident.share(connector);
    try {
      return await untilAborted(
        this.#parts.remote(resident).then((remote) => ask(remote)),
        signal,
      );
    } catch (error) {
      // User code may still be at it, or hang for good: nobody else shall wait behind it.
      if (signal.aborted || isLate(error)) this.#retire(helper);
      throw error;
    } finally {
      resident.leave(share);
      helper.asked -= 1;
      if (helper.asked === 0) this.#rest(helper);
    }
  }

  /** Starts a program's helper, which somebody may ask or adopt soon. Never rejects. */
  async start(plugin: PluginManifest): Promise<void> {
    try {
      const helper = this.#helper(plugin, await launchSignature(plugin));
      if (helper.asked === 0) this.#rest(helper);
    } catch {
      // The host shuts down; whoever needs the process is told.
    }
  }

  /**
   * Gives a helper away that nobody asks anything now, also one that is still starting: it runs the program that would be launched, and
   * serves no questions again. Undefined when there is none.
   */
  adopt(plugin: PluginManifest, signature: string): Resident | undefined {
    const helper = this.#helpers.get(helperKey(plugin));
    if (helper === undefined || helper.asked > 0) return undefined;
    if (helper.signature !== signature || !helper.resident.takesWork) return undefined;
    clearTimeout(helper.idle);
    this.#retire(helper);
    return helper.resident;
  }

  /** It is gone or on its way. */
  forget(resident: Resident): void {
    for (const helper of this.#helpers.values()) {
      if (helper.resident !== resident) continue;
      clearTimeout(helper.idle);
      this.#retire(helper);
    }
  }

  #helper(plugin: PluginManifest, signature: string): Helper {
    const key = helperKey(plugin);
    const known = this.#helpers.get(key);
    if (known !== undefined) {
      if (known.signature === signature && known.resident.takesWork) return known;
      // An older program, or one that is going: it answers what it can and ends.
      this.#retire(known);
      if (known.asked === 0) this.#end(known);
    }
    const resident = this.#parts.launch(plugin);
    const helper = { key, resident, signature, asked: 0, idle: undefined };
    this.#helpers.set(key, helper);
    return helper;
  }

  #retire(helper: Helper): void {
    if (this.#helpers.get(helper.key) === helper) this.#helpers.delete(helper.key);
  }

  #rest(helper: Helper): void {
    if (this.#helpers.get(helper.key) !== helper) {
      this.#end(helper);
      return;
    }
    const { warmMsMax } = this.#parts;
    clearTimeout(helper.idle);
    // I6: it does not keep the host alive, and the pool ends it with the others.
    helper.idle = setTimeout(() => this.#end(helper), warmMsMax).unref();
    // The newest last. I5: many programs that are asked once must not all stay.
    this.#helpers.delete(helper.key);
    this.#helpers.set(helper.key, helper);
    const resting = [...this.#helpers.values()].filter(({ asked }) => asked === 0);
    const [oldest] = resting;
    if (oldest !== undefined && resting.length > restingMax) this.#end(oldest);
  }

  #end(helper: Helper): void {
    this.#retire(helper);
    clearTimeout(helper.idle);
    void helper.resident.end("nobody has asked it anything for a while");
  }
}

/** One program, whatever its manifest calls it. */
export function helperKey({ directory, command }: PluginManifest): string {
  return JSON.stringify(["helper", directory, command]);
}

/** The work goes on; only this wait ends with the signal. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
