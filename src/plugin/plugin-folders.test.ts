import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { appendFile, chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { dropProgram } from "../../test/harness/bare-plugin.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { TaskError } from "../base/error.ts";
import { silentLogger } from "../observe/logger.ts";
import type { Describe } from "./bare-program.ts";
import { lookIntoFolders } from "./folder-contents.ts";
import { parseManifest } from "./manifest.ts";
import type { PluginManifest, WantedClass } from "./plugin.ts";
import { openPluginFolders, type PluginFoldersOptions } from "./plugin-folders.ts";

interface Place {
  readonly root: string;
  readonly plugins: string;
  /** The programs that were asked, by name, in order. */
  readonly asked: string[];
  open(options?: Partial<PluginFoldersOptions>): ReturnType<typeof openPluginFolders>;
}

/** Programs are shell scripts that name their class; "describing" one reads that. */
async function place(t: TestContext): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), "plugin-folders-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const plugins = join(root, "plugins");
  await mkdir(plugins);
  const asked: string[] = [];
  return {
    root,
    plugins,
    asked,
    open: async (options = {}) => {
      const folders = await openPluginFolders({
        paths: [plugins],
        cacheDirectory: join(root, "cache"),
        describe: async (plugin) => {
          asked.push(plugin.name);
          return described(plugin, `bare.${plugin.name}`);
        },
        logger: silentLogger(),
        settleMs: 20,
        ...options,
      });
      t.after(() => folders.close());
      return folders;
    },
  };
}

function described(plugin: PluginManifest, className: string, version = "1"): PluginManifest {
  const { name, command } = plugin;
  const classes = [{ class: className, kind: "sink", version }];
  const text = JSON.stringify({ name, version, command, classes });
  const parsed = parseManifest(text, plugin.directory);
  assert.equal(parsed.at, "good");
  return (parsed as { manifest: PluginManifest }).manifest;
}

async function pluginFolder(path: string, className: string, version = "1"): Promise<void> {
  await mkdir(path, { recursive: true });
  const classes = [{ class: className, kind: "sink" }];
  const manifest = { name: className, version, command: ["node"], classes };
  await writeFile(join(path, "plugin.json"), JSON.stringify(manifest));
}

const program = (path: string, text = "#!/bin/sh\n") => dropProgram(path, text);

function namesOf({ classes }: { classes: readonly { className: string; version: string }[] }) {
  return classes.map(({ className, version }) => `${className} ${version}`);
}

function reasonsOf({ unusable }: { unusable: readonly { path: string; reason: string }[] }) {
  return Object.fromEntries(unusable.map(({ path, reason }) => [path, reason]));
}

test("plugins are found in a folder's children and in the folder itself; the broken ones are listed", async (t) => {
  const { root, plugins, open } = await place(t);
  await pluginFolder(join(plugins, "one"), "a.One");
  await pluginFolder(join(plugins, "two"), "a.Two");
  await pluginFolder(join(root, "single"), "a.Single");
  await mkdir(join(plugins, "no-plugin"));
  await mkdir(join(plugins, "broken"));
  await writeFile(join(plugins, "broken", "plugin.json"), "{}");
  await mkdir(join(plugins, "unreadable", "plugin.json"), { recursive: true });
  const single = join(root, "single");
  const folders = await open({ paths: [plugins, single, single, join(root, "nowhere")] });
  assert.deepEqual(namesOf(folders), ["a.One 1", "a.Single 1", "a.Two 1"]);
  assert.equal(folders.find("One")?.plugin.directory, join(plugins, "one"));
  const reasons = reasonsOf(folders);
  assert.equal(Object.keys(reasons).length, 3);
  assert.equal(
    reasons[join(root, "nowhere")],
    "the plugin.path folder cannot be read: there is no such file or folder (ENOENT)",
  );
  assert.match(
    reasons[join(plugins, "broken", "plugin.json")] ?? "",
    /^name is missing.*; version/,
  );
  assert.equal(
    reasons[join(plugins, "unreadable", "plugin.json")],
    "it cannot be read: it is a folder (EISDIR)",
  );
});

