import { stat, writeFile } from "node:fs/promises";
import { errnoWords } from "../base/errno.ts";
import { ConfigError } from "../base/error.ts";
import { type CheckTarget, check } from "../check.ts";
import type { ClauseResult } from "../conformance/conformance.ts";
import { countVerdicts, jsonOf, junitOf, tableOf } from "../conformance/report.ts";

/** What the command line says beside the plugin. */
export interface CheckCommandOptions {
  readonly config?: string[];
  readonly setup?: string;
  readonly only?: string[];
  /** In seconds. */
  readonly timeout: number;
  readonly jobs: number;
  readonly junit?: string;
  readonly json?: boolean;
}

const widthWithoutTerminal = 120;

/**
 * Judges a plugin and prints the report; the answer is the exit status. `afterDashes`: the words are a
 * command even when the first one names a folder.
 * @throws ConfigError where the check cannot begin
 */
export async function checkCommand(
  words: readonly string[],
  options: CheckCommandOptions,
  afterDashes: boolean,
): Promise<number> {
  const target: CheckTarget = {
    plugin: await pluginOf(words, afterDashes),
    configs: options.config ?? [],
    setup: options.setup,
  };
  const progress = progressLine();
  const report = await check(target, {
    only: options.only ?? [],
    answerMsMax: options.timeout * 1_000,
    casesAtOnceMax: options.jobs,
    onResult: progress.show,
  });
  progress.clear();
  if (options.junit !== undefined) await writeReport(options.junit, junitOf(report));
  const width = process.stdout.columns ?? widthWithoutTerminal;
  process.stdout.write(options.json ? jsonOf(report) : tableOf(report, width));
  const { passed, failed } = countVerdicts(report);
  // A check in which nothing could be judged says nothing good of the plugin.
  return failed > 0 || passed === 0 ? 1 : 0;
}

async function pluginOf(
  words: readonly string[],
  afterDashes: boolean,
): Promise<CheckTarget["plugin"]> {
  const [first] = words;
  if (first === undefined) {
    throw new ConfigError("config.invalid", "cannot check a plugin that is not named", {
      hint: "give its folder, or after -- its program: bulkhead check -- python3 plugin.py",
    });
  }
  if (afterDashes) return { at: "command", command: words };
  const isFolder = await stat(first).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder && words.length === 1) return { at: "folder", path: first };
  if (isFolder) {
    const message = `cannot check ${words.join(", ")} together: a check is of one plugin folder`;
    throw new ConfigError("config.invalid", message, { hint: "check one after the other" });
  }
  throw new ConfigError("config.invalid", `cannot check ${first}: it is not a plugin folder`, {
    hint: `to check a program, put -- before it: bulkhead check -- ${words.join(" ")}`,
  });
}

async function writeReport(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    const message = `cannot write the report to ${path}: ${errnoWords(cause) ?? String(cause)}`;
    throw new ConfigError("config.file_unreadable", message, { cause });
  }
}

/** One line that changes, for a person who waits; nothing where stderr is not a terminal. */
function progressLine() {
  const shown = process.stderr.isTTY === true;
  return {
    show: ({ id }: ClauseResult, done: number, total: number) => {
      if (shown) process.stderr.write(`\r\u001b[K${done} of ${total}  ${id}`);
    },
    clear: () => {
      if (shown) process.stderr.write("\r\u001b[K");
    },
  };
}
