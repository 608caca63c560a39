/** A stranger's way: `npm pack`, an empty folder, `npm install`, and no TypeScript anywhere. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { productVersion } from "../../src/base/version.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

const run = promisify(execFile);
/** Packed. */
const packageBytesMax = 2_500_000;
const cleanups: (() => Promise<void>)[] = [];

interface Packed {
  tarball: string;
  bytes: number;
  files: string[];
  checkout: string;
}
let packed: Packed;

/** An empty folder with the package in it; undefined without a registry. */
let installed: string | undefined;

before(async () => {
  const context = { after: (work: () => Promise<void>) => void cleanups.push(work) };
  packed = await pack(await temporaryDirectory(context), await temporaryDirectory(context));
  installed = await install(await temporaryDirectory(context));
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** In a copy of the checkout, because what `npm pack` adds is in the way of whoever uses the plugins. */
async function pack(checkout: string, destination: string): Promise<Packed> {
  const list = ["ls-files", "--cached", "--others", "--exclude-standard"];
  const needed = ["src", "sdk", "plugins", "proto"];
  const top = (await readdir(repository, { withFileTypes: true })).filter((one) => one.isFile());
  const places = [...needed, ...top.map(({ name }) => name)];
  const files = execFileSync("git", [...list, ...places], { cwd: repository, encoding: "utf8" });
  for (const file of files.trim().split("\n")) {
    await mkdir(dirname(join(checkout, file)), { recursive: true });
    await cp(join(repository, file), join(checkout, file), { preserveTimestamps: true });
  }
  await linkModules(checkout);
  const { stdout } = await npm(checkout, ["pack", "--json", "--pack-destination", destination]);
  const [about] = JSON.parse(stdout);
  return {
    tarball: join(destination, about.filename),
    bytes: about.size,
    files: about.files.map(({ path }: { path: string }) => path),
    checkout,
  };
}

/** As npm would have installed them, with the workspaces those of the copy. */
async function linkModules(checkout: string): Promise<void> {
  const modules = join(repository, "node_modules");
  await mkdir(join(checkout, "node_modules", "@bulkhead"), { recursive: true });
  for (const name of await readdir(modules)) {
    if (name === "@bulkhead") continue;
    await symlink(join(modules, name), join(checkout, "node_modules", name));
  }
  const link = (name: string, to: string) =>
    symlink(join("..", "..", to), join(checkout, "node_modules", "@bulkhead", name));
  await link("sdk", join("sdk", "typescript"));
}

async function install(folder: string): Promise<string | undefined> {
  await writeFile(join(folder, "package.json"), "{}");
  const options = ["--omit=dev", "--prefer-offline", "--no-audit", "--no-fund"];
  try {
    await npm(folder, ["install", ...options, packed.tarball]);
    return folder;
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED/.test(stderr)) return;
    throw error;
  }
}

/** Without what `npm test` tells its children. */
function npm(cwd: string, args: string[]) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^npm_(package|lifecycle|config_local_prefix|command)/.test(name)) delete env[name];
  }
  return run("npm", args, { cwd, env, timeout: 180_000, maxBuffer: 16 * 1_024 * 1_024 });
}

/** Where it is installed, or the test is skipped. */
function installedFor(context: TestContext): string | undefined {
  if (installed === undefined) context.skip("needs the npm registry");
  return installed;
}