test("each look shows what is there now: folders and executables come, change and go", async (t) => {
  const { plugins, asked, open } = await place(t);
  const folders = await open();
  assert.deepEqual(namesOf(folders), []);
  await pluginFolder(join(plugins, "folder"), "a.Folder");
  await program(join(plugins, "lone"));
  await folders.look();
  assert.deepEqual(namesOf(folders), ["a.Folder 1", "bare.lone 1"]);
  assert.deepEqual(folders.find("bare.lone")?.plugin.command, [join(plugins, "lone")]);
  await pluginFolder(join(plugins, "folder"), "a.Folder", "2");
  await program(join(plugins, "lone"), "#!/bin/sh\n# changed\n");
  await folders.look();
  assert.deepEqual(namesOf(folders), ["a.Folder 2", "bare.lone 1"]);
  assert.deepEqual(asked, ["lone", "lone"]);
  await rm(join(plugins, "folder"), { recursive: true });
  await rm(join(plugins, "lone"));
  await folders.look();
  assert.deepEqual(namesOf(folders), []);
});

test("a change that no watch has seen is seen a second later", async (t) => {
  const { root, open } = await place(t);
  // A folder that is not there cannot be watched.
  const late = join(root, "late");
  const folders = await open({ paths: [late], seenMsMin: 50 });
  await pluginFolder(join(late, "one"), "a.One");
  await waitFor(
    async () => {
      await folders.look();
      return namesOf(folders).length === 1;
    },
    { withinMs: 20_000, what: "the folder to be seen" },
  );
  assert.deepEqual(folders.unusable, []);
});

test("what was said once is not asked again by the next start, nor of a copy", async (t) => {
  const { plugins, asked, open } = await place(t);
  await program(join(plugins, "lone"));
  const first = await open();
  await first.look();
  await first.close();
  const again = await open();
  await again.look();
  assert.deepEqual(namesOf(again), ["bare.lone 1"]);
  assert.deepEqual(asked, ["lone"]);
  await program(join(plugins, "zcopy"));
  await again.look();
  assert.deepEqual(asked, ["lone"]);
  assert.equal(
    reasonsOf(again)[join(plugins, "zcopy")],
    `class bare.lone 1 is in ${join(plugins, "lone")} already, which is the one that is used`,
  );
});

test("only what is meant to be run is run", async (t) => {
  const { root, plugins, asked, open } = await place(t);
  const files: [name: string, mode: number, text: string][] = [
    ["README.md", 0o755, "# not a program"],
    ["library.so.1", 0o755, "\x7fELF"],
    [".hidden", 0o755, "#!/bin/sh\n"],
    ["notes", 0o644, "nothing to run"],
    ["words", 0o755, "touch gotcha\n"],
    ["forgotten", 0o644, "#!/bin/sh\n"],
    ["good", 0o755, "#!/bin/sh\n"],
  ];
  for (const [name, mode, text] of files) await writeFile(join(plugins, name), text, { mode });
  await mkdir(join(plugins, "folder"));
  await writeFile(join(plugins, "folder", "inside"), "#!/bin/sh\n", { mode: 0o755 });
  await program(join(root, "elsewhere"), "#!/bin/sh\n# by a link\n");
  await symlink(join(root, "elsewhere"), join(plugins, "linked"));
  await symlink(join(root, "nowhere"), join(plugins, "dangling"));
  // What lies in a plugin's own folder is that plugin's.
  await pluginFolder(join(root, "own"), "a.Own");
  await program(join(root, "own", "start"));
  const folders = await open({ paths: [plugins, join(root, "own")] });
  await folders.look();
  assert.deepEqual(asked.sort(), ["good", "linked"]);
  assert.deepEqual(reasonsOf(folders), {
    [join(plugins, "forgotten")]:
      "it is a program without execute permission; if it is a plugin, give it one with chmod +x",
    [join(plugins, "words")]:
      "it may be executed but is not a program: it begins with neither #! nor the mark of one",
  });
  await chmod(join(plugins, "forgotten"), 0o755);
  await folders.look();
  // The bytes are those of `good`, which has said already what they are.
  assert.deepEqual(asked.sort(), ["good", "linked"]);
});

test("a folder full of programs is a mistake: none of them is run", async (t) => {
  const { plugins, asked, open } = await place(t);
  for (let i = 0; i < 101; i += 1) await program(join(plugins, `p${i}`));
  const folders = await open();
  await folders.look();
  assert.deepEqual(asked, []);
  assert.match(
    reasonsOf(folders)[plugins] ?? "",
    /^it has 101 executable files.*none of them is run$/,
  );
});

