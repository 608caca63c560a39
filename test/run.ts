/**
 * `npm test`: every suite in order, a line each. A static check counts as one test; a suite that needs
 * something this machine lacks counts as one skipped and says what. Arguments choose suites by name;
 * any other argument keeps only the test files whose path contains it.
 */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { goMissing } from "./harness/go.ts";
import { Broker, sharedBrokerOptions, startBroker } from "./harness/kafka/broker.ts";
import { kafkaJars } from "./harness/kafka/kafka-jars.ts";
import { otherNode, runTests } from "./harness/other-node.ts";
import { pythonEnvironment } from "./harness/python.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules", ".bin", name);

interface Result {
  passed: number;
  failed: number;
  /** Why, for each test or suite that was not run. */
  skipped: string[];
  /** What went wrong, in full. */
  output: string;
}

interface Suite {
  name: string;
  run: () => Promise<Result>;
}

/** Longer than any test file may take; a hung one is ended and counted as failed. */
const fileMsMax = 480_000;

const unitFolders = ["src", "sdk", "plugins"];
/** Unit tests that are about processes of the shell's, whatever the Node: not run again under other versions. */
const onceFolder = join("plugins", "stdio", "test") + sep;
/** Folders of the end-to-end suite whose files share processes, as unit tests do. */
const smallFolders = ["control", "fuzz", "property", "task"];

const suites: Suite[] = [
  check("format and lint", () => command(bin("biome"), ["check", "--error-on-warnings", "."])),
  check("proto lint", () => command(bin("buf"), ["lint"])),
  check("proto frozen", frozenUnbroken),
  check("generated code", generatedUnchanged),
  check("build", () => command(process.execPath, [join(root, "src", "checkout.mjs"), "build"])),
  check("types", () => command(bin("tsc"), ["-p", "tsconfig.json"])),
  tests("unit", unitFolders, 2, nothingLacks, together),
  unitOn(22),
  unitOn(24),
  // Of three, two cores were idle a quarter of the time: much of a test is waiting for a process.
  tests("end to end", ["test"], 4, nothingLacks, smallTogether),
  kafka(["test"], 2),
  tests("python", ["test/python"], 3, async () => (await pythonEnvironment()).missing),
  tests("go", ["test/go"], 3, goMissing),
];

await main();

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const named = suites.filter((suite) => words.includes(suite.name));
  const chosen = named.length > 0 ? named : suites;
  if (!existsSync(join(root, "dist", "main.js")) && !chosen.some(({ name }) => name === "build")) {
    // In a fresh clone a suite that is named alone has no program to try.
    await command(process.execPath, [join(root, "src", "checkout.mjs"), "build"]);
  }
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const suite of chosen) {
    const begun = performance.now();
    const result = await suite.run();
    passed += result.passed;
    failed += result.failed;
    skipped += result.skipped.length;
    process.stdout.write(`${line(suite.name, result, performance.now() - begun)}\n`);
    for (const reason of result.skipped) process.stdout.write(`  skipped: ${reason}\n`);
    if (result.failed > 0) process.stdout.write(`${indent(result.output)}\n`);
  }
  process.stdout.write(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

function line(name: string, { passed, failed, skipped }: Result, tookMs: number): string {
  const verdict =
    failed > 0 ? "FAILED" : passed > 0 ? "ok" : skipped.length > 0 ? "skipped" : "none";
  const counts = [
    `${passed} passed`,
    failed > 0 ? `${failed} failed` : "",
    skipped.length > 0 ? `${skipped.length} skipped` : "",
  ];
  const seconds = `${(tookMs / 1_000).toFixed(1)} s`;
  return `${verdict.padEnd(8)}${name.padEnd(17)}${seconds.padStart(8)}  ${counts.filter(Boolean).join(", ")}`;
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, "    ");
}

/** A suite of one: passes when the work resolves to undefined, fails with the text otherwise. */
function check(name: string, work: () => Promise<string | undefined>): Suite {
  return {
    name,
    run: async () => {
      const output = await work();
      const failed = output === undefined ? 0 : 1;
      return { passed: 1 - failed, failed, skipped: [], output: output ?? "" };
    },
  };
}

