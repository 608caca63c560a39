/** Asks a running host and reads its sink file for what quickstart shows. */
import { open } from "node:fs/promises";
import type { Admin } from "../kafka/kafka.ts";
import { type ConnectorView, perSecond, type View } from "./quickstart-screen.ts";

/** What quickstart needs of a running host. */
export interface QuickstartHost {
  readonly restUrl: string;
  readonly admin: Pick<Admin, "describeTopic" | "endOffsets" | "groupOffsets">;
  /** Rejects when the host cannot go on; never resolves before `stop`. */
  readonly failed: Promise<unknown>;
  /** Drains and ends everything; a second call changes nothing. */
  stop(): Promise<void>;
}

/** Its connectors and their topic, everything that quickstart makes. */
export const made = { topic: "lines", source: "file-source", sink: "file-sink" } as const;

/** The line that quickstart appends as its nth, and nobody else. */
export function lineNumber(n: number): string {
  return `line ${n}\n`;
}

const rateSamplesMax = 12;
/** Behind the last line there can only be what came again after a kill, and what was typed. */
const endBytes = 4 * 1024 * 1024;

/** The part of Connect's status body that is shown. */
export interface Status {
  status: { connector: { state: string }; tasks: { id: number; state: string }[] };
}

/** By connector name. */
export async function statuses(host: QuickstartHost): Promise<Record<string, Status>> {
  const answer = await fetch(`${host.restUrl}/connectors?expand=status`);
  return (await answer.json()) as Record<string, Status>;
}

/** Collects the numbers of a view. */
export class Observer {
  appended = 0;
  readonly #host: QuickstartHost;
  readonly #sinkFile: string;
  readonly #begunMs = performance.now();
  readonly #samples: { atMs: number; total: number }[] = [];
  #sinkBytes = 0;
  #sinkLines = 0;
  #inTopic = 0;
  #source: ConnectorView = { name: made.source, state: "UNASSIGNED", pid: undefined };
  #sink: ConnectorView = { name: made.sink, state: "UNASSIGNED", pid: undefined };

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

  /**
   * The last line that quickstart appended is in the sink file, found by its text. What was typed
   * without a line end may stand before it in the same line.
   */
  async hasLastLine(): Promise<boolean> {
    if (this.appended === 0) return true;
    const file = await open(this.#sinkFile).catch(() => undefined);
    if (file === undefined) return false;
    try {
      const { size } = await file.stat();
      const start = Math.max(0, size - endBytes);
      const end = Buffer.alloc(size - start);
      const { bytesRead } = await file.read(end, 0, end.length, start);
      return end.subarray(0, bytesRead).includes(lineNumber(this.appended));
    } finally {
      await file.close();
    }
  }

  /** Everything in the topic has been written by the sink and confirmed. */
  async arrived(): Promise<boolean> {
    this.#inTopic = await topicEnd(this.#host.admin);
    const committed = await this.#host.admin.groupOffsets(`connect-${made.sink}`);
    const done = committed.reduce((sum, at) => sum + (at.topic === made.topic ? at.offset : 0), 0);
    return done >= this.#inTopic;
  }

  async #askHost(): Promise<void> {
    this.#inTopic = await topicEnd(this.#host.admin);
    const [all, running] = await Promise.all([statuses(this.#host), processes(this.#host)]);
    const viewOf = (name: string): ConnectorView => {
      const found = all[name]?.status;
      const state = found?.tasks[0]?.state ?? found?.connector.state ?? "UNASSIGNED";
      return { name, state, pid: running.get(name) };
    };
    this.#source = viewOf(made.source);
    this.#sink = viewOf(made.sink);
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
  const { topic } = made;
  const described = await admin.describeTopic(topic);
  if (described === undefined) return 0;
  const partitions = Array.from({ length: described.partitionCount }, (_, partition) => ({
    topic,
    partition,
  }));
  const ends = await admin.endOffsets(partitions);
  return ends.reduce((sum, end) => sum + end, 0);
}

/** The process of each connector's task, where one runs. */
async function processes({ restUrl }: QuickstartHost): Promise<Map<string, number>> {
  const answer = await fetch(`${restUrl}/bulkhead/tasks`);
  const { tasks } = (await answer.json()) as {
    tasks: { connector: string; pid: number | null }[];
  };
  return new Map(tasks.flatMap(({ connector, pid }) => (pid === null ? [] : [[connector, pid]])));
}
