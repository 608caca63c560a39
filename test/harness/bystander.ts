/**
 * A real host with hostile plugins, and two connectors that have nothing to do with them: lines of a
 * file go through the log into another file all the while. Around each case it checks that they did,
 * and that the case left nothing behind.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { appendFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HostProcess, repository, startHost } from "./host-process.ts";
import { type HostilePlugin, writeHostilePlugin } from "./hostile-plugin.ts";
import { inFolder, type LogPlace } from "./log-place.ts";
import { commandOf } from "./processes.ts";
import { waitFor } from "./wait-for.ts";

/** What a host may grow by in one case. */
const growthBytesMax = 64 * 1_024 * 1_024;
/** The bystanders' topic, as its place names it; hostile sinks may read it too. */
export const bystanderTopic = "bystander";

export interface FaultHostOptions {
  readonly plugins: readonly HostilePlugin[];
  readonly place?: LogPlace;
  readonly worker?: Readonly<Record<string, string>>;
}

interface Judgement {
  /** What the case leaves on purpose. */
  readonly lives?: "nothing" | "a plugin";
  /** Bytes. */
  readonly growthMax?: number;
}

/** Everything the host must not have more of after a case than before. */
interface Footprint {
  readonly processes: readonly number[];
  readonly temporary: readonly string[];
  readonly sockets: number;
}

export interface Trouble {
  readonly connector: { state: string; trace?: string };
  readonly tasks: readonly { id: number; state: string; trace?: string }[];
}

/** One for the cases of a file. Stop it at the end: that checks what can be checked only then. */
export class FaultHost {
  readonly directory: string;
  readonly pluginPath: string;
  readonly #temporary: string;
  readonly #place: LogPlace;
  readonly #worker: Readonly<Record<string, string>>;
  host!: HostProcess;
  #lines = 0;
  /** What was under way came again then, and the folder of its socket stayed. */
  #hostWasKilled = false;
  /** What was told last of each, so that an old trace does not pass for a new one. */
  readonly #told = new Map<string, string>();
  #feed: NodeJS.Timeout | undefined;
  #feeding: Promise<void> = Promise.resolve();

  private constructor({ place = inFolder, worker = {} }: FaultHostOptions) {
    this.directory = mkdtempSync(join(tmpdir(), "bulkhead-fault-"));
    this.pluginPath = join(this.directory, "plugins");
    this.#temporary = join(this.directory, "tmp");
    this.#place = place;
    this.#worker = worker;
    mkdirSync(this.#temporary);
  }

  static async start(options: FaultHostOptions): Promise<FaultHost> {
    const fault = new FaultHost(options);
    await mkdir(fault.pluginPath);
    for (const plugin of options.plugins) await writeHostilePlugin(fault.pluginPath, plugin);
    await writeFile(fault.#source, "");
    await fault.startHost();
    fault.#feed = setInterval(() => fault.#write(), 100);
    await fault.#untilMoved(await fault.#arrived());
    return fault;
  }

  get #source(): string {
    return join(this.directory, "bystander-in.txt");
  }

  get #sink(): string {
    return join(this.directory, "bystander-out.txt");
  }

  /** SIGKILL, without a word to anybody. */
  async killHost(): Promise<void> {
    this.#hostWasKilled = true;
    this.host.kill();
    await this.host.exited();
  }

