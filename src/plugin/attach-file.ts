/** The file that tells a plugin which is started by hand where to dial, and with which token. */
import { randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errnoWords } from "../base/errno.ts";
import { errorLine, TaskError } from "../base/error.ts";
import { shellWord } from "./attach-words.ts";

export class AttachFile {
  readonly path: string;
  readonly #text: string;
  readonly #removeAtExit = () => this.#removeOwn();

  private constructor(path: string, text: string) {
    this.path = path;
    this.#text = text;
    process.on("exit", this.#removeAtExit);
  }

  /**
   * Readable for this user only, whole from its first moment; one of an earlier host is replaced.
   * @throws TaskError `plugin.attach_unusable`
   */
  static async write(folder: string, plugin: string, line: string): Promise<AttachFile> {
    const directory = resolve(folder);
    await makePrivate(directory);
    const path = join(directory, `${plugin}.json`);
    const partial = join(directory, `.${plugin}.${randomUUID()}`);
    const text = `${line}\n`;
    try {
      await writeFile(partial, text, { mode: 0o600, flag: "wx" });
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw unusable(directory, `${path} cannot be written: ${wordsOf(error)}`, error);
    }
    return new AttachFile(path, text);
  }

  /** Unless another host has put its own there meanwhile. */
  remove(): void {
    process.off("exit", this.#removeAtExit);
    this.#removeOwn();
  }

  #removeOwn(): void {
    try {
      if (readFileSync(this.path, "utf8") === this.#text) rmSync(this.path);
    } catch {
      // It is gone, or the folder is.
    }
  }
}

/** Who may write there may put a file of his own there, and get the plugin's records. */
async function makePrivate(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { mode, uid } = await stat(directory);
    const isOwn = process.getuid === undefined || uid === process.getuid();
    if (isOwn && (mode & 0o022) === 0) return;
  } catch (error) {
    throw unusable(directory, wordsOf(error), error);
  }
  throw unusable(directory, "others may write to it");
}

function unusable(directory: string, reason: string, cause?: unknown): TaskError {
  return new TaskError(
    "plugin.attach_unusable",
    `cannot tell attached plugins by files in ${directory} where to dial: ${reason}`,
    { hint: "set plugin.attach.dir to a folder of the host's own", cause },
  );
}

function wordsOf(error: unknown): string {
  return errnoWords(error) ?? errorLine(error);
}

/** The beginning of a command line that starts a plugin with this file. */
export function connectWords(path: string): string {
  return `BULKHEAD_CONNECT=${shellWord(path)}`;
}
