/** A plugin that is one executable file, in a real host: dropped, asked once, changed, hostile. */
import assert from "node:assert/strict";
import {
  appendFile,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { openPluginFolders } from "../../src/plugin/plugin-folders.ts";
import { bareNode, dropProgram } from "../harness/bare-plugin.ts";
import {
  type HostProcess,
  repository,
  startHost,
  temporaryDirectory,
} from "../harness/host-process.ts";
import { rawHost } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

interface Place {
  readonly directory: string;
  readonly plugins: string;
  readonly cache: string;
  readonly launches: string;
  host(worker?: Record<string, string>): Promise<HostProcess>;
}

async function place(t: TestContext): Promise<Place> {
  const directory = await temporaryDirectory(t);
  const plugins = join(directory, "bare");
  const cache = join(directory, "cache");
  await mkdir(plugins);
  return {
    directory,
    plugins,
    cache,
    launches: join(directory, "launches"),
    host: async (worker = {}) => {
      const path = `${plugins},${join(repository, "plugins")}`;
      const settings = { "plugin.path": path, "plugin.cache.dir": cache, ...worker };
      const host = await startHost({ directory, worker: settings });
      t.after(() => host.kill());
      return host;
    },
  };
}

async function lines(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").slice(0, -1);
}

async function listed(host: HostProcess, className: string): Promise<string[]> {
  const { body } = await host.request("GET", "/connector-plugins");
  const found = body.filter((one: { class: string }) => one.class === className);
  return found.map(({ version }: { version: string }) => version);
}

/** A look waits for a program a few seconds only, so on a busy machine it may take more than one. */
function untilListed(host: HostProcess, className: string, versions: string[]): Promise<void> {
  return waitFor(async () => isDeepStrictEqual(await listed(host, className), versions), {
    withinMs: 30_000,
    what: `${className} to be listed as ${versions}`,
  });
}

function refusals(host: HostProcess): Map<string, string> {
  const told = host.log
    .filter((line) => line.includes('"a plugin cannot be used"'))
    .map((line) => JSON.parse(line));
  return new Map(told.map(({ path, reason }) => [path, reason]));
}

const className = "example.BareSink";

test("a program dropped into a running host is listed at the next look, runs, and stands beside its next version", async (t) => {
  const { directory, plugins, launches, host: start } = await place(t);
  const host = await start();
  const input = join(directory, "input");
  await writeFile(input, "one\n");
  const source = { "connector.class": "FileStreamSource", file: input, topic: "lines" };
  assert.equal((await host.request("PUT", "/connectors/in/config", source)).status, 201);
  assert.deepEqual(await listed(host, className), []);

  await dropProgram(join(plugins, "bare-1.mjs"), bareNode({ className, version: "1.0", launches }));
  await untilListed(host, className, ["1.0"]);
  const { body: keys } = await host.request("GET", `/connector-plugins/${className}/config`);
  const own = keys.filter(({ name }: { name: string }) => name === "file" || name === "pace");
  assert.deepEqual(
    own.map((key: Record<string, unknown>) => [key["name"], key["required"], key["default_value"]]),
    [
      ["file", true, null],
      ["pace", false, "5"],
    ],
  );
  const sink = (extra: object) => ({ "connector.class": className, topics: "lines", ...extra });
  const wrong = await host.request("PUT", `/connector-plugins/${className}/config/validate`, {
    name: "x",
    ...sink({ file: "nowhere", pace: "0" }),
  });
  const errors = wrong.body.configs.flatMap(
    (one: { value: { errors: string[] } }) => one.value.errors,
  );
  assert.deepEqual(errors.sort(), [
    "Invalid value 0 for configuration pace: Value must be at least 1",
    "there is no such place",
  ]);

  const older = join(directory, "older");
  await host.request("PUT", "/connectors/older/config", sink({ file: older }));
  await waitFor(async () => (await lines(older)).includes("1.0 one"), { withinMs: 20_000 });

  await dropProgram(join(plugins, "bare-2.mjs"), bareNode({ className, version: "2.0", launches }));
  await untilListed(host, className, ["1.0", "2.0"]);
  const newest = join(directory, "newest");
  const pinned = join(directory, "pinned");
  await host.request("PUT", "/connectors/newest/config", sink({ file: newest }));
  const range = { "connector.plugin.version": "[1.0,2.0)" };
  await host.request("PUT", "/connectors/pinned/config", sink({ file: pinned, ...range }));
  await waitFor(async () => (await lines(newest)).includes("2.0 one"), { withinMs: 20_000 });
  await waitFor(async () => (await lines(pinned)).includes("1.0 one"), { withinMs: 20_000 });
  const none = await host.request(
    "PUT",
    "/connectors/none/config",
    sink({ file: "x", "connector.plugin.version": "3.0" }),
  );
  assert.equal(none.status, 400);
  assert.match(none.body.message, /version range \[3.0,3.0\], available versions: \[1.0, 2.0\]/);

  // Its process is called what it calls itself, also the one that was launched to ask it that.
  const { processes } = (await host.request("GET", "/bulkhead/plugins")).body;
  const { plugin, version } = processes.find(
    ({ connectors }: { connectors: string[] }) => connectors[0] === "newest",
  );
  assert.deepEqual({ plugin, version }, { plugin: "bare", version: "2.0" });

  // What is removed is gone from the list; what runs of it goes on.
  await rm(join(plugins, "bare-2.mjs"));
  assert.deepEqual(await listed(host, className), ["1.0"]);
  await appendFile(input, "two\n");
  await waitFor(async () => (await lines(newest)).includes("2.0 two"), { withinMs: 20_000 });
  assert.equal(await host.stop(), 0);
});

test("the next start runs nothing; a changed program, or a broken note of it, is asked again", async (t) => {
  const { plugins, cache, launches, host: start } = await place(t);
  const path = join(plugins, "bare.mjs");
  await dropProgram(path, bareNode({ className, version: "1.0", launches }));
  const run = async (look: (host: HostProcess) => Promise<void>) => {
    const host = await start();
    await look(host);
    assert.equal(await host.stop(), 0);
  };
  await run((host) => untilListed(host, className, ["1.0"]));
  assert.equal((await lines(launches)).length, 1);
  await run(async (host) => {
    await untilListed(host, className, ["1.0"]);
    assert.equal((await lines(launches)).length, 1, "it was run although nothing has changed");
    await dropProgram(path, bareNode({ className, version: "1.1", launches }));
    await untilListed(host, className, ["1.1"]);
  });
  assert.deepEqual(await lines(launches), ["1.0", "1.1"]);
  for (const name of await readdir(cache)) await writeFile(join(cache, name), "{");
  await run((host) => untilListed(host, className, ["1.1"]));
  assert.deepEqual(await lines(launches), ["1.0", "1.1", "1.1"]);
});

test("programs that hang, crash or are no plugins are listed with the reason, and the others work", async (t) => {
  const { directory, plugins, cache, launches, host: start } = await place(t);
  const at = (name: string) => join(plugins, name);
  await dropProgram(at("crashes"), "#!/bin/sh\necho no licence found >&2\nexit 3\n");
  await dropProgram(at("hangs"), "#!/bin/sh\nexec sleep 600\n");
  await dropProgram(at("prints"), "#!/bin/sh\necho hello\necho world\n");
  await copyFile("/bin/true", at("true"));
  await dropProgram(at("words"), "rm -rf nothing\n");
  await dropProgram(at("bare.mjs"), bareNode({ className, version: "1.0", launches }));
  const host = await start({ "plugin.connect.timeout.ms": "6000" });
  const input = join(directory, "input");
  await writeFile(input, "one\n");
  const source = { "connector.class": "FileStreamSource", file: input, topic: "lines" };
  assert.equal((await host.request("PUT", "/connectors/in/config", source)).status, 201);
  await untilListed(host, className, ["1.0"]);
  const output = join(directory, "output");
  const sink = { "connector.class": className, topics: "lines", file: output };
  assert.equal((await host.request("PUT", "/connectors/out/config", sink)).status, 201);
  await waitFor(async () => (await lines(output)).includes("1.0 one"), { withinMs: 20_000 });
  await waitFor(() => refusals(host).size === 5, { withinMs: 20_000, what: "five reasons" });
  const lineOf = (text: string) => host.log.findIndex((line) => line.includes(text));
  assert.ok(
    lineOf(`"url":"${host.restUrl}`) < lineOf("did not say hello within"),
    "the start waited for the one that hangs",
  );
  const reasons = refusals(host);
  assert.match(
    reasons.get(at("crashes")) ?? "",
    /code 3 before it said hello[\s\S]*no licence found/,
  );
  assert.match(reasons.get(at("hangs")) ?? "", /did not say hello within 6000 ms/);
  assert.match(reasons.get(at("prints")) ?? "", /before it said hello/);
  assert.match(reasons.get(at("true")) ?? "", /before it said hello/);
  assert.match(reasons.get(at("words")) ?? "", /is not a program/);
  assert.equal(await host.stop(), 0);

  // A connector of the log whose plugin has to be asked first waits for it and does not fail.
  for (const name of ["crashes", "hangs", "prints", "true", "words"]) await rm(at(name));
  await rm(cache, { recursive: true });
  const again = await start();
  await again.waitForState("out", "RUNNING");
  assert.ok(!again.log.some((line) => line.includes("Failed to find any class")));
  assert.equal(await again.stop(), 0);
});

test("a program that is still open for writing is asked when it is whole", async (t) => {
  const { plugins, cache, launches } = await place(t);
  const { processes, log } = await rawHost(t);
  const failures: unknown[] = [];
  const folders = await openPluginFolders({
    paths: [plugins],
    cacheDirectory: cache,
    logger: log.logger,
    settleMs: 20,
    describe: async (plugin, signal) => {
      try {
        return await processes.describe(plugin, signal);
      } catch (error) {
        failures.push(error);
        throw error;
      }
    },
  });
  t.after(() => folders.close());
  const text = bareNode({ className, version: "1.0", launches });
  const file = await open(join(plugins, "bare.mjs"), "wx", 0o755);
  await file.write(text.slice(0, text.length / 2));
  await folders.look({ name: className, signal: AbortSignal.timeout(100) });
  await waitFor(() => failures.length > 0, { withinMs: 20_000, what: "it to be tried too early" });
  assert.deepEqual(folders.classes, []);
  await file.write(text.slice(text.length / 2));
  await file.close();
  await folders.look({ name: className, signal: AbortSignal.timeout(20_000) });
  assert.equal(folders.find(className)?.version, "1.0");
  assert.deepEqual(folders.unusable, []);
});
