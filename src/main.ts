#!/usr/bin/env node
/** argv to a command to an exit code. Commands are loaded when they are run: a start loads little. */
import { Command, CommanderError } from "commander";
import { ConfigError, errorLine, HostError } from "./base/error.ts";
import { productVersion } from "./base/version.ts";

/** Connect's exit codes: 1 = wrong usage, 2 = a config cannot be used, 3 = the start failed. */
const exitUsage = 1;
const exitConfig = 2;
const exitStart = 3;

const program = new Command("bulkhead")
  .description("A Kafka Connect-compatible host whose connectors run as plugin processes")
  .version(productVersion)
  .showHelpAfterError()
  .exitOverride();

program
  .command("standalone")
  .description(
    "run a worker by itself, with the connectors of the files given and those of its log",
  )
  .argument("<worker.properties>", "the worker's config, as for Kafka Connect's connect-standalone")
  .argument("[connector...]", "connector files: properties, or JSON with name and config")
  .action(async (worker: string, connectors: string[]) => {
    const { standalone } = await import("./command/standalone.ts");
    await standalone(worker, connectors);
  });

program
  .command("quickstart")
  .description("watch lines of a file travel through two plugin processes and a throw-away log")
  .option("--for <seconds>", "end by itself after that time")
  .action(async (options: { for?: string }) => {
    const { quickstart } = await import("./command/quickstart.ts");
    await quickstart(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** One line for a person; the stack only for what is our own fault. */
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
  if (error.hint !== undefined) process.stderr.write(`  hint: ${error.hint}\n`);
  return error instanceof ConfigError ? exitConfig : exitStart;
}
