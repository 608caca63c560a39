/** A real host as a process of its own, as a user starts it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { waitFor } from "./wait-for.ts";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
/** What `bulkhead` runs. */
export const program = join(repository, "dist", "main.js");

/** A throw-away folder that is removed when the test ends. */
export async function temporaryDirectory(context: {
  after(work: () => Promise<void>): void;
}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-test-"));
  context.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

export interface HostOptions {
  /** Its data, its config and its log go there; a second host on the same folder goes on with it. */
  readonly directory: string;
  readonly worker?: Readonly<Record<string, string>>;
  readonly connectors?: readonly Readonly<Record<string, string>>[];
  /** Over the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the command: a program that sets something up and becomes the host. */
  readonly through?: readonly string[];
}

export interface TaskView {
  readonly connector: string;
  readonly task: number;
  readonly state: string;
  readonly pid: number | null;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Starts a host and waits until its REST API answers. */
export async function startHost(options: HostOptions): Promise<HostProcess> {
  const host = await beginHost(options);
  await host.isUp();
  return host;
}

/** Starts a host that may have to wait for something before it is up. */
export async function beginHost(options: HostOptions): Promise<HostProcess> {
  const files = await writeConfigs(options);
  const own = [process.execPath, program, "standalone", ...files];
  const [first = "", ...rest] = [...(options.through ?? []), ...own];
  const child = spawn(first, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  return new HostProcess(child);
}

async function writeConfigs({ directory, worker, connectors = [] }: HostOptions) {
  const settings = {
    "bootstrap.servers": `embedded:${join(directory, "log")}`,
    "plugin.path": join(repository, "plugins"),
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    listeners: "http://127.0.0.1:0",
    "offset.flush.interval.ms": "300",
    ...worker,
  };
  const files = [join(directory, "worker.properties")];
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  await writeFile(files[0] as string, `${lines.join("\n")}\n`);
  for (const connector of connectors) {
    const file = join(directory, `${connector["name"]}.json`);
    await writeFile(file, JSON.stringify(connector));
    files.push(file);
  }
  return files;
}

export class HostProcess {
  readonly pid: number;
  /** What it printed, newest last, at most 10,000 lines. */
  readonly log: string[] = [];
  restUrl: string | undefined;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid as number;
    this.#exited = once(child, "exit");
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => this.#take(line));
    }
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  get #runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its REST API answers. @throws Error with the end of its log; then it is killed */
  async isUp(withinMs = 20_000): Promise<void> {
    try {
      await waitFor(() => this.restUrl !== undefined || this.exitCode !== null, {
        withinMs,
        what: "the host to say where its REST API is",
      });
      if (this.restUrl === undefined) throw new Error("the host ended while starting");
    } catch (error) {
      this.kill();
      throw new Error(`${(error as Error).message}\n${this.log.slice(-60).join("\n")}`);
    }
  }

  /** SIGTERM, and waits until it has drained. @throws Error with the end of its log if that takes too long */
  async stop(withinMs = 60_000): Promise<number | null> {
    this.#child.kill("SIGTERM");
    try {
      await waitFor(() => !this.#runs, { withinMs, what: "the host to end after SIGTERM" });
    } catch (error) {
      this.kill();
      throw new Error(`${(error as Error).message}\n${this.log.slice(-60).join("\n")}`);
    }
    return this.#child.exitCode;
  }

  /** SIGKILL, without a word. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async exited(): Promise<void> {
    await this.#exited;
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    // biome-ignore lint/suspicious/noExplicitAny: an answer's shape is what the assertions on it check
  ): Promise<{ status: number; body: any }> {
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { "content-type": "application/json" };
    }
    const response = await fetch(`${this.restUrl}${path}`, init);
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** @throws Error with the host's answer, unless it is made */
  async createConnector(name: string, config: object): Promise<void> {
    const { status, body } = await this.request("POST", "/connectors", { name, config });
    if (status !== 201) throw new Error(`cannot create ${name}: ${JSON.stringify(body)}`);
  }

  async tasks(): Promise<readonly TaskView[]> {
    const { body } = await this.request("GET", "/bulkhead/tasks");
    return body.tasks;
  }

  /** The pid of the plugin process that runs a connector's first task, once it has one. */
  async pidOf(connector: string): Promise<number> {
    let pid: number | null | undefined;
    await waitFor(
      async () => {
        const tasks = await this.tasks();
        pid = tasks.find((task) => task.connector === connector && task.state === "RUNNING")?.pid;
        return typeof pid === "number";
      },
      { withinMs: 30_000, what: `a running task of ${connector}` },
    );
    return pid as number;
  }

  async waitForState(connector: string, state: string): Promise<void> {
    await waitFor(
      async () => {
        const { status, body } = await this.request("GET", `/connectors/${connector}/status`);
        return (
          status === 200 &&
          body.connector.state === state &&
          body.tasks.every((task: { state: string }) => task.state === state)
        );
      },
      { withinMs: 30_000, what: `${connector} to be ${state}` },
    );
  }

  #take(line: string): void {
    if (this.log.push(line) > 10_000) this.log.shift();
    const url = /"url":"(http:[^"]+)"/.exec(line)?.[1];
    if (url !== undefined) this.restUrl = url;
  }
}
