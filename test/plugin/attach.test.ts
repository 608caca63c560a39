/** Plugins that somebody starts by hand, as in a debugger: a real host waits for them, real ones come. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { appendFile, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { within } from "../../src/base/deadline.ts";
import { linesOf } from "../harness/bystander.ts";
import { type HostProcess, repository, startHost } from "../harness/host-process.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

const directory = mkdtempSync(join(tmpdir(), "bulkhead-attach-"));
const files = join(directory, "attach");
const fileOf = (plugin: string) => join(files, `${plugin}.json`);
const source = join(directory, "in.txt");
const sink = join(directory, "out.txt");
const heartbeatTimeoutMs = 500;
const started = new Set<ByHand>();
let host: HostProcess;
let lineCount = 0;

/** A plugin as a person starts it; its stdin is at its end from the beginning. */
class ByHand {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<unknown>;
  stderr = "";

  constructor(args: readonly string[], connect: string) {
    this.child = spawn(process.execPath, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, BULKHEAD_CONNECT: connect },
    });
    this.pid = this.child.pid as number;
    // Its last words may come after its exit.
    this.exited = once(this.child, "close");
    this.child.stderr?.on("data", (chunk) => {
      this.stderr += chunk;
    });
    started.add(this);
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
    started.delete(this);
  }
}

const startFile = (connect = fileOf("file")) =>
  new ByHand([join(repository, "plugins/file/dist/main.js")], connect);
const startHandmade = () => new ByHand([join(directory, "handmade.mjs")], fileOf("handmade"));

/** A sink without a folder. It checks its config itself, and is slower than the host's deadlines. */
const handmade = `
import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { config, run, sink } from ${JSON.stringify(join(repository, "sdk/typescript/dist/index.js"))};
run(
  sink({
    class: "handmade.Sink",
    version: "7",
    config: { file: config.string({ required: true }) },
    async validate({ config, error }) {
      await setTimeout(400);
      if (config.file === "nowhere") error("file", "there is no such place");
    },
    async start() {
      await setTimeout(400);
    },
    put(records, { config }) {
      for (const { value } of records) appendFileSync(config.file, value + "\\n");
    },
  }),
  { name: "handmade", version: "7" },
);
`;

async function states(name: string): Promise<string> {
  const { status, body } = await host.request("GET", `/connectors/${name}/status`);
  if (status !== 200) return "none";
  return [body.connector, ...body.tasks].map(({ state }) => state).join(" ");
}

async function untilStates(name: string, wanted: string): Promise<void> {
  let seen = "";
  await waitFor(
    async () => {
      seen = await states(name);
      return seen === wanted;
    },
    { withinMs: 20_000, what: `${name} to be ${wanted}` },
  ).catch((error: Error) => assert.fail(`${error.message}, not ${seen}\n${logText()}`));
}

const logText = () => host.log.slice(-40).join("\n");
const failures = () => host.log.filter((line) => / failed|FAILED/.test(line));

async function write(count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, n) => `line ${lineCount + n + 1}\n`);
  lineCount += count;
  await appendFile(source, lines.join(""));
}

/** Every line has come, in order; some perhaps twice, from where it was last committed. */
async function untilAllHere(): Promise<void> {
  const wanted = Array.from({ length: lineCount }, (_, n) => `line ${n + 1}`);
  const here = async () => [...new Set(await linesOf(sink))];
  await waitFor(async () => (await here()).length >= lineCount, {
    withinMs: 20_000,
    what: `${lineCount} lines`,
  }).catch((error: Error) => assert.fail(`${error.message}\n${logText()}`));
  assert.deepEqual(await here(), wanted);
}

async function view(plugin: string) {
  const { body } = await host.request("GET", "/bulkhead/plugins");
  return body.processes.find((one: { plugin: string }) => one.plugin === plugin);
}

before(async () => {
  await writeFile(source, "");
  await writeFile(join(directory, "handmade.mjs"), handmade);
  const connector = { name: "in", "connector.class": "FileStreamSource", topic: "lines" };
  await start([{ ...connector, file: source }]);
});

async function start(connectors: readonly Record<string, string>[]): Promise<void> {
  host = await startHost({
    directory,
    connectors,
    worker: {
      "plugin.attach": "file,handmade",
      "plugin.attach.dir": files,
      "plugin.connect.timeout.ms": "300",
      "plugin.start.timeout.ms": "300",
      "plugin.request.timeout.ms": "300",
      "plugin.heartbeat.interval.ms": "100",
      "plugin.heartbeat.timeout.ms": String(heartbeatTimeoutMs),
      "task.shutdown.graceful.timeout.ms": "1000",
      "restart.attempts.max": "0",
    },
  });
}

