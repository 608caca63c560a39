/**
 * `quickstart`: a host on the embedded log in a throw-away folder, with a file source and a file sink,
 * and lines that travel between them until somebody has seen enough.
 */
import { createWriteStream, rmSync, type WriteStream } from "node:fs";
import { appendFile, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { TaskError } from "../base/error.ts";
import type { Admin } from "../kafka/kafka.ts";
import { createLogger, type Logger } from "../observe/logger.ts";
import {
  type ConnectorView,
  introduction,
  perSecond,
  plainLine,
  screen,
  summary,
  type View,
} from "./quickstart-screen.ts";

/** What quickstart needs of a running host. */
export interface QuickstartHost {
  readonly restUrl: string;
  readonly admin: Pick<Admin, "describeTopic" | "endOffsets" | "groupOffsets">;
  /** The process that runs a task now. */
  pidOf(connector: string, task: number): number | undefined;
  /** Drains and ends everything; a second call changes nothing. */
  stop(): Promise<void>;
}

/** Starts a host from the properties of a worker file. */
export type StartQuickstartHost = (
  properties: Readonly<Record<string, string>>,
  options: { logger: Logger },
) => Promise<QuickstartHost>;

/** Where quickstart runs; a test hands in its own. */
export interface QuickstartOptions {
  readonly startHost: StartQuickstartHost;
  /** Ends by itself after this; undefined = when the signal fires. */
  readonly forMs: number | undefined;
  readonly signal: AbortSignal;
  readonly output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

const usualPort = 8083;
const topic = "lines";
const sourceName = "file-source";
const sinkName = "file-sink";
const linesPerTick = 20;
const tickMs = 100;
const refreshMs = 250;
const plainMs = 1_000;
const drainMsMax = 20_000;
const rateSamplesMax = 12;

/** Resolves when it has drained and the folder is gone. */
export async function quickstart(options: QuickstartOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bulkhead-quickstart-"));
  // For the second Ctrl-C, which waits for nothing.
  const removeAtExit = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", removeAtExit);
  const log = createWriteStream(join(folder, "host.log"));
  try {
    await inFolder(folder, log, options);
  } finally {
    await new Promise<void>((resolve) => log.end(resolve));
    await rm(folder, { recursive: true, force: true });
    process.off("exit", removeAtExit);
  }
}

async function inFolder(
  folder: string,
  log: WriteStream,
  { startHost, forMs, signal, output }: QuickstartOptions,
): Promise<void> {
  const sourceFile = join(folder, "lines.txt");
  const sinkFile = join(folder, "copy.txt");
  await writeFile(sourceFile, "");
  const port = await freePort();
  const logger = createLogger({ destination: log });
  const host = await startHost(workerProperties(folder, port), { logger });
  try {
    await create(host, sourceName, { ...fileSource, file: sourceFile, topic });
    await create(host, sinkName, { ...fileSink, file: sinkFile, topics: topic });
    const portTaken = port === usualPort ? undefined : usualPort;
    const logFile = join(folder, "host.log");
    const places = { restUrl: host.restUrl, portTaken, sourceFile, sinkFile, logFile };
    output.write(`${introduction({ ...places, source: sourceName }).join("\n")}\n`);

    const shown = new Display(output);
    const observer = new Observer(host, sinkFile);
    const limit =
      forMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(forMs)]);
    await Promise.all([
      appendLines(sourceFile, limit, observer),
      showUntil(limit, observer, shown),
    ]);
    const drained = await drain(host, observer, shown);
    const connectors = Object.keys(await statuses(host)).length;
    await host.stop();
    const view = await observer.observe();
    shown.show(view);
    if (!drained) output.write(`after ${drainMsMax / 1_000} s not every line had arrived\n`);
    output.write(`${summary({ ...view, connectors })}\n`);
  } finally {
    await host.stop();
  }
}

function workerProperties(folder: string, port: number): Record<string, string> {
  return {
    "bootstrap.servers": `embedded:${join(folder, "log")}`,
    listeners: `http://127.0.0.1:${port}`,
    "plugin.path": fileURLToPath(new URL("../../plugins", import.meta.url)),
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    "offset.storage.file.filename": join(folder, "offsets"),
    "offset.flush.interval.ms": "1000",
    "restart.policy": "on-failure",
  };
}

const fileSource = {
  "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
  "tasks.max": "1",
};

const fileSink = {
  "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
  "tasks.max": "1",
};

/** The usual port when nobody has it. */
async function freePort(): Promise<number> {
  return (await portIfFree(usualPort)) ?? (await portIfFree(0)) ?? usualPort;
}

function portIfFree(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const bound = typeof address === "object" ? address?.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}

/** Over REST, as a user would. */
async function create(host: QuickstartHost, name: string, config: object): Promise<void> {
  const answer = await fetch(`${host.restUrl}/connectors`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, config }),
  });
  const text = await answer.text();
  if (!answer.ok) {
    throw new TaskError("command.quickstart_failed", `creating connector ${name}: ${text}`);
  }
}

interface Status {
  status: { connector: { state: string }; tasks: { id: number; state: string }[] };
}

async function statuses(host: QuickstartHost): Promise<Record<string, Status>> {
  const answer = await fetch(`${host.restUrl}/connectors?expand=status`);
  return (await answer.json()) as Record<string, Status>;
}