/** Nothing that the frozen contract has may change; what was added to it is frozen with it. */
async function frozenUnbroken(): Promise<string | undefined> {
  const image = join("proto", "v1.binpb");
  const broken = await command(bin("buf"), ["breaking", "--against", image]);
  if (broken !== undefined) return broken;
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-proto-"));
  try {
    const now = join(folder, "v1.binpb");
    const failure = await command(bin("buf"), ["build", "--exclude-source-info", "-o", now]);
    if (failure !== undefined) return failure;
    if (readFileSync(now).equals(readFileSync(join(root, image)))) return undefined;
    return `${image} does not have all of the contract: freeze what was added with npm run freeze`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function nothingLacks(): Promise<undefined> {}

/** The test files under some folders. `lacks` says what the machine would need, if it does. */
function tests(
  name: string,
  folders: string[],
  concurrency: number,
  lacks: () => Promise<string | undefined> = nothingLacks,
  group: (files: string[], groups: number) => string[] = (files) => files,
): Suite {
  return {
    name,
    run: async () => {
      const reason = await lacks();
      if (reason !== undefined) {
        return { passed: 0, failed: 0, skipped: [`${name}: ${reason}`], output: "" };
      }
      return runFiles(group(testFiles(name, folders), concurrency), concurrency);
    },
  };
}

/**
 * The test files that need a real cluster: the one at `KAFKA_BOOTSTRAP`, or else one broker for them all,
 * which hears of its end with this process if not before.
 */
function kafka(folders: string[], concurrency: number): Suite {
  const name = "kafka";
  return {
    name,
    run: async () => {
      const files = testFiles(name, folders);
      if (files.length === 0 || process.env["KAFKA_BOOTSTRAP"]) return runFiles(files, concurrency);
      const { missing } = await kafkaJars();
      if (missing !== undefined) {
        return { passed: 0, failed: 0, skipped: [`${name}: ${missing}`], output: "" };
      }
      const broker = await startBroker(sharedBrokerOptions).catch((error: unknown) => error);
      if (!(broker instanceof Broker)) {
        return { passed: 0, failed: 1, skipped: [], output: errorText(broker) };
      }
      process.env["KAFKA_BOOTSTRAP"] = broker.bootstrap;
      try {
        return await runFiles(files, concurrency);
      } finally {
        delete process.env["KAFKA_BOOTSTRAP"];
        await broker.stop();
      }
    },
  };
}

/** The unit tests under another version of Node. */
function unitOn(major: number): Suite {
  const name = `unit on Node ${major}`;
  return {
    name,
    run: async () => {
      const { program, missing } = await otherNode(major);
      if (missing !== undefined) {
        return { passed: 0, failed: 0, skipped: [`${name}: ${missing}`], output: "" };
      }
      const result: Result = { passed: 0, failed: 0, skipped: [], output: "" };
      const files = testFiles(name, unitFolders).filter((file) => !file.includes(onceFolder));
      const parts = shares(files, 2);
      for (const each of await Promise.all(parts.map((files) => runTests(program, files)))) {
        result.passed += each.passed;
        result.failed += each.failed;
        if (each.skipped > 0) result.skipped.push(`${name}: ${each.skipped}, as in unit`);
        result.output += each.output;
      }
      return result;
    },
  };
}

/**
 * A file per process, which imports its share of the test files: a process for each of them would
 * spend more than half of its time on starting.
 */
function together(files: string[], processes: number): string[] {
  const folder = join(root, ".tools", "together");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return shares(files, processes).map((share, n) => {
    const entry = join(folder, `${n}.mjs`);
    writeFileSync(entry, share.map((file) => `import ${JSON.stringify(file)};\n`).join(""));
    return entry;
  });
}

/** The small ones in two processes, behind the others, which take longest. */
function smallTogether(files: string[]): string[] {
  const folders = smallFolders.map((name) => join(root, "test", name) + sep);
  const isSmall = (file: string) => folders.some((folder) => file.startsWith(folder));
  return [...files.filter((file) => !isSmall(file)), ...together(files.filter(isSmall), 2)];
}

function shares(files: string[], count: number): string[][] {
  return Array.from({ length: count }, (_, n) =>
    files.filter((_, index) => index % count === n),
  ).filter((share) => share.length > 0);
}

function testFiles(suite: string, folders: string[]): string[] {
  const wanted = wantedPaths();
  return folders
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/[\\/](node_modules|dist)[\\/]/.test(file))
    .filter((file) => (suite === "kafka") === file.endsWith(".kafka.test.ts"))
    .filter((file) => suite === "python" || !file.includes(`${sep}test${sep}python${sep}`))
    .filter((file) => suite === "go" || !file.includes(`${sep}test${sep}go${sep}`))
    .filter((file) => wanted.length === 0 || wanted.some((word) => file.includes(word)))
    .sort();
}

/** The arguments that are not names of suites. */
function wantedPaths(): string[] {
  return process.argv.slice(2).filter((word) => !suites.some(({ name }) => name === word));
}

async function runFiles(files: string[], concurrency: number): Promise<Result> {
  const result: Result = { passed: 0, failed: 0, skipped: [], output: "" };
  if (files.length === 0) {
    // A suite that lost its files must not look like one that passed.
    return wantedPaths().length > 0 ? result : { ...result, failed: 1, output: "no test files" };
  }
  const said = new Map<string, string>();
  const failing = new Set<string>();
  const begun = new Map<string, string>();
  const hung = new Set<string>();
  for await (const event of run({ files, concurrency, timeout: fileMsMax })) {
    if (event.type === "test:stderr" || event.type === "test:stdout") {
      const { file = "", message } = event.data;
      said.set(file, ((said.get(file) ?? "") + message).slice(-20_000));
    }
    if (event.type === "test:dequeue") begun.set(caseName(event.data), event.data.file ?? "");
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, details, file = "", skip } = event.data;
    begun.delete(caseName(event.data));
    // A describe block is not a test of its own, unless something in its hooks broke.
    const cause = "error" in details ? details.error : undefined;
    if (isOnlyAParent(event.type, details.type, cause)) continue;
    const where = relative(root, file);
    if (event.type === "test:fail") {
      if (failureType(cause) === "testTimeoutFailure") hung.add(file);
      result.failed += 1;
      failing.add(file);
      result.output += `${where}: ${name}\n${indent(errorText(cause))}\n`;
    } else if (skip !== undefined) {
      result.skipped.push(`${where}: ${name}${typeof skip === "string" ? ` (${skip})` : ""}`);
    } else result.passed += 1;
  }
  for (const [name, file] of begun) {
    if (hung.has(file)) result.output += `begun and not ended: ${name}\n`;
  }
  for (const file of failing) {
    const output = said.get(file);
    if (output) result.output += `${relative(root, file)} said:\n${indent(output)}\n`;
  }
  return result;
}

