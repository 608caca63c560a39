import { readFile } from "node:fs/promises";
import { getProperties } from "properties-file";
import { errnoWords } from "../base/errno.ts";
import { ConfigError } from "../base/error.ts";

/**
 * A Java properties file as a map. @throws ConfigError `config.file_unreadable` naming the file and
 * what the operating system said.
 */
export async function readPropertiesFile(path: string): Promise<Record<string, string>> {
  return getProperties(await readTextFile(path, "worker config"));
}

/** Reads a config file as UTF-8. `what` names it in the error. */
export async function readTextFile(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const words = errnoWords(cause);
    const message = `cannot read the ${what} file ${path}`;
    throw new ConfigError("config.file_unreadable", words ? `${message}: ${words}` : message, {
      ...(words === undefined && { cause }),
      hint: "check the path and that this user may read it",
    });
  }
}
