/** The tail plugin: its own tests, the contract's kit, and lines through a host that dies with it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, copyFile, mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertKept, judge } from "../conformance/judged.ts";
import { goMissing, runGo } from "../harness/go.ts";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

const source = join(repository, "plugins", "tail");
const missing = (await goMissing()) ?? (await modulesMissing());
const skip = missing ?? false;

async function modulesMissing(): Promise<string | undefined> {
  try {
    await runGo(["mod", "download"], source);
  } catch {
    return "go could not get the modules of plugins/tail/go.mod";
  }
  return undefined;
}

/** The plugin as the README's line builds it, in a folder of its own. */
async function pluginFolder(folder: string): Promise<string> {
  const plugin = join(folder, "tail");
  await mkdir(plugin, { recursive: true });
  await runGo(["build", "-o", join(plugin, "tail"), "."], source);
  for (const name of ["plugin.json", "conformance.json"]) {
    await copyFile(join(source, name), join(plugin, name));
  }
  return plugin;
}

test("the tail plugin's own tests pass", { skip }, async () => {
  const printed = await runGo(["test", "-count=1", "."], source).catch((error) => {
    assert.fail(`${error.stdout}\n${error.stderr}`);
  });
  assert.match(printed, /^ok\s/m);
});

test("the tail plugin keeps the contract, and plugin.json is what it says of itself", {
  skip,
}, async (t) => {
  const path = await pluginFolder(await temporaryDirectory(t));
  const said = execFileSync(join(path, "tail"), ["manifest"], { encoding: "utf8" });
  const kept = await readFile(join(source, "plugin.json"), "utf8");
  assert.deepEqual(JSON.parse(kept), JSON.parse(said));
  const ids =
    "validate.types task-configs task.start task.stop source.columns source.pause source.drain source.resume";
  assertKept(await judge({ plugin: { at: "folder", path } }, ids.split(" "), 20_000), []);
});

test("every line comes, in order, when files rotate and the plugin and the host are killed", {
  skip,
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const plugins = join(directory, "plugins");
  await pluginFolder(plugins);
  const logs = join(directory, "logs");
  await mkdir(logs);
  const names = ["a.log", "b.log"];
  let written = 0;
  const write = async (count: number) => {
    const numbers = Array.from({ length: count }, (_, n) => written + n + 1);
    written += count;
    for (const name of names) {
      await appendFile(join(logs, name), numbers.map((n) => `${name} ${n}\n`).join(""));
    }
  };
  const rotate = async (to: string) => {
    for (const name of names) await rename(join(logs, name), join(logs, `${name}.${to}`));
  };
  const out = join(directory, "out.txt");
  /** Numbers of a file's lines, each where it came first. */
  const cameOf = async (name: string) => {
    const lines = (await readFile(out, "utf8").catch(() => "")).split("\n").slice(0, -1);
    return [...new Set(lines.filter((line) => line.startsWith(`${name} `)))].map((line) =>
      Number(line.slice(name.length + 1)),
    );
  };
  const allCame = (what: string) =>
    waitFor(
      async () => {
        for (const name of names) if ((await cameOf(name)).length < written) return false;
        return true;
      },
      { withinMs: 60_000, what },
    );
  const worker = {
    "plugin.path": `${plugins},${join(repository, "plugins", "file")}`,
    "restart.policy": "on-failure",
  };
  const host = await startHost({ directory, worker });
  t.after(() => host.kill());
  const tail = {
    "connector.class": "bulkhead.TailSource",
    topic: "lines",
    "tasks.max": "2",
    "poll.interval.ms": "20",
    "rotated.wait.ms": "100",
  };
  const set = (name: string, config: Record<string, string>, on = host) =>
    on.request("PUT", `/connectors/${name}/config`, config);
  const wrong = await set("tail", { ...tail, paths: "logs/*.log" });
  assert.equal(wrong.status, 400);
  assert.match(wrong.body.message, /Invalid value logs\/\*\.log .*it has to be absolute/);
  await write(500);
  for (const [name, config] of Object.entries({
    tail: { ...tail, paths: join(logs, "*.log") },
    sink: { "connector.class": "FileStreamSink", topics: "lines", file: out },
  })) {
    const { status, body } = await set(name, config);
    assert.equal(status, 201, JSON.stringify(body));
  }
  await allCame("the first lines");

  const pids = async () =>
    (await host.tasks()).filter(({ connector }) => connector === "tail").map((one) => one.pid);
  let pid: number | null | undefined;
  await waitFor(
    async () => {
      pid = (await pids())[0];
      return typeof pid === "number";
    },
    { withinMs: 30_000, what: "the plugin's process" },
  );
  await write(5_000);
  process.kill(pid as number, "SIGKILL");
  await rotate("1");
  await write(1_000);
  await allCame("the lines around the plugin's death");

  await write(1_000);
  host.kill();
  await host.exited();
  await rotate("2");
  await write(500);
  const again = await startHost({ directory, worker });
  t.after(() => again.kill());
  await allCame("the lines around the host's death");
  const expected = Array.from({ length: written }, (_, n) => n + 1);
  for (const name of names) assert.deepEqual(await cameOf(name), expected);
  assert.equal(await again.stop(), 0, again.log.slice(-30).join("\n"));
});
