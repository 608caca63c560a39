#!/usr/bin/env node
/** argv to a command to an exit code. Commands are loaded when they are run: a start loads little. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ConfigError, errorHint, errorLine, HostError } from "./base/error.ts";
import { productVersion } from "./base/version.ts";

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

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError(
    "It must be a number of seconds above 0, for example --for 10, and at most a day.",
  );
}

/** What is wrong and what to do, for a person; the stack only for what is our own fault. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitUsage;
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