  /** Again, after one has ended: it goes on where that one was. */
  async startHost(): Promise<void> {
    const file = "org.apache.kafka.connect.file.FileStream";
    this.host = await startHost({
      directory: this.directory,
      // What the host makes and what plugins start bears this folder's name.
      env: { TMPDIR: this.#temporary },
      worker: {
        "plugin.path": `${join(repository, "plugins")},${this.pluginPath}`,
        "task.shutdown.graceful.timeout.ms": "1000",
        ...(await this.#place.worker(this.directory)),
        ...this.#worker,
      },
      connectors: [
        {
          name: "bystander-in",
          "connector.class": `${file}SourceConnector`,
          file: this.#source,
          topic: this.#place.nameOf(bystanderTopic),
        },
        {
          name: this.#place.nameOf("bystander-out"),
          "connector.class": `${file}SinkConnector`,
          file: this.#sink,
          topics: this.#place.nameOf(bystanderTopic),
        },
      ],
    });
  }

  /** Runs a case and judges what it did to the others.*/
  async during<T>(
    work: () => Promise<T>,
    { lives = "nothing", growthMax = growthBytesMax }: Judgement = {},
  ): Promise<T> {
    const before = this.#footprint();
    const rssBefore = this.#rssBytes();
    const arrived = await this.#arrived();
    const result = await work();
    assert.equal(this.host.exitCode, null, `the host lives\n${this.describe()}`);
    // Since the case began; it may have been quicker than the bystanders' next line.
    await this.#untilMoved(arrived);
    let left = "";
    await waitFor(
      () => {
        left = lives === "nothing" ? leftBehind(before, this.#footprint()) : "";
        return left === "";
      },
      { withinMs: 20_000, everyMs: 100, what: "nothing to be left behind" },
    ).catch(() => assert.fail(`${left}\n${this.describe()}`));
    const grownBytes = this.#rssBytes() - rssBefore;
    assert.ok(grownBytes < growthMax, `the host grew by ${grownBytes} bytes`);
    return result;
  }

  /** The connector is made also where its start fails at once: then the answer says why. */
  async create(name: string, className: string, config: Record<string, string> = {}) {
    const body = { name, config: { "connector.class": className, ...config } };
    const { status, body: answer } = await this.host.request("POST", "/connectors", body);
    if (status === 201) return "";
    assert.equal(status, 500, JSON.stringify(answer));
    this.#told.set(`${name} connector`, String(answer.message));
    return String(answer.message);
  }

  /** Gives it another config, with which it begins again. */
  async configure(name: string, className: string, config: Record<string, string>) {
    const body = { "connector.class": className, ...config };
    const path = `/connectors/${name}/config`;
    const { status, body: answer } = await this.host.request("PUT", path, body);
    assert.equal(status, 200, JSON.stringify(answer));
  }

  async delete(name: string): Promise<void> {
    await waitFor(
      async () => (await this.host.request("DELETE", `/connectors/${name}`)).status !== 409,
      { withinMs: 20_000, what: `${name} to be deleted` },
    );
    await waitFor(
      async () => (await this.host.request("GET", `/connectors/${name}/status`)).status === 404,
      { withinMs: 20_000, what: `${name} to be gone` },
    );
  }

  async status(name: string): Promise<Trouble | undefined> {
    const { status, body } = await this.host.request("GET", `/connectors/${name}/status`);
    return status === 200 ? body : undefined;
  }

  /** The trace of the connector, or of its first failed task, once there is one (a new one). */
  async failure(name: string, who: "connector" | "task"): Promise<string> {
    let status: Trouble | undefined;
    let trace: string | undefined;
    await waitFor(
      async () => {
        status = await this.status(name);
        const place =
          who === "connector"
            ? status?.connector
            : status?.tasks.find(({ state }) => state === "FAILED");
        trace = place?.state === "FAILED" ? place.trace : undefined;
        return trace !== undefined && trace !== this.#told.get(`${name} ${who}`);
      },
      { withinMs: 20_000, everyMs: 100, what: `${name} to fail` },
    ).catch((error: Error) => {
      const seen = JSON.stringify(status);
      assert.fail(`${error.message}, its status is ${seen}\n${this.describe()}`);
    });
    this.#told.set(`${name} ${who}`, trace as string);
    return trace as string;
  }

  async running(name: string, tasks = 1): Promise<void> {
    let status: Trouble | undefined;
    await waitFor(
      async () => {
        status = await this.status(name);
        const all = [status?.connector, ...(status?.tasks ?? [])];
        return all.length === tasks + 1 && all.every((one) => one?.state === "RUNNING");
      },
      { withinMs: 20_000, everyMs: 100, what: `${name} to run` },
    ).catch((error: Error) => {
      const seen = JSON.stringify(status);
      assert.fail(`${error.message}, its status is ${seen}\n${this.describe()}`);
    });
  }

  /** Takes it through STOPPED: its tasks and its instance end and begin again. */
  async stopAndResume(name: string, outcome: "runs" | "may fail" = "runs"): Promise<void> {
    await this.host.request("PUT", `/connectors/${name}/stop`);
    await waitFor(
      async () => {
        const status = await this.status(name);
        return status?.connector.state === "STOPPED" && status.tasks.length === 0;
      },
      { withinMs: 20_000, everyMs: 100, what: `${name} to be stopped` },
    );
    await this.host.request("PUT", `/connectors/${name}/resume`);
    if (outcome === "runs") await this.running(name);
  }

  /** What of it has failed. */
  async restart(name: string): Promise<void> {
    const path = `/connectors/${name}/restart?includeTasks=true&onlyFailed=true`;
    await waitFor(async () => (await this.host.request("POST", path)).status < 300, {
      withinMs: 20_000,
      what: `${name} to be restarted`,
    });
  }

  /** How many lines the bystanders have been given. */
  get linesWritten(): number {
    return this.#lines;
  }

  /** The last lines of the host's log. */
  describe(lines = 25): string {
    return this.host.log.slice(-lines).join("\n");
  }

  /** No line of the bystanders was lost or came twice, and the host ends well. */
  async stop(): Promise<void> {
    try {
      clearInterval(this.#feed);
      await this.#feeding;
      await this.#write();
      const wanted = await linesOf(this.#source);
      await waitFor(async () => (await linesOf(this.#sink)).includes(wanted.at(-1) ?? ""), {
        withinMs: 20_000,
        what: "the bystanders' last line",
      });
      const arrived = await linesOf(this.#sink);
      assert.deepEqual(this.#hostWasKilled ? [...new Set(arrived)] : arrived, wanted);
      assert.equal(await this.host.stop(), 0, this.describe());
      const left = readdirSync(this.#temporary);
      assert.deepEqual(this.#hostWasKilled ? [] : left, [], "the host leaves nothing behind");
      assert.deepEqual(processesOf(this.#temporary), [], "no process is left");
    } finally {
      this.kill();
      rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** Also what hides from the host. */
  kill(): void {
    clearInterval(this.#feed);
    this.host.kill();
    for (const pid of processesOf(this.#temporary)) tryKill(pid);
  }

  #write(): Promise<void> {
    this.#lines += 1;
    const line = `line ${this.#lines}\n`;
    this.#feeding = this.#feeding.then(() => appendFile(this.#source, line));
    return this.#feeding;
  }

  async #untilMoved(arrived: number): Promise<void> {
    await waitFor(async () => (await this.#arrived()) > arrived, {
      withinMs: 20_000,
      what: "the bystanders to move a line",
    }).catch((error: Error) => assert.fail(`${error.message}\n${this.describe()}`));
  }

  async #arrived(): Promise<number> {
    return (await stat(this.#sink).catch(() => undefined))?.size ?? 0;
  }

  /** Of the host and of everything it ever started, wherever that went. */
  processes(): number[] {
    return processesOf(this.#temporary);
  }

  #footprint(): Footprint {
    return {
      processes: this.processes(),
      temporary: readdirSync(this.#temporary, { recursive: true }).map(String).sort(),
      sockets: unixSocketsOf(this.host.pid),
    };
  }

  #rssBytes(): number {
    const text = readFileSync(`/proc/${this.host.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) * 1_024;
  }
}

function leftBehind(before: Footprint, after: Footprint): string {
  const processes = after.processes.filter((pid) => !before.processes.includes(pid));
  const temporary = after.temporary.filter((path) => !before.temporary.includes(path));
  const sockets = after.sockets - before.sockets;
  return [
    ...processes.map((pid) => `process ${pid} (${commandOf(pid)}) is left`),
    ...temporary.map((path) => `${path} is left`),
    ...(sockets > 0 ? [`${sockets} sockets are left`] : []),
  ].join(", ");
}

/** Those with this TMPDIR: a child has its parent's, unless somebody takes care to hide it. */
function processesOf(temporary: string): number[] {
  const wanted = `TMPDIR=${temporary}`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => read(`/proc/${name}/environ`).split("\0").includes(wanted))
    .map(Number);
}

/** Pipes to children and connections of plugins; REST connections are none of them. */
function unixSocketsOf(pid: number): number {
  const unix = new Set(
    read("/proc/net/unix")
      .split("\n")
      .map((line) => line.trim().split(/\s+/)[6]),
  );
  let count = 0;
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${name}`))?.[1];
    if (inode !== undefined && unix.has(inode)) count += 1;
  }
  return count;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** The lines of a file; none while it is not there. */
export async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}