after(async () => {
  for (const plugin of started) plugin.child.kill("SIGKILL");
  host.kill();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

test("the host says where the files are; only its user may read them, and no log has a token", async () => {
  assert.equal((await stat(files)).mode & 0o777, 0o700);
  for (const plugin of ["file", "handmade"]) {
    assert.equal((await stat(fileOf(plugin))).mode & 0o777, 0o600);
    const launch = JSON.parse(await readFile(fileOf(plugin), "utf8"));
    const members = ["protocol", "address", "token", "max_message_bytes", "window_bytes"];
    assert.deepEqual(Object.keys(launch), members);
    assert.ok(!host.log.join("\n").includes(launch.token));
    const line = host.log.find((one) => one.includes(`plugin ${plugin} is not started but`)) ?? "";
    const { msg, address } = JSON.parse(line);
    assert.ok(msg.includes(`BULKHEAD_CONNECT=${fileOf(plugin)} `), msg);
    assert.equal(address, launch.address);
  }
});

test("while a plugin is away its connectors wait, and are checked by its plugin.json", async () => {
  await untilStates("in", "UNASSIGNED");
  const config = { "connector.class": "FileStreamSink", topics: "lines" };
  const invalid = await host.request("POST", "/connectors", {
    name: "out",
    config: { ...config, "tasks.max": "x" },
  });
  assert.equal(invalid.status, 400);
  const body = { name: "out", config: { ...config, file: sink } };
  assert.equal((await host.request("POST", "/connectors", body)).status, 201);
  await untilStates("out", "UNASSIGNED");
  const { pid, use, state, stalled } = await view("file");
  assert.deepEqual([pid, use, state, stalled], [null, "attached", "starting", false]);
});

test("one that waits is paused, stopped, resumed and restarted without its plugin", async () => {
  for (const [word, wanted] of [
    ["pause", "PAUSED"],
    ["stop", "STOPPED"],
    ["resume", "UNASSIGNED"],
  ] as const) {
    await host.request("PUT", `/connectors/out/${word}`);
    await untilStates("out", wanted);
  }
  assert.equal((await host.request("POST", "/connectors/out/restart")).status, 204);
  await untilStates("out", "UNASSIGNED");
});

test("when it comes they start, when it dies they wait, when it comes again nothing is lost", async () => {
  await write(50);
  const first = startFile();
  await untilStates("in", "RUNNING RUNNING");
  await untilStates("out", "RUNNING RUNNING");
  await untilAllHere();
  const shown = await view("file");
  assert.deepEqual([shown.pid, shown.state, shown.restarts], [first.pid, "ready", 0]);
  assert.deepEqual(shown.connectors.sort(), ["in", "out"]);

  await first.kill();
  await untilStates("in", "UNASSIGNED UNASSIGNED");
  await untilStates("out", "UNASSIGNED UNASSIGNED");
  await write(50);
  assert.match(
    (await view("file")).last_exit.text,
    /^plugin process \d+ \(file\) ended its session$/,
  );

  const second = startFile();
  await untilStates("in", "RUNNING RUNNING");
  await untilStates("out", "RUNNING RUNNING");
  await untilAllHere();
  assert.equal((await view("file")).pid, second.pid);
  assert.deepEqual(failures(), []);
});

test("the newest session ends the older one, also at a breakpoint, whose process ends itself", async () => {
  const [older] = started;
  assert.ok(older);
  older.child.kill("SIGSTOP");
  const newer = startFile();
  await waitFor(async () => (await view("file")).pid === newer.pid, { withinMs: 20_000 });
  await untilStates("in", "RUNNING RUNNING");
  await untilStates("out", "RUNNING RUNNING");
  await write(10);
  await untilAllHere();
  older.child.kill("SIGCONT");
  assert.notEqual(await within(older.exited, 20_000, "late"), "late");
  started.delete(older);
  assert.equal(older.child.exitCode, 1);
  assert.match(older.stderr, /a newer session of this plugin has taken its place/);
  assert.equal((await view("file")).pid, newer.pid);
  assert.deepEqual(failures(), []);
});

test("a breakpoint fails nothing, however long it takes", async () => {
  const [plugin] = started;
  assert.ok(plugin);
  plugin.child.kill("SIGSTOP");
  // Longer than every deadline of this host that others have.
  await write(10);
  const isLate = async () => {
    const { since_heartbeat_ms: sinceMs, stalled } = await view("file");
    return stalled && sinceMs > 4 * heartbeatTimeoutMs;
  };
  await waitFor(isLate, { withinMs: 20_000, what: "it to be stalled" });
  assert.equal(await states("in"), "RUNNING RUNNING");
  plugin.child.kill("SIGCONT");
  await untilAllHere();
  assert.equal((await view("file")).pid, plugin.pid);
  assert.deepEqual(failures(), []);
});

test("a start that stands at a breakpoint has no deadline", async () => {
  const [plugin] = started;
  assert.ok(plugin);
  plugin.child.kill("SIGSTOP");
  const restarting = host.request("POST", "/connectors", {
    name: "late",
    config: { "connector.class": "FileStreamSink", topics: "lines", file: join(directory, "late") },
  });
  await waitFor(async () => (await view("file")).since_heartbeat_ms > 1_000, { withinMs: 20_000 });
  assert.equal(await states("late"), "none");
  plugin.child.kill("SIGCONT");
  assert.equal((await restarting).status, 201);
  await untilStates("late", "RUNNING RUNNING");
  await host.request("DELETE", "/connectors/late");
  assert.deepEqual(failures(), []);
});

test("what does not stop by its deadline loses its session, not its process", async () => {
  const [plugin] = started;
  assert.ok(plugin);
  plugin.child.kill("SIGSTOP");
  await host.request("PUT", "/connectors/out/stop");
  await untilStates("out", "STOPPED");
  await untilStates("in", "UNASSIGNED UNASSIGNED");
  assert.ok(isAlive(plugin.pid), "it is somebody else's to kill");
  plugin.child.kill("SIGCONT");
  assert.notEqual(await within(plugin.exited, 20_000, "late"), "late");
  started.delete(plugin);
  await write(10);
  startFile();
  await host.request("PUT", "/connectors/out/resume");
  await untilStates("out", "RUNNING RUNNING");
  await untilAllHere();
});

test("a wrong token is refused in words, and changes nothing", async () => {
  const launch = JSON.parse(await readFile(fileOf("file"), "utf8"));
  const forged = join(directory, "forged.json");
  await writeFile(forged, JSON.stringify({ ...launch, token: `${launch.token.slice(0, -2)}AA` }));
  const stranger = startFile(forged);
  await stranger.exited;
  started.delete(stranger);
  assert.match(stranger.stderr, /the host rejected this plugin: the token is unknown/);
  const mistaken = startFile(fileOf("handmade"));
  await mistaken.exited;
  started.delete(mistaken);
  assert.match(mistaken.stderr, /this token is for plugin handmade, and it says that it is file/);
  assert.equal(await states("in"), "RUNNING RUNNING");
});

test("a plugin without plugin.json is known from when it first came", async () => {
  const config = { "connector.class": "handmade.Sink", topics: "lines" };
  const body = { name: "made", config: { ...config, file: join(directory, "made.txt") } };
  const unknown = await host.request("POST", "/connectors", body);
  assert.equal(unknown.status, 400);
  const hint = `plugin handmade is not attached: start it with BULKHEAD_CONNECT=${fileOf("handmade")}`;
  assert.ok(unknown.body.message.includes(hint), unknown.body.message);
  const { body: plugins } = await host.request("GET", "/bulkhead/plugins");
  assert.match(plugins.unusable[0].reason, /^it is not attached: start plugin handmade with/);

  const first = startHandmade();
  const classes = async () => (await host.request("GET", "/connector-plugins")).body;
  const isKnown = async () =>
    (await classes()).some((one: { class: string }) => one.class === "handmade.Sink");
  await waitFor(isKnown, { withinMs: 20_000, what: "its class" });
  const wrong = await host.request("POST", "/connectors", {
    ...body,
    config: { ...config, file: "nowhere" },
  });
  assert.equal(wrong.status, 400);
  assert.match(wrong.body.message, /there is no such place/);
  assert.equal((await host.request("POST", "/connectors", body)).status, 201);
  await untilStates("made", "RUNNING RUNNING");

  await first.kill();
  await untilStates("made", "UNASSIGNED UNASSIGNED");
  assert.ok(await isKnown());
  const path = "/connector-plugins/handmade.Sink/config/validate";
  const checked = await host.request("PUT", path, { name: "x", ...config });
  assert.equal(checked.status, 200);
  assert.equal(checked.body.error_count, 1, "what can be said without it is said");
  startHandmade();
  await untilStates("made", "RUNNING RUNNING");
});

test("the host says goodbye and takes the files with it", async () => {
  const last = [...started];
  assert.equal(last.length, 2);
  assert.equal(await host.stop(), 0, logText());
  for (const { exited, child, stderr } of last) {
    await exited;
    assert.equal(child.exitCode, 0, stderr);
    await assert.rejects(stat(fileOf("file")), { code: "ENOENT" });
    await assert.rejects(stat(fileOf("handmade")), { code: "ENOENT" });
  }
  await untilAllHere();
});

test("a connector that the log knows waits for its class", async () => {
  await start([]);
  await untilStates("made", "UNASSIGNED UNASSIGNED");
  assert.equal((await host.request("POST", "/connectors/made/restart")).status, 204);
  const waits = `waits for its plugin: no plugin has its class handmade.Sink, but one to attach may`;
  const line = () => host.log.find((one) => one.includes(waits));
  await waitFor(() => line() !== undefined, { withinMs: 20_000, what: "a line about it" });
  const told = line() ?? "";
  assert.ok(told.includes(`BULKHEAD_CONNECT=${fileOf("handmade")}`), told);
  startHandmade();
  await untilStates("made", "RUNNING RUNNING");
  assert.deepEqual(failures(), []);
  assert.equal(await host.stop(), 0, logText());
});
