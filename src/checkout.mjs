#!/usr/bin/env node
/**
 * Runs Bulkhead from a checkout: installs what is missing, builds what changed, then runs the command
 * named first. Plain JavaScript without dependencies, because it runs before there are any. Nothing
 * here writes to stdout, which belongs to the command.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const sdk = join("sdk", "typescript");
const sdkBundle = ["sdk-bundle.mjs", "descriptor-module.mjs"];
const inRoot = (...parts) => join(root, ...parts);

const commands = {
  bulkhead: { built: true, run: (args) => runHost(args) },
  quickstart: { built: true, run: (args) => runHost(["quickstart", ...args]) },
  build: { built: true, run: () => 0 },
  prepack: { built: true, run: () => changePackageFiles("addPackageFiles") },
  postpack: { built: false, run: () => changePackageFiles("removePackageFiles") },
  test: { built: false, run: (args) => runScript("test/run.ts", args) },
  "generate-python": { built: false, run: (args) => runScript("test/harness/python-gen.ts", args) },
  "generate-go": { built: false, run: (args) => runScript("test/harness/go-gen.ts", args) },
  chaos: { built: true, run: (args) => runScript("test/fault/chaos.ts", args) },
  bench: { built: true, run: (args) => runScript("test/bench/bench.ts", args) },
};

const [name, ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name ?? "") ? commands[name] : undefined;
if (command === undefined) {
  fail(`usage: node src/checkout.mjs ${Object.keys(commands).join("|")} [arguments]`);
}
checkNode();
await underLock(() => {
  install();
  if (command.built) build();
});
const status = await command.run(args);
if (status !== undefined) process.exitCode = status;

/** Ends with one sentence for a person. */
function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function checkNode() {
  const wanted = JSON.parse(readFileSync(inRoot("package.json"), "utf8")).engines.node;
  const [major, minor] = wanted
    .replace(/[^\d.]/g, "")
    .split(".")
    .map(Number);
  const [haveMajor, haveMinor] = process.versions.node.split(".").map(Number);
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return;
  fail(
    `bulkhead needs Node ${major}.${minor} or newer and this is Node ${process.versions.node} ` +
      `(${process.execPath}): install a newer one, for example from https://nodejs.org`,
  );
}

/** Two commands in one checkout must not install or build on top of each other. */
async function underLock(work) {
  const file = inRoot(".tools", "checkout.lock");
  mkdirSync(inRoot(".tools"), { recursive: true });
  let told = false;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!holderAlive(file)) rmSync(file, { force: true });
    else if (!told) say("waiting for another command in this checkout to install or build …");
    told = true;
    await sleep(100);
  }
  const release = () => rmSync(file, { force: true });
  process.on("exit", release);
  try {
    work();
  } finally {
    release();
    process.off("exit", release);
  }
}

function holderAlive(file) {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    // Empty for the instant between its creation and its first byte.
    if (pid === 0) return Date.now() - statSync(file).mtimeMs < 2_000;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function install() {
  const lockFile = inRoot("package-lock.json");
  const stampFile = inRoot("node_modules", ".bulkhead-installed");
  const hash = createHash("sha256").update(readFileSync(lockFile));
  const stamp = hash.update(`${process.platform} ${process.arch}`).digest("hex");
  if (readIfThere(stampFile) === stamp) return;
  // Somebody ran npm by hand: npm writes this file last, so it tells of a whole installation.
  const npmOwn = inRoot("node_modules", ".package-lock.json");
  const byHand =
    !existsSync(stampFile) &&
    existsSync(npmOwn) &&
    statSync(npmOwn).mtimeMs >= statSync(lockFile).mtimeMs;
  if (!byHand) {
    say("installing dependencies (npm ci) …");
    const npm = process.env.npm_execpath;
    const ci = ["ci", "--include=dev", "--loglevel=error"];
    const [program, argv] =
      npm !== undefined && basename(npm).startsWith("npm")
        ? [process.execPath, [npm, ...ci]]
        : ["npm", ci];
    const status = runToStderr(program, argv);
    if (status !== 0) fail("npm ci failed: see above, then run the same command again");
  }
  writeFileSync(stampFile, stamp);
}

function build() {
  // Of an `npm pack` that was broken off: an old copy of the SDK would hide the real one.
  rmSync(inRoot("plugins", "node_modules"), { recursive: true, force: true });
  const plugins = readdirSync(inRoot("plugins")).map((plugin) => join("plugins", plugin));
  const projects = [sdk, "src", ...plugins].filter(hasSources);
  const outputs = projects.map((project) => (project === "src" ? "dist" : join(project, "dist")));
  const stampFile = inRoot("dist", ".built");
  const stamp = fingerprint(projects);
  const whole = outputs.every((output) => existsSync(inRoot(output)));
  if (whole && readIfThere(stampFile) === stamp) return;
  say("building …");
  rmSync(stampFile, { force: true });
  const tsc = inRoot("node_modules", "typescript", "bin", "tsc");
  // tsc keeps its notes beside the configs and would not see that an output folder was removed.
  const force = whole ? [] : ["--force"];
  if (runToStderr(process.execPath, [tsc, "-b", ...force, ...projects]) !== 0) {
    fail("the build failed: see above");
  }
  if (
    projects.includes(sdk) &&
    runToStderr(process.execPath, [inRoot("src", sdkBundle[0])]) !== 0
  ) {
    fail("the SDK's bundle failed: see above");
  }
  writeFileSync(stampFile, stamp);
}

function hasSources(project) {
  if (!existsSync(inRoot(project, "tsconfig.json"))) return false;
  return project === "src" || existsSync(inRoot(project, "src"));
}

/** Changes whenever a file that the build reads was written, added or removed. */
function fingerprint(projects) {
  const hash = createHash("sha256").update(readFileSync(inRoot("package-lock.json")));
  const add = (path) => {
    const stat = statSync(path);
    hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`);
  };
  add(inRoot("tsconfig.json"));
  if (projects.includes(sdk)) for (const file of sdkBundle) add(inRoot("src", file));
  for (const project of projects) {
    add(inRoot(project, "tsconfig.json"));
    const folder = project === "src" ? inRoot("src") : inRoot(project, "src");
    for (const file of readdirSync(folder, { recursive: true }).sort()) {
      if (file.endsWith(".ts") && !file.endsWith(".test.ts")) add(join(folder, file));
    }
  }
  return hash.digest("hex");
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

function runToStderr(program, argv) {
  const { status, error } = spawnSync(program, argv, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error !== undefined) fail(`cannot run ${program}: ${error.message}`);
  return status ?? 1;
}

/** In this very process: signals, stdio, exit status and start-up time are then the command's own. */
async function runHost(argv) {
  const main = inRoot("dist", "main.js");
  process.argv = [process.execPath, main, ...argv];
  await import(pathToFileURL(main).href);
}

/** For npm, before and after it makes a package of this checkout. */
async function changePackageFiles(change) {
  const packaging = await import("./packaging/package-files.mjs");
  packaging[change](root);
}

/** A TypeScript program of this checkout, in a process that can load it. */
function runScript(file, argv) {
  if (!existsSync(inRoot(file))) fail(`this checkout has no ${file}: nothing to run`);
  const loader = pathToFileURL(inRoot("node_modules", "tsx", "dist", "loader.mjs")).href;
  const child = spawn(process.execPath, ["--import", loader, inRoot(file), ...argv], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal's Ctrl-C reaches the child by itself, and twice may mean "at once".
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve) => {
    child.on("error", (error) => fail(`cannot run ${file}: ${error.message}`));
    child.on("exit", (status, signal) => {
      resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
