#!/usr/bin/env node
/** argv to a command to an exit code. Commands are loaded when they are run: a start loads little. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ConfigError, errorHint, errorLine, HostError } from "./base/error.ts";
import { productVersion } from "./base/version.ts";
import type { CheckCommandOptions } from "./command/check.ts";

/** Connect's exit codes: 1 = wrong usage, 2 = a config cannot be used, 3 = the start failed. */
const exitUsage = 1;
const exitConfig = 2;
const exitStart = 3;

/** In the help of every command; wide terminals get no wider lines. */
const helpWidth = 100;

const program = new Command("bulkhead")
  .description("A Kafka Connect-compatible host whose connectors run as plugin processes.")
  .version(productVersion)
  .configureHelp({ helpWidth })
  .showHelpAfterError()
  .exitOverride()
  .addHelpText(
    "after",
    "\nbulkhead help <command> says more. To see it at work: bulkhead quickstart",
  );

program
  .command("standalone")
  .summary("run a worker by itself")
  .description(
    "Runs a worker by itself, with the connectors of the files given and those that its log knows " +
      "from earlier, until SIGINT or SIGTERM.",
  )
  .argument("<worker.properties>", "the worker's config, as for Kafka Connect's connect-standalone")
  .argument("[connector...]", "connector files: properties, or JSON with name and config")
  .addHelpText("after", standaloneHelp())
  .action(async (worker: string, connectors: string[]) => {
    const { standalone } = await import("./command/standalone.ts");
    await standalone(worker, connectors);
  });

program
  .command("quickstart")
  .summary("watch records move, nothing to set up")
  .description(
    "Starts a worker on a throw-away log and shows how lines of a file travel through two plugin " +
      "processes, until SIGINT or SIGTERM.",
  )
  .option("--for <seconds>", "end by itself after that time", parseSeconds)
  .action(async (options: { for?: number }) => {
    const { quickstart } = await import("./command/quickstart.ts");
    await quickstart(options.for);
  });

program
  .command("check")
  .summary("judge a plugin by the contract")
  .description(
    "Starts a plugin again and again and judges by the wire alone whether it keeps the contract of " +
      "proto/README.md: a folder with plugin.json, or a program after --.",
  )
  .argument("[folder-or-command...]", "a plugin folder, or after -- a program and its arguments")
  .option("--config <connector-file>", "config that a class can run with; may be repeated", collect)
  .option("--setup <file>", "configs, files and situations of all classes, as conformance.json")
  .option("--only <clause>", "a clause, or the beginning of some up to a dot; repeatable", collect)
  .option("--timeout <seconds>", "wait so long for an answer", parseSeconds, 10)
  .option("--jobs <count>", "cases side by side", parseCount, 2)
  .option("--junit <file>", "also write JUnit XML")
  .option("--json", "print JSON instead of the table")
  .addHelpText("after", checkHelp())
  .action(async (words: string[], options: CheckCommandOptions) => {
    const { checkCommand } = await import("./command/check.ts");
    process.exitCode = await checkCommand(words, options, process.argv.includes("--"));
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function standaloneHelp(): string {
  return `
A worker file to begin with:
  bootstrap.servers=embedded:/tmp/bulkhead-log
  plugin.path=/path/to/plugins
  key.converter=org.apache.kafka.connect.storage.StringConverter
  value.converter=org.apache.kafka.connect.storage.StringConverter

Exit status: 0 stopped well, ${exitUsage} wrong usage, ${exitConfig} a config that cannot be used, ${exitStart} anything else.`;
}

function checkHelp(): string {
  return `
For example:
  bulkhead check plugins/file
  bulkhead check --config lines.properties -- python3 plugin.py

A setup file, conformance.json beside plugin.json, tells how to run each class; \${scratch} is a folder
that lives as long as one case:
  {"example.Counter": {"config": {"topic": "t"}, "files": {}, "situations": {"tooLarge": {"config": {}}}}}

Exit status: 0 every clause that could be judged is kept, 1 one is not, 2 the check could not begin.`;
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function parseCount(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 1 to 99.");
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError(
    "It must be a number of seconds above 0, for example --for 10, and at most a day.",
  );
}

/** What is wrong and what to do, for a person; the stack only for what is our own fault. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // For `check` 1 means that a clause is not kept.
    const usage = process.argv[2] === "check" ? exitConfig : exitUsage;
    return error.exitCode === 0 ? 0 : usage;
  }
  if (!(error instanceof HostError)) {
    process.stderr.write(`bulkhead: ${error instanceof Error ? error.stack : String(error)}\n`);
    return exitStart;
  }
  const line = errorLine(error);
  process.stderr.write(`bulkhead: ${line}\n`);
  const problems = error instanceof ConfigError ? error.problems : [];
  for (const { message } of problems) {
    if (!line.includes(message)) process.stderr.write(`  ${message}\n`);
  }
  const hint = errorHint(error);
  if (hint !== undefined) process.stderr.write(`  hint: ${hint}\n`);
  return error instanceof ConfigError ? exitConfig : exitStart;
}