test("the package holds what runs and what tells about it, and nothing else", (context) => {
  const { files, bytes } = packed;
  context.diagnostic(`${files.length} files, ${bytes} bytes packed`);
  assert.ok(bytes <= packageBytesMax, `${bytes} bytes, at most ${packageBytesMax}`);
  const shipped =
    /\.(js|js\.map|d\.ts|proto|md)$|^LICENSE$|(^|\/)package\.json$|^plugins\/[^/]+\/(plugin|conformance)\.json$|^proto\/(buf\.gen\.yaml|v1\.binpb)$|^src\/packaging\//;
  assert.deepEqual(
    files.filter((file) => !shipped.test(file) || /\.test\.|(^|\/)tests?\//.test(file)),
    [],
  );
  const needed = ["dist/main.js", "README.md", "LICENSE", "proto/bulkhead/plugin/v1/session.proto"];
  for (const name of ["file", "datagen", "blackhole"]) {
    const plugin = ["plugin.json", "conformance.json", "dist/main.js"];
    needed.push(...plugin.map((file) => `plugins/${name}/${file}`));
  }
  assert.deepEqual(
    needed.filter((file) => !files.includes(file)),
    [],
  );
});

test("every source map of the package holds its sources", async () => {
  const maps = packed.files.filter((file) => file.endsWith(".js.map"));
  assert.ok(maps.length > 100);
  for (const file of maps) {
    const path = join(packed.checkout, file.replace("plugins/node_modules/@bulkhead/sdk", sdk));
    const { sources, sourcesContent } = JSON.parse(await readFile(path, "utf8"));
    assert.equal(sourcesContent?.length, sources.length, file);
  }
});
const sdk = join("sdk", "typescript");

test("packing leaves nothing behind in the checkout", async () => {
  const names = await readdir(join(packed.checkout, "plugins"));
  assert.ok(!names.includes("node_modules"), names.join(" "));
});

test("it is installed without TypeScript and says its version", async (context) => {
  const folder = installedFor(context);
  if (folder === undefined) return;
  const modules = await readdir(join(folder, "node_modules"));
  const tooling = ["typescript", "tsx", "esbuild", "@bulkhead"];
  assert.deepEqual(
    tooling.filter((name) => modules.includes(name)),
    [],
  );
  const { stdout } = await run("npx", ["--no-install", "bulkhead", "--version"], { cwd: folder });
  assert.equal(stdout.trim(), productVersion);
});

test("its quickstart moves records", async (context) => {
  const folder = installedFor(context);
  if (folder === undefined) return;
  const program = join(folder, "node_modules", ".bin", "bulkhead");
  const { stdout } = await run(program, ["quickstart", "--for", "2"], { cwd: folder });
  const summary = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  assert.ok(summary.records_in > 0, stdout);
  assert.equal(summary.records_out, summary.records_in);
});

test("its standalone worker runs the plugins that come with it", async (context) => {
  const folder = installedFor(context);
  if (folder === undefined) return;
  const properties = (name: string, settings: Record<string, string>) => {
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    return writeFile(join(folder, name), lines.join(""));
  };
  const converter = "org.apache.kafka.connect.storage.StringConverter";
  await properties("worker.properties", {
    "bootstrap.servers": "embedded:./data",
    "plugin.path": "node_modules/bulkhead/plugins",
    "key.converter": converter,
    "value.converter": converter,
    listeners: "http://127.0.0.1:0",
  });
  const lines = { "connector.class": "FileStreamSource", file: "lines.txt", topic: "lines" };
  await properties("source.properties", {
    name: "lines",
    ...lines,
    file: join(folder, lines.file),
  });
  const copy = join(folder, "copy.txt");
  const sink = { "connector.class": "FileStreamSink", file: copy, topics: "lines" };
  await properties("sink.properties", { name: "copy", ...sink });
  const text = Array.from({ length: 500 }, (_, n) => `line ${n}\n`).join("");
  await writeFile(join(folder, "lines.txt"), text);

  const program = join(folder, "node_modules", ".bin", "bulkhead");
  const files = ["worker.properties", "source.properties", "sink.properties"];
  const child = spawn(program, ["standalone", ...files], { cwd: folder, stdio: "pipe" });
  context.after(() => void child.kill("SIGKILL"));
  let output = "";
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = once(child, "exit");
  const copied = async () => (await readFile(copy, "utf8").catch(() => "")) === text;
  await waitFor(async () => (await copied()) || child.exitCode !== null, {
    withinMs: 30_000,
    what: `${basename(copy)} to hold every line`,
  });
  assert.ok(await copied(), output);
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null], output);
});
