/**
 * One plugin that is started by hand: its file and reusable token, whoever has dialled with that, and
 * who waits for it. The newest session ends the older one.
 */
import { TaskError } from "../base/error.ts";
import { type AttachFile, connectWords } from "./attach-file.ts";
import type { Expectation } from "./gateway.ts";
import type { Place } from "./places.ts";
import type { AttachedPlugin, PluginManifest } from "./plugin.ts";
import type { Resident } from "./resident.ts";

export class AttachPoint {
  readonly name: string;
  readonly connect: string;
  readonly #file: AttachFile;
  readonly #token: Expectation;
  readonly #waiters = new Set<() => void>();
  #state: AttachedPlugin["state"] = { at: "away" };
  /** What is shown of it; goes on from one session to the next. */
  place: Place;
  /** The session that takes new work. */
  #live: Resident | undefined;
  /** Also one that takes no new work. */
  newest: Resident | undefined;

  constructor(name: string, file: AttachFile, token: Expectation) {
    this.name = name;
    this.#file = file;
    this.#token = token;
    this.connect = connectWords(file.path);
    const key = JSON.stringify(["attached", name]);
    const plugin = this.manifest("");
    const connectors: string[] = [];
    this.place = { key, use: "attached", plugin, starts: 0, lastExit: null, connectors, living: 0 };
  }

  get state(): AttachedPlugin["state"] {
    return this.#state;
  }

  get view(): AttachedPlugin {
    const { name, connect, isUnknown, state } = this;
    return { name, connect, file: this.#file.path, isUnknown, state };
  }

  get live(): Resident | undefined {
    return this.#live;
  }

  /** Nobody knows which classes it has. */
  get isUnknown(): boolean {
    return this.#state.at === "away" || this.#state.at === "asking";
  }

  /** It as a program that nobody can start: the file stands for it. */
  manifest(version: string): PluginManifest {
    const { path } = this.#file;
    const directory = path.slice(0, path.lastIndexOf("/"));
    return { name: this.name, version, directory, command: [path], program: path, classes: [] };
  }

  /** Somebody has dialled. */
  come(resident: Resident, version: string): void {
    this.newest = resident;
    this.#live = resident;
    this.place = { ...this.place, plugin: this.manifest(version), starts: this.place.starts + 1 };
    resident.place = this.place;
    if (this.#state.at !== "known") this.#state = { at: "asking" };
    for (const wake of [...this.#waiters]) wake();
  }

  /** It takes no new work. */
  retire(resident: Resident): void {
    if (this.#live === resident) this.#live = undefined;
  }

  /** Its session has ended. */
  go(resident: Resident, exit: Place["lastExit"]): void {
    this.retire(resident);
    resident.place.lastExit = exit;
    if (this.newest !== resident) return;
    this.newest = undefined;
    this.place = { ...this.place, lastExit: exit, connectors: resident.connectors };
    if (this.#state.at !== "known") this.#state = { at: "away" };
  }

  /** What it said of itself, or why that is of no use; what it said before still counts then. */
  learn(state: Extract<AttachedPlugin["state"], { at: "known" | "unusable" }>): void {
    if (state.at === "known" || this.#state.at !== "known") this.#state = state;
  }

  /** Resolves when there is a session that takes work, or the signal fires. */
  arrival(signal: AbortSignal): Promise<void> {
    if (this.#live !== undefined || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  awayError(): TaskError {
    const text = `plugin ${this.name} is not attached: start it with ${this.connect}`;
    return new TaskError("plugin.away", text);
  }

  /** The token is void and the file gone. */
  close(): void {
    this.#token.void();
    this.#file.remove();
  }
}
