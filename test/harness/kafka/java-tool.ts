/** Kafka's own command-line tools, and small Java programs against the same jars. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { waitFor } from "../wait-for.ts";
import { guard } from "./jvm.ts";
import { kafkaJars } from "./kafka-jars.ts";
import { putInPlace } from "./put-in-place.ts";

const toolMsMax = 60_000;
/** What a tool may take to leave its group and to end after SIGTERM. */
const endMsMax = 30_000;
const outputBytesMax = 64 * 1024 * 1024;

/** The tools by the names they have in Kafka's own scripts. */
const tools = {
  ConnectStandalone: "org.apache.kafka.connect.cli.ConnectStandalone",
  ConfigCommand: "kafka.admin.ConfigCommand",
  ConsoleConsumer: "org.apache.kafka.tools.consumer.ConsoleConsumer",
  ConsoleProducer: "org.apache.kafka.tools.ConsoleProducer",
  ConsumerGroupCommand: "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
  ConsumerPerformance: "org.apache.kafka.tools.ConsumerPerformance",
  DumpLogSegments: "kafka.tools.DumpLogSegments",
  GetOffsetShell: "org.apache.kafka.tools.GetOffsetShell",
  LeaderElectionCommand: "org.apache.kafka.tools.LeaderElectionCommand",
  ProducerPerformance: "org.apache.kafka.tools.ProducerPerformance",
  ReassignPartitionsCommand: "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
  StorageTool: "kafka.tools.StorageTool",
  TopicCommand: "org.apache.kafka.tools.TopicCommand",
  TransactionsCommand: "org.apache.kafka.tools.TransactionsCommand",
} as const;

/** A tool this harness knows. */
export type JavaToolName = keyof typeof tools;

/** How a program runs. */
export interface JavaRunOptions {
  /** Its stdin. */
  input?: string | Buffer;
  withinMs?: number;
  /** Fail on an exit status other than 0 (the default), or answer with it. */
  check?: boolean;
  /** Of what Kafka's classes log to stderr: "error" unless told. */
  logLevel?: "warn" | "info" | "debug";
}

/** What a program said. */
export interface JavaOutput {
  status: number | null;
  stdout: string;
  /** What Kafka's classes log too. */
  stderr: string;
  /** `stdout` as it was. */
  bytes: Buffer;
}

/** Runs a tool to its end, 1 to 3 s. @throws Error with what it said when it failed or took too long */
export async function javaTool(
  name: JavaToolName,
  args: readonly string[],
  options: JavaRunOptions = {},
): Promise<JavaOutput> {
  return runJava(name, [...(await jvmArgs()), tools[name], ...args], options);
}

/** Starts a tool that runs until it is ended; it ends with this process. Stdout and stderr are piped. */
export async function startJavaTool(
  name: JavaToolName,
  args: readonly string[],
): Promise<ChildProcess> {
  const child = spawn("java", ["-Xmx256m", ...(await jvmArgs()), tools[name], ...args]);
  guard(child);
  return child;
}

/** Ends what was started, as Ctrl-C does; kills what has not ended after a while. */
export async function endJavaTool(child: ChildProcess): Promise<void> {
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  if (ended()) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), endMsMax);
  await waitFor(ended, { withinMs: 2 * endMsMax, what: "a Java tool to end" });
  clearTimeout(timer);
}

/**
 * Compiles a Java file (its public class is named after it, in no package) against Kafka's jars, if that
 * content was not compiled before, and runs it. @throws Error with what the compiler or the program said
 */
export async function javaProgram(
  file: string,
  args: readonly string[] = [],
  options: JavaRunOptions = {},
): Promise<JavaOutput> {
  return runJava(basename(file), await programArgs(file, args), options);
}

/** Starts such a program and leaves it running; it ends with this process. All its streams are pipes. */
export async function startJavaProgram(
  file: string,
  args: readonly string[] = [],
): Promise<ChildProcess> {
  const child = spawn("java", ["-Xmx256m", ...(await programArgs(file, args))]);
  guard(child);
  return child;
}

async function jvmArgs(): Promise<string[]> {
  const { jars, missing } = await kafkaJars();
  if (jars === undefined) throw new Error(`cannot run Kafka's Java tools: ${missing}`);
  return jars.jvmArgs;
}

async function programArgs(file: string, args: readonly string[]): Promise<string[]> {
  const flags = await jvmArgs();
  const { jars } = await kafkaJars();
  const { folder, classpath } = jars!;
  const digest = createHash("sha256")
    .update(await readFile(file))
    .digest("hex")
    .slice(0, 16);
  const classes = join(folder, "programs", digest);
  if (!existsSync(classes)) await compile(file, classpath, classes);
  // The archive of classes fits a class path that begins as it did.
  const path = flags.map((flag) => (flag === classpath ? `${classpath}:${classes}` : flag));
  return [...path, basename(file, ".java"), ...args];
}

async function compile(file: string, classpath: string, into: string): Promise<void> {
  await mkdir(dirname(into), { recursive: true });
  const scratch = await mkdtemp(`${into}-`);
  try {
    await run("javac", `javac ${basename(file)}`, ["-cp", classpath, "-d", scratch, file], {});
    await putInPlace(scratch, into);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function runJava(name: string, args: string[], options: JavaRunOptions): Promise<JavaOutput> {
  const logLevel = `-Dtest.log.level=${options.logLevel ?? "error"}`;
  return run("java", name, ["-Xmx256m", logLevel, ...args], options);
}

function run(
  program: string,
  name: string,
  args: readonly string[],
  { input, withinMs = toolMsMax, check = true }: JavaRunOptions,
): Promise<JavaOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args);
    guard(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), withinMs);
    const out = collect(child.stdout);
    const err = collect(child.stderr);
    child.on("error", (error) => reject(new Error(`cannot run ${program}: ${error.message}`)));
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const bytes = out();
      const output = { status, stdout: bytes.toString(), stderr: err().toString(), bytes };
      if (status === 0 || (!check && signal === null)) return resolve(output);
      const end = signal === null ? `ended with ${status}` : `took longer than ${withinMs} ms`;
      const said = `${output.stdout.slice(-4_000)}\n${output.stderr.slice(-4_000)}`;
      reject(new Error(`${name} ${end}:\n${said}`));
    });
    // A program that does not read its input closes the pipe early.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

/** Keeps the first bytes of a stream. */
function collect(stream: NodeJS.ReadableStream): () => Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    if (length < outputBytesMax) chunks.push(chunk);
    length += chunk.length;
  });
  return () => Buffer.concat(chunks);
}
