import { ConfigError, type ConfigTexts, config, type Log, type Secret } from "@bulkhead/sdk";
import type { ProgramOptions } from "./program.ts";

/** The keys that source and sink have in common. */
export const programKeys = {
  command: config.list({
    doc: "The program and its arguments, separated by commas. No shell is involved.",
  }),
  shell: config.string({ doc: "A line for /bin/sh, in place of command." }),
  directory: config.string({
    importance: "medium",
    doc: "Where the program runs; the plugin's own folder unless said.",
  }),
  password: config.password({
    importance: "medium",
    doc: "Given to the program as STDIO_PASSWORD, and hidden everywhere else.",
  }),
  "line.bytes.max": config.int({
    default: 16 * 1024 * 1024,
    min: 1024,
    importance: "low",
    doc: "The longest line that is read from the program.",
  }),
  "stop.timeout.ms": config.int({
    default: 2000,
    min: 0,
    importance: "low",
    doc: "How long the program may take to end when it is asked to; then it is killed with its children.",
  }),
};

/** What is wrong with a config beyond what the keys say, for each key. */
export type Problem = { readonly key: string; readonly message: string };

interface Common {
  readonly command?: readonly string[] | undefined;
  readonly shell?: string | undefined;
}

/** One of command and shell, and names that do not collide as variables. */
export function programProblems({ command, shell }: Common, texts: ConfigTexts): Problem[] {
  const problems: Problem[] = [];
  const hasCommand = command?.[0] !== undefined && command[0] !== "";
  const hasShell = shell !== undefined && shell.trim() !== "";
  if (!hasCommand && !hasShell) {
    const message = "give the program as command (program and arguments) or as shell (a line)";
    problems.push({ key: "command", message });
  }
  if (hasCommand && hasShell) {
    problems.push({ key: "shell", message: "command and shell exclude each other: remove one" });
  }
  const owners = new Map<string, string>();
  for (const [key, text] of Object.entries(texts)) {
    const name = variableOf(key);
    const owner = reserved.get(name) ?? owners.get(name);
    if (owner !== undefined) {
      problems.push({ key, message: `${key} would be the variable ${name}, which is ${owner}` });
    }
    owners.set(name, `the one of ${key} already`);
    if (text.includes("\0")) {
      problems.push({ key, message: `${key} has a NUL character, which no variable can hold` });
    }
  }
  return problems;
}

/** @throws ConfigError with all of them */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  throw new ConfigError(problems.map(({ message }) => message).join("; "), { problems });
}

/** What a program is started with, from the config of a task. */
export function programOptions(context: {
  readonly config: {
    readonly command: readonly string[] | undefined;
    readonly shell: string | undefined;
    readonly directory: string | undefined;
    readonly password: Secret | undefined;
    readonly "stop.timeout.ms": number;
  };
  readonly texts: ConfigTexts;
  readonly task: number;
  readonly log: Log;
}): ProgramOptions {
  const { config, texts, task, log } = context;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    // What a debugger's host has told this process is not for its program.
    if (value !== undefined && name !== "BULKHEAD_CONNECT") env[name] = value;
  }
  for (const [key, text] of Object.entries(texts)) env[variableOf(key)] = text;
  env["STDIO_TASK"] = String(task);
  return {
    argv: config.shell === undefined ? (config.command ?? []) : ["/bin/sh", "-c", config.shell],
    directory: config.directory,
    env,
    hide: hiderOf(config.password),
    stopMsMax: config["stop.timeout.ms"],
    log,
  };
}

/** Takes the password out of what a program has printed. */
export function hiderOf(password: Secret | undefined): (text: string) => string {
  const secret = password?.reveal() ?? "";
  return (text) => (secret === "" ? text : text.replaceAll(secret, String(password)));
}

/** Variables that the adapter sets itself, and what they are. */
const reserved = new Map([
  ["STDIO_TASK", "the task's number"],
  ["STDIO_LINES", "the number of lines that are committed"],
  ["STDIO_OFFSET", "the committed offset"],
]);

/** `page.size` is `STDIO_PAGE_SIZE`. */
function variableOf(key: string): string {
  return `STDIO_${key.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
}
