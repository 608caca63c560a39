/** What bare executables said of themselves, kept by the SHA-256 of the file so that it is asked once. */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorLine } from "../base/error.ts";
import type { Logger } from "../observe/logger.ts";
import { parseManifest } from "./manifest.ts";
import type { PluginManifest } from "./plugin.ts";
import { protocolVersion } from "./session.ts";

/** Counted up when a newer host wants to be told more than an older one has kept. */
const formatVersion = 1;
/** I5: of all hosts that share the folder. */
const filesMax = 1_000;
const memoryMax = 200;
const ownNames = /^[0-9a-f]{64}\.[\d.]+\.json(\.tmp-[0-9a-f-]+)?$/;

/** A folder of descriptions, each a plugin.json; one that cannot be read or written costs no more than asking. */
export class DescriptionCache {
  readonly #directory: string;
  readonly #logger: Logger;
  /** Where the folder fails, and for what is read again; the oldest goes first. */
  readonly #memory = new Map<string, string>();
  #hasWarned = false;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  /** As the plugin that this program is; undefined where nothing usable is kept. */
  async read(digest: string, program: string): Promise<PluginManifest | undefined> {
    const text = this.#memory.get(digest) ?? (await this.#readFile(digest));
    if (text === undefined) return undefined;
    const parsed = parseManifest(text, dirname(program), program);
    if (parsed.at === "good") return parsed.manifest;
    this.#logger.info(
      { file: this.#path(digest), problems: parsed.problems },
      "a kept plugin description is broken: the plugin is asked again",
    );
    return undefined;
  }

  /** Never rejects: what cannot be written is kept until the host ends. */
  async write(digest: string, text: string): Promise<void> {
    this.#memory.delete(digest);
    this.#memory.set(digest, text);
    const [oldest] = this.#memory.keys();
    if (this.#memory.size > memoryMax && oldest !== undefined) this.#memory.delete(oldest);
    const path = this.#path(digest);
    const partial = `${path}.tmp-${randomUUID()}`;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      try {
        await writeFile(partial, text, { mode: 0o600, flag: "wx" });
        await rename(partial, path);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      await this.#prune();
    } catch (error) {
      if (this.#hasWarned) return;
      this.#hasWarned = true;
      this.#logger.warn(
        { directory: this.#directory, hint: "set plugin.cache.dir to a folder it may write to" },
        `plugin descriptions cannot be kept, so each start asks again: ${errorLine(error)}`,
      );
    }
  }

  async #readFile(digest: string): Promise<string | undefined> {
    try {
      return await readFile(this.#path(digest), "utf8");
    } catch {
      return undefined;
    }
  }

  #path(digest: string): string {
    return join(this.#directory, `${digest}.${protocolVersion}.${formatVersion}.json`);
  }

  /** The oldest go, half-written ones of hosts that died among them. */
  async #prune(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => ownNames.test(name));
    if (names.length <= filesMax) return;
    const aged = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        const stats = await stat(path).catch(() => undefined);
        return { path, mtimeMs: stats?.mtimeMs ?? 0 };
      }),
    );
    aged.sort((a, b) => a.mtimeMs - b.mtimeMs);
    // Some more than needed, so that not every write has to do this.
    for (const { path } of aged.slice(0, names.length - filesMax + 100)) {
      await rm(path, { force: true });
    }
  }
}
