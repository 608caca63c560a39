/** Source offsets in the file of a standalone worker: the newest value of each key, rewritten as a whole. */
import { access, constants, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoWords } from "../base/errno.ts";
import { ConfigError, TaskError } from "../base/error.ts";
import { writeDurably } from "../base/write-durably.ts";
import { MemoryLog } from "./memory-log.ts";
import { decodeOffsetFile, encodeOffsetFile, type OffsetFileEntry } from "./offset-file.ts";
import type { RecordLog, RecordLogOptions } from "./store.ts";

type Records = Parameters<RecordLog["appendAll"]>[0];

export interface FileLogOptions extends RecordLogOptions {
  /** Missing is empty. */
  readonly path: string;
  /** The worker key that names the file. */
  readonly pathKey: string;
}

/**
 * Tells what is in the file, then opens it for more.
 * @throws ConfigError `config.file_invalid` when it holds something else, `config.file_unreadable`
 *   when it cannot be read, or its folder not be written to
 */
export async function openFileLog(options: FileLogOptions): Promise<RecordLog> {
  const { path, pathKey } = options;
  try {
    await access(dirname(path), constants.W_OK);
    return new FileLog(options, decodeOffsetFile(await readIfThere(path), path));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const text = `cannot keep source offsets in ${path} (${pathKey}): ${errnoWords(error)}`;
    throw new ConfigError("config.file_unreadable", text, {
      hint: "name a file in a folder that exists and that this user may write to",
    });
  }
}

class FileLog extends MemoryLog {
  readonly #path: string;
  /** By the bytes of the key, one character each. */
  readonly #entries = new Map<string, OffsetFileEntry>();
  /** The write that is running, and the one that comes after it. */
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: FileLogOptions, entries: readonly OffsetFileEntry[]) {
    super(options);
    this.#path = options.path;
    for (const entry of entries) {
      this.#entries.set(nameOf(entry.key), entry);
      this.tell(entry.key, entry.value);
    }
  }

  override async appendAll(records: Records): Promise<void> {
    this.assertOpen("write to");
    for (const { key, value } of records) {
      if (key === null) continue;
      if (value === null) this.#entries.delete(nameOf(key));
      else this.#entries.set(nameOf(key), { key, value });
    }
    await this.#written();
    for (const { key, value } of records) this.tell(key, value);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#next?.catch(() => {});
    await this.#writing.catch(() => {});
  }

  /** Resolves when the entries of now are in the file; whoever comes during a write shares the next one. */
  #written(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#writing = this.#write();
        return this.#writing;
      });
    return this.#next;
  }

  async #write(): Promise<void> {
    try {
      await writeDurably(this.#path, encodeOffsetFile([...this.#entries.values()]));
    } catch (cause) {
      const text = `cannot write source offsets to ${this.#path}: ${errnoWords(cause)}`;
      throw new TaskError("store.file_failed", text, { cause });
    }
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

async function readIfThere(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Uint8Array();
    throw error;
  }
}