test("one that cannot be described is listed with the reason, and asked again when it changes", async (t) => {
  const { plugins, open } = await place(t);
  let asked = 0;
  const describe: Describe = async (plugin) => {
    asked += 1;
    if (asked > 1) return described(plugin, "bare.Mended");
    throw new TaskError("plugin.launch_failed", "cannot start plugin lone: it exited with code 3");
  };
  await program(join(plugins, "lone"));
  const folders = await open({ describe });
  await folders.look();
  await folders.look();
  assert.equal(asked, 1);
  assert.deepEqual(reasonsOf(folders), {
    [join(plugins, "lone")]: "cannot start plugin lone: it exited with code 3",
  });
  await program(join(plugins, "lone"), "#!/bin/sh\n# mended\n");
  await folders.look();
  assert.deepEqual(namesOf(folders), ["bare.Mended 1"]);
  assert.deepEqual(folders.unusable, []);
});

test("one that hangs keeps looks waiting only for its time, and others not at all", async (t) => {
  const { plugins, open } = await place(t);
  const describe: Describe = (plugin, signal) =>
    plugin.name === "hangs"
      ? new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
        )
      : Promise.resolve(described(plugin, `bare.${plugin.name}`));
  await program(join(plugins, "hangs"));
  await program(join(plugins, "works"), "#!/bin/sh\n# works\n");
  let nowMs = 0;
  const clock = { ...systemClock, elapsedMs: () => nowMs };
  const folders = await open({ describe, askMsMax: 60_000, clock });
  const { signal } = new AbortController();
  const look = (what: string, wanted?: WantedClass) =>
    within(
      folders.look(wanted).then(() => "looked"),
      20_000,
      what,
    );
  assert.equal(await look("it waited for the one", { name: "bare.works", signal }), "looked");
  assert.equal(folders.find("works")?.className, "bare.works");
  // Of its time 300 ms are left; what is left is waited for by the machine's clock.
  nowMs += 59_700;
  const startedMs = performance.now();
  assert.equal(await look("the time began anew"), "looked");
  assert.ok(performance.now() - startedMs > 290, "a look did not wait for it");
  assert.deepEqual(reasonsOf(folders), {
    [join(plugins, "hangs")]: "it is being asked what it offers",
  });
  nowMs += 300;
  assert.equal(await look("a second look waited as well"), "looked");
  // Who needs a class that nobody else has waits until it gives up.
  const given = new AbortController();
  const waiting = folders.look({ name: "bare.hangs", signal: given.signal });
  given.abort();
  await waiting;
  await rm(join(plugins, "hangs"));
  await folders.look({ name: "bare.hangs", signal });
  assert.deepEqual(folders.unusable, []);
});

test("a file that is still being written is left alone, and kept under the digest of what was run", async (t) => {
  const { plugins, open } = await place(t);
  const path = join(plugins, "big");
  const texts: string[] = [];
  let written = "#!/bin/sh\n";
  const describe: Describe = async (plugin) => {
    texts.push(written);
    // It goes on being written while it runs: what it says is of no file that stays.
    if (texts.length === 1) await append("# a third part\n");
    return described(plugin, `bare.${createHash("sha256").update(written).digest("hex")}`);
  };
  const append = async (text: string) => {
    written += text;
    await appendFile(path, text);
  };
  // Every file is too young to be read at once, and its rests end when the test says so.
  const rests: (() => void)[] = [];
  let restless = false;
  const sleep = () => new Promise<void>((resolve) => (restless ? resolve() : rests.push(resolve)));
  await writeFile(path, written, { mode: 0o755 });
  const clock = { ...systemClock, sleep };
  const folders = await open({ describe, clock, settleMs: 60_000 });
  for (let part = 0; part < 3; part += 1) {
    await waitFor(() => rests.length === 1, {
      withinMs: 20_000,
      what: "the file to be left alone",
    });
    await append("# another part\n");
    rests.pop()?.();
  }
  await waitFor(() => rests.length === 1, { withinMs: 20_000, what: "the file to be left alone" });
  assert.deepEqual(texts, [], "it was run while it was written");
  restless = true;
  rests.pop()?.();
  await folders.look();
  assert.equal(texts.length, 2);
  assert.equal(texts[1], written);
  const digest = createHash("sha256").update(written).digest("hex");
  assert.deepEqual(namesOf(folders), [`bare.${digest} 1`]);
});

test("one that is open for writing when it shall run is tried again", async (t) => {
  const { plugins, open } = await place(t);
  let asked = 0;
  const describe: Describe = async (plugin) => {
    asked += 1;
    if (asked > 2) return described(plugin, "bare.Busy");
    const cause = Object.assign(new Error("spawn ETXTBSY"), { code: "ETXTBSY" });
    throw new TaskError("plugin.launch_failed", "cannot start plugin busy", { cause });
  };
  await program(join(plugins, "busy"));
  const folders = await open({ describe });
  await folders.look();
  assert.deepEqual(namesOf(folders), ["bare.Busy 1"]);
  assert.equal(asked, 3);
});

