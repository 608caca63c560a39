/**
 * A host on the embedded log in a throw-away folder, with a file source and a file sink,
 * and lines that travel between them until somebody has seen enough.
 */
import { createWriteStream, rmSync, type WriteStream } from "node:fs";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { TaskError } from "../base/error.ts";
import { type HostLog, openHostLog } from "../observe/host-log.ts";
import {
  lineNumber,
  made,
  Observer,
  type QuickstartHost,
  statuses,
} from "./quickstart-observer.ts";
import { introduction, plainLine, screen, summary, type View } from "./quickstart-screen.ts";

/** Starts a host from the properties of a worker file. */
export type StartQuickstartHost = (
  properties: Readonly<Record<string, string>>,
  options: { log: HostLog },
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
const linesPerTick = 20;
const tickMs = 100;
const refreshMs = 250;
const plainMs = 1_000;
const drainMsMax = 20_000;
/** Well over the time in which a file source looks for more. */
const quietMs = 500;

/** Resolves when it has drained and the folder is gone. */
export async function runQuickstart(options: QuickstartOptions): Promise<void> {
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
  const usualIsFree = await isFree(usualPort);
  const properties = workerProperties(folder, usualIsFree ? usualPort : 0);
  const host = await startHost(properties, { log: await openHostLog({ destination: log }) });
  try {
    await create(host, made.source, { ...fileSource, file: sourceFile, topic: made.topic });
    await create(host, made.sink, { ...fileSink, file: sinkFile, topics: made.topic });
    const portTaken = usualIsFree ? undefined : usualPort;
    const logFile = join(folder, "host.log");
    const places = { restUrl: host.restUrl, portTaken, sourceFile, sinkFile, logFile };
    output.write(`${introduction({ ...places, source: made.source }).join("\n")}\n`);

    const shown = new Display(output);
    const observer = new Observer(host, sinkFile);
    const limit = firesAfter(signal, forMs);
    const until = Promise.all([
      appendLines(sourceFile, limit, observer),
      showUntil(limit, observer, shown),
    ]);
    await Promise.race([until, host.failed]);
    const drained = await drain(host, observer, shown);
    const connectors = Object.keys(await statuses(host)).length;
    await host.stop();
    const view = await observer.observe();
    shown.show(view);
    output.write(`${summary({ ...view, connectors })}\n`);
    if (!drained) {
      throw new TaskError(
        "command.quickstart_failed",
        `after ${drainMsMax / 1_000} s not every line had arrived in the sink file`,
      );
    }
  } finally {
    await host.stop();
  }
}

/** A copy of the signal that also fires by itself. (Signals made by `AbortSignal` alone get lost.) */
function firesAfter(signal: AbortSignal, ms: number | undefined): AbortSignal {
  const limit = new AbortController();
  const timer = ms === undefined ? undefined : setTimeout(() => limit.abort(), ms);
  const stop = () => {
    clearTimeout(timer);
    limit.abort();
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return limit.signal;
}

function workerProperties(folder: string, port: number): Record<string, string> {
  return {
    "bootstrap.servers": `embedded:${join(folder, "log")}`,
    listeners: `http://127.0.0.1:${port}`,
    "plugin.path": fileURLToPath(new URL("../../plugins", import.meta.url)),
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
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

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
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

/** Something new to read every tick, until the signal fires. */
async function appendLines(file: string, signal: AbortSignal, counts: Observer): Promise<void> {
  while (!signal.aborted) {
    let lines = "";
    for (let n = 1; n <= linesPerTick; n += 1) lines += lineNumber(counts.appended + n);
    await appendFile(file, lines);
    counts.appended += linesPerTick;
    await sleep(tickMs, undefined, { signal }).catch(() => undefined);
  }
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
    if (this.#output.isTTY === true) this.refresh(view);
    else this.#output.write(`${plainLine(view)}\n`);
  }

  /** Only on a terminal, where it costs no line. */
  refresh(view: View): void {
    if (this.#output.isTTY !== true) return;
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

/**
 * Waits until everything has gone all the way. Counts would not tell: lines added by hand and records
 * that came again after a kill count too. False when it takes too long.
 */
async function drain(host: QuickstartHost, observer: Observer, shown: Display): Promise<boolean> {
  const until = performance.now() + drainMsMax;
  const quiet = new Quiet();
  let stopped = false;
  while (performance.now() < until) {
    const view = await observer.observe();
    shown.refresh(view);
    if (!stopped && quiet.heed(view) && (await observer.hasLastLine())) {
      await fetch(`${host.restUrl}/connectors/${made.source}/stop`, { method: "PUT" });
      stopped = true;
    }
    if (stopped && view.source.state === "STOPPED" && (await observer.arrived())) return true;
    await sleep(shown.everyMs / 4);
  }
  return false;
}

/** Tells when nothing has moved for a while though both connectors run. */
class Quiet {
  #seen = "";
  #sinceMs = 0;

  heed({ inTopic, inSink, source, sink }: View): boolean {
    const isRunning = source.state === "RUNNING" && sink.state === "RUNNING";
    const seen = isRunning ? [inTopic, inSink, source.pid, sink.pid].join(" ") : "";
    if (seen === "" || seen !== this.#seen) this.#sinceMs = performance.now();
    this.#seen = seen;
    return performance.now() - this.#sinceMs >= quietMs;
  }
}
