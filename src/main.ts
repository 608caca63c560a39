#!/usr/bin/env node
/** argv to a command to an exit code. Commands are loaded when they are run: a start loads little. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ConfigError, errorHint, errorLine, HostError } from "./base/error.ts";
import { productVersion } from "./base/version.ts";
import type { CheckCommandOptions } from "./command/check.ts";
import type { DlqListOptions, DlqShowOptions } from "./command/dlq.ts";
import type { DlqReplayOptions } from "./command/dlq-replay.ts";
import type { LogOptions } from "./command/log-access.ts";
import type { PreviewOptions } from "./command/preview.ts";
import type { ReadOptions } from "./command/read.ts";
import type { TopicCreateOptions, TopicListOptions } from "./command/topic.ts";
import type { TransformOptions } from "./command/transform.ts";
import type { WriteOptions } from "./command/write.ts";

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

program
  .command("transform")
  .summary("try the transforms of a connector on records")
  .description(
    "Shows records before and after the transforms of a connector, and which transform dropped one or " +
      "failed. Records are lines of JSON: whole ones as --json-lines has them, or just values.",
  )
  .argument("[connector]", "a connector file: properties, or JSON with name and config")
  .option("--records <file>", "where the records are; default: stdin")
  .option("--set <key=value>", "a key over those of the file; may be repeated", collect)
  .addOption(new Option("--kind <kind>").choices(["sink", "source"]).default("sink"))
  .option("--json-lines", "for programs: a request a line on stdin, an answer a line on stdout")
  .action(async (file: string | undefined, options: TransformOptions) => {
    const { transformCommand } = await import("./command/transform.ts");
    process.exitCode = await transformCommand(file, options);
  });

program
  .command("preview")
  .summary("see the records of a connector after each step, and write nothing")
  .description(
    "Runs the first task of a source connector in processes of its own, from the beginning, and shows " +
      "its records: as the plugin sent them, after each transform, and as they would be written. It " +
      "writes and commits nothing and acknowledges nothing to the source. Of a sink it shows the first " +
      "records of its topics, and does not start it.",
  )
  .argument("<connector>", "a connector file: properties, or JSON with name and config")
  .option("--records <count>", "end after so many records", parseRecordCount, 10)
  .option("--timeout <seconds>", "end when the task has run so long", parseSeconds, 30)
  .option(
    "--worker <worker.properties>",
    "a worker file, for plugin.path, converters, the log of sinks",
  )
  .option("--json", "print JSON, a record a line")
  .addHelpText("after", previewHelp())
  .action(async (file: string, options: PreviewOptions) => {
    const { previewCommand } = await import("./command/preview.ts");
    process.exitCode = await previewCommand(file, options);
  });

const topic = program
  .command("topic")
  .summary("list, describe, create and delete topics")
  .description("Lists, describes, creates and deletes topics of a cluster or of an embedded log.");

withLog(topic.command("list"))
  .description("Prints the names of all topics.")
  .option("--json", "print JSON")
  .action(async (options: TopicListOptions) => {
    const { listTopics } = await import("./command/topic.ts");
    await listTopics(options);
  });

withLog(topic.command("describe"))
  .description("Prints the partitions of a topic with their ends, and its settings.")
  .argument("<topic>")
  .option("--json", "print JSON")
  .action(async (name: string, options: TopicListOptions) => {
    const { describeTopic } = await import("./command/topic.ts");
    await describeTopic(name, options);
  });

withLog(topic.command("create"))
  .description("Creates a topic.")
  .argument("<topic>")
  .option("--partitions <count>", "default: the log's own", parseWhole, -1)
  .option("--replication-factor <count>", "default: the log's own", parseWhole, -1)
  .option("--setting <key=value>", "a setting of the topic; may be repeated", collect)
  .action(async (name: string, options: TopicCreateOptions) => {
    const { createTopic } = await import("./command/topic.ts");
    await createTopic(name, options);
  });

withLog(topic.command("delete"))
  .description("Deletes a topic with its records.")
  .argument("<topic>")
  .action(async (name: string, options: LogOptions) => {
    const { deleteTopic } = await import("./command/topic.ts");
    await deleteTopic(name, options);
  });

withLog(program.command("read"))
  .summary("print the records of a topic")
  .description(
    "Prints the records of a topic, a line each, with tabs between what is shown: those that are " +
      "there, or all that come until Ctrl-C.",
  )
  .argument("<topic>")
  .option("--partition <number>", "only this one", parseWhole)
  .option("--from <place>", "beginning, end, or an offset", "beginning")
  .option("--last <count>", "only the last so many of each partition", parseWhole)
  .option("--follow", "go on when the end is reached")
  .option("--limit <count>", "end after so many records", parseWhole)
  .addOption(new Option("--format <format>").choices(["text", "json", "hex"]).default("text"))
  .option("--keys", "show keys")
  .option("--headers", "show headers, name:value")
  .option("--timestamps", "show timestamps")
  .option("--offsets", "show partition:offset")
  .action(async (name: string, options: ReadOptions) => {
    const { readTopic } = await import("./command/read.ts");
    await readTopic(name, options);
  });

withLog(program.command("write"))
  .summary("write lines of stdin to a topic")
  .description("Writes each line of stdin as a record to a topic.")
  .argument("<topic>")
  .option("--key-separator <text>", "a line is a key, this text, and a value")
  .option("--null <text>", "a key or value that is just this text is null")
  .option("--partition <number>", "default: by the key", parseWhole)
  .option("--header <key=value>", "on every record; may be repeated", collect)
  .action(async (name: string, options: WriteOptions) => {
    const { writeTopic } = await import("./command/write.ts");
    await writeTopic(name, options);
  });

const dlq = program
  .command("dlq")
  .summary("list, show and replay dead letters")
  .description(
    "Looks into a topic of dead letters (errors.deadletterqueue.topic.name), and writes records back to " +
      "where they were. What went wrong is in headers that a connector writes with " +
      "errors.deadletterqueue.context.headers.enable=true.",
  );

withFilters(withLog(dlq.command("list")))
  .description("Shows the dead letters of a topic, and counts them by stage and error.")
  .argument("<topic>")
  .option("--limit <count>", "how many are shown; all are counted", parseWhole, 100)
  .option("--json", "print JSON, a letter to a line")
  .action(async (name: string, options: DlqListOptions) => {
    const { listLetters } = await import("./command/dlq.ts");
    await listLetters(name, options);
  });

withLog(dlq.command("show"))
  .description("Shows everything of one dead letter: its record, what went wrong, the whole trace.")
  .argument("<topic>")
  .argument("<place>", "PARTITION-OFFSET, as list shows it")
  .option("--json", "print JSON")
  .action(async (name: string, place: string, options: DlqShowOptions) => {
    const { showLetter } = await import("./command/dlq.ts");
    await showLetter(name, place, options);
  });

withFilters(withLog(dlq.command("replay")))
  .description(
    "Writes the records of dead letters to the topics they came from, with their own headers and times. " +
      "The letters stay: the last line says from where the next run goes on.",
  )
  .argument("<topic>")
  .option("--to <topic>", "instead of the topics they came from")
  .option("--rate <count>", "at most so many records a second", parseRate)
  .option("--limit <count>", "end after so many records", parseWhole)
  .option("--keep-partition", "to the partitions they came from; default: by the key")
  .option("--dry-run", "only show what would be written")
  .action(async (name: string, options: DlqReplayOptions) => {
    const { replayLetters } = await import("./command/dlq-replay.ts");
    await replayLetters(name, options);
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

A plugin in a debugger: plugin.attach=NAME in the worker file. The worker does not start it then;
on a terminal it prints address, token and the line to start it with, elsewhere the file with them.

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

function previewHelp(): string {
  return `
Without --worker the plugins are those that come with Bulkhead, and the converters JsonConverter.
Sinks need it: their records are read from the log that it names, in no group, from the beginning.
A source that takes its records away when it reads them, a queue say, takes them away here too.

Exit status: 0 no record failed, 1 one did or the config would be refused, ${exitConfig} a file that cannot
be used, ${exitStart} the connector or its task failed.`;
}

/** The options of every command that looks into a log. */
function withLog(command: Command): Command {
  return command
    .option("--bootstrap-server <servers>", "HOST:PORT, or embedded:FOLDER")
    .option("--config <file>", "a worker file, for bootstrap.servers and how to connect");
}

function withFilters(command: Command): Command {
  return command
    .option("--stage <name>", "only of this step, for example VALUE_CONVERTER")
    .option("--error <text>", "only where the exception's class name has this")
    .option("--message <text>", "only where the exception's message has this")
    .option("--topic <name>", "only of records from (or for) this topic")
    .option("--connector <name>", "only of this connector")
    .option("--task <number>", "only of this task")
    .option("--since <time>", "only of records from then on, ISO")
    .option("--until <time>", "only of records before then, ISO")
    .option("--from <place>", "begin at this letter, PARTITION-OFFSET");
}

function parseWhole(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number.");
}

function parseRate(text: string): number {
  const rate = parseWhole(text);
  if (rate > 0) return rate;
  throw new InvalidArgumentError("It must be at least 1.");
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function parseCount(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 1 to 99.");
}

function parseRecordCount(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 1 to 99999.");
}

function parseSeconds(text: string): number {
  const seconds = Number(text.replace(/s$/, ""));
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