test("folders that do not answer hold up no look, and what is known stays", async (t) => {
  const { plugins, open } = await place(t);
  await pluginFolder(join(plugins, "one"), "a.One");
  let answers = true;
  const folders = await open({
    seenMsMin: 0,
    seeMsMax: 100,
    lookInto: (paths) => (answers ? lookIntoFolders(paths) : new Promise(() => {})),
  });
  // On a busy machine the first answer may take longer, too.
  await waitFor(() => folders.classes.length === 1, { withinMs: 20_000, what: "the plugin" });
  answers = false;
  await folders.look();
  assert.deepEqual(namesOf(folders), ["a.One 1"]);
});

test("its end ends what is being asked, and nothing is looked at after it", async (t) => {
  const { plugins, open } = await place(t);
  let ended = false;
  const describe: Describe = (_plugin, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        ended = true;
        reject(signal.reason);
      });
    });
  await program(join(plugins, "hangs"));
  const folders = await open({ describe });
  await waitFor(() => folders.unusable.length === 1, { withinMs: 20_000, what: "it to be asked" });
  const waiting = folders.look({ name: "nobody", signal: new AbortController().signal });
  await folders.close();
  await waiting;
  assert.ok(ended);
  await pluginFolder(join(plugins, "late"), "a.Late");
  await folders.look();
  assert.deepEqual(namesOf(folders), []);
});

/** Appends a line to each every few milliseconds while the work goes on. */
async function writingTo<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  const writing = setInterval(() => {
    for (const path of paths) appendFileSync(path, "\n");
  }, 5);
  try {
    return await work();
  } finally {
    clearInterval(writing);
  }
}

test("a file that is written to all the time keeps nobody waiting, whatever it is", async (t) => {
  const { plugins, open } = await place(t);
  await pluginFolder(join(plugins, "one"), "a.One");
  const data = join(plugins, "data");
  const busy = join(plugins, "busy");
  await writeFile(data, "1");
  await program(busy);
  const folders = await writingTo([data, busy], async () => {
    const opened = await open({ settleMs: 60_000, askMsMax: 300 });
    const signal = AbortSignal.timeout(20_000);
    await opened.look({ name: "a.One", signal });
    assert.equal(signal.aborted, false);
    return opened;
  });
  assert.equal(reasonsOf(folders)[data], undefined);
});

test("a class that nobody has is not waited for because of a file that never settles", async (t) => {
  const { plugins, open } = await place(t);
  const busy = join(plugins, "busy");
  await program(busy);
  // A writer with a pace of its own may be held up for longer than the file has to rest.
  const clock: Clock = {
    ...systemClock,
    async sleep(ms, signal) {
      await systemClock.sleep(ms, signal);
      await appendFile(busy, "\n");
    },
    nowMs: () => 0,
  };
  const folders = await open({ settleMs: 50, askMsMax: 100, settledMsMax: 400, clock });
  const signal = AbortSignal.timeout(20_000);
  await folders.look({ name: "a.Nobody", signal });
  assert.equal(signal.aborted, false);
  assert.match(reasonsOf(folders)[busy] ?? "", /^it has been written to for 400 ms/);
});

test("what is called plugin.json and is no file is not opened", async (t) => {
  const { plugins, open } = await place(t);
  await pluginFolder(join(plugins, "one"), "a.One");
  const pipe = join(plugins, "pipe");
  await mkdir(pipe);
  execFileSync("mkfifo", [join(pipe, "plugin.json")]);
  const folders = await open({ seeMsMax: 20_000 });
  assert.deepEqual(namesOf(folders), ["a.One 1"]);
  assert.match(reasonsOf(folders)[join(pipe, "plugin.json")] ?? "", /not a file/);
});

test("a program that changes whenever it is asked is asked a few times", async (t) => {
  const { plugins, open } = await place(t);
  const path = join(plugins, "self");
  await program(path);
  let asked = 0;
  const describe: Describe = async (plugin) => {
    asked += 1;
    appendFileSync(path, "\n");
    return described(plugin, "bare.Self");
  };
  const folders = await open({ settleMs: 2, describe });
  await folders.look({ name: "a.Nobody", signal: AbortSignal.timeout(20_000) });
  assert.equal(asked, 8);
  assert.match(reasonsOf(folders)[path] ?? "", /^it has changed each of the 8 times/);
});