function caseName({ file = "", name }: { file?: string | undefined; name: string }): string {
  return `${relative(root, file)}: ${name}`;
}

function isOnlyAParent(event: string, type: string | undefined, error: unknown): boolean {
  if (event === "test:pass") return type === "suite";
  return failureType(error) === "subtestsFailed";
}

function failureType(error: unknown): string | undefined {
  return (error as { failureType?: string } | undefined)?.failureType;
}

/** The assertion itself rather than the runner's wrapper around it. */
function errorText(error: unknown): string {
  const inner = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return inner instanceof Error ? (inner.stack ?? inner.message) : String(inner);
}

/** Undefined when it ended well, else everything it printed. */
function command(
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-200_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => resolve(`cannot run ${program}: ${error.message}`));
    child.on("close", (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(`${output}\n${program} ended with ${signal ?? `exit status ${status}`}`);
    });
  });
}

/** Generates again into an empty folder and compares byte by byte. */
async function generatedUnchanged(): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-gen-"));
  try {
    const args = ["generate", "--template", "proto/buf.gen.yaml", "--output", folder];
    const failure = await command(bin("buf"), args);
    if (failure !== undefined) return failure;
    const outputs = ["src/plugin/gen", "sdk/typescript/src/gen"];
    const differing = outputs.flatMap((output) => differences(output, folder));
    if (differing.length === 0) return undefined;
    return `${differing.join("\n")}\ngenerated code differs: run npm run generate and commit it`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function differences(output: string, freshRoot: string): string[] {
  const fresh = filesUnder(join(freshRoot, output));
  const committed = filesUnder(join(root, output));
  const names = new Set([...fresh.keys(), ...committed.keys()]);
  return [...names]
    .filter((name) => fresh.get(name) !== committed.get(name))
    .map((name) => `${output}/${name}`);
}

function filesUnder(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [relative(folder, file), readFileSync(file, "utf8")]),
  );
}