/** Something new to read every tick, until the signal fires. */
async function appendLines(file: string, signal: AbortSignal, counts: Observer): Promise<void> {
  while (!signal.aborted) {
    let lines = "";
    for (let n = 1; n <= linesPerTick; n += 1) lines += `line ${counts.appended + n}\n`;
    await appendFile(file, lines);
    counts.appended += linesPerTick;
    await sleep(tickMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Collects the numbers of a view. */
class Observer {
  appended = 0;
  readonly #host: QuickstartHost;
  readonly #sinkFile: string;
  readonly #begunMs = performance.now();
  readonly #samples: { atMs: number; total: number }[] = [];
  #sinkBytes = 0;
  #sinkLines = 0;
  #inTopic = 0;
  #source: ConnectorView = { name: sourceName, state: "UNASSIGNED", pid: undefined };
  #sink: ConnectorView = { name: sinkName, state: "UNASSIGNED", pid: undefined };

  constructor(host: QuickstartHost, sinkFile: string) {
    this.#host = host;
    this.#sinkFile = sinkFile;
  }

  /** What can no longer be asked, because the host has stopped, stays as it was. */
  async observe(): Promise<View> {
    await this.#countSinkLines();
    await this.#askHost().catch(() => undefined);
    const runningMs = performance.now() - this.#begunMs;
    this.#samples.push({ atMs: runningMs, total: this.#inTopic });
    if (this.#samples.length > rateSamplesMax) this.#samples.shift();
    return {
      runningMs,
      appended: this.appended,
      inTopic: this.#inTopic,
      inSink: this.#sinkLines,
      linesPerSecond: perSecond(this.#samples),
      source: this.#source,
      sink: this.#sink,
    };
  }

  /** Everything in the topic has been written by the sink and confirmed. */
  async arrived(): Promise<boolean> {
    this.#inTopic = await topicEnd(this.#host.admin);
    const committed = await this.#host.admin.groupOffsets(`connect-${sinkName}`);
    const done = committed.reduce((sum, at) => sum + (at.topic === topic ? at.offset : 0), 0);
    return done >= this.#inTopic;
  }

  async #askHost(): Promise<void> {
    this.#inTopic = await topicEnd(this.#host.admin);
    const all = await statuses(this.#host);
    this.#source = this.#viewOf(sourceName, all[sourceName]);
    this.#sink = this.#viewOf(sinkName, all[sinkName]);
  }

  #viewOf(name: string, found: Status | undefined): ConnectorView {
    const state = found?.status.tasks[0]?.state ?? found?.status.connector.state ?? "UNASSIGNED";
    return { name, state, pid: this.#host.pidOf(name, 0) };
  }

  /** Reads only what is new since the last time. */
  async #countSinkLines(): Promise<void> {
    const file = await open(this.#sinkFile).catch(() => undefined);
    if (file === undefined) return;
    const buffer = Buffer.allocUnsafe(256 * 1024);
    try {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.#sinkBytes);
        if (bytesRead === 0) return;
        this.#sinkBytes += bytesRead;
        for (let at = 0; at < bytesRead; at += 1) if (buffer[at] === 0x0a) this.#sinkLines += 1;
      }
    } finally {
      await file.close();
    }
  }
}

async function topicEnd(admin: QuickstartHost["admin"]): Promise<number> {
  const described = await admin.describeTopic(topic);
  if (described === undefined) return 0;
  const partitions = Array.from({ length: described.partitionCount }, (_, partition) => ({
    topic,
    partition,
  }));
  const ends = await admin.endOffsets(partitions);
  return ends.reduce((sum, end) => sum + end, 0);
}

/** Refreshes itself on a terminal; otherwise a line now and then. */
class Display {
  readonly #output: QuickstartOptions["output"];
  #linesShown = 0;

  constructor(output: QuickstartOptions["output"]) {
    this.#output = output;
  }

  get everyMs(): number {
    return this.#output.isTTY === true ? refreshMs : plainMs;
  }

  show(view: View): void {
    if (this.#output.isTTY !== true) {
      this.#output.write(`${plainLine(view)}\n`);
      return;
    }
    const lines = screen(view, this.#output.columns ?? 80);
    const up = this.#linesShown === 0 ? "" : `\u001b[${this.#linesShown}A\u001b[0J`;
    this.#output.write(`${up}${lines.join("\n")}\n`);
    this.#linesShown = lines.length;
  }
}

async function showUntil(signal: AbortSignal, observer: Observer, shown: Display): Promise<void> {
  while (!signal.aborted) {
    shown.show(await observer.observe());
    await sleep(shown.everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Waits until every line is in the topic and the sink has confirmed it. False when it takes too long. */
async function drain(host: QuickstartHost, observer: Observer, shown: Display): Promise<boolean> {
  const until = performance.now() + drainMsMax;
  let stopped = false;
  while (performance.now() < until) {
    const view = await observer.observe();
    shown.show(view);
    if (!stopped && view.inTopic >= view.appended) {
      await fetch(`${host.restUrl}/connectors/${sourceName}/stop`, { method: "PUT" });
      stopped = true;
    }
    if (stopped && view.source.state === "STOPPED" && (await observer.arrived())) return true;
    await sleep(shown.everyMs / 4);
  }
  return false;
}
