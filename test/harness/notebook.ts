/** What the sink of `test/fixtures/notebook` was given, read while it writes. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./host-process.ts";

export interface NotedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: unknown;
  readonly value: unknown;
  readonly headers: readonly (readonly [name: string, value: unknown])[];
}

export class Notebook {
  /** Of a worker that shall have the plugin beside those we ship. */
  static readonly worker = {
    "plugin.path": ["plugins", "test/fixtures/notebook"]
      .map((path) => join(repository, path))
      .join(),
  };

  readonly #file: string;
  readonly #tasks: { path: string; readTo: number; torn: Buffer }[];

  constructor(file: string, taskCount = 1) {
    this.#file = file;
    this.#tasks = Array.from({ length: taskCount }, (_, task) => ({
      path: `${file}.${task}`,
      readTo: 0,
      torn: Buffer.alloc(0),
    }));
  }

  get sinkConfig(): Record<string, string> {
    return { "connector.class": "fixture.notebook.NotebookSink", file: this.#file };
  }

  /** What was written since the last time, by each task in order. A line that a killed one tore is left out. */
  async readOn(): Promise<NotedRecord[]> {
    const records: NotedRecord[] = [];
    for (const task of this.#tasks) {
      const bytes = Buffer.concat([task.torn, await readFrom(task.path, task.readTo)]);
      task.readTo += bytes.length - task.torn.length;
      const end = bytes.lastIndexOf("\n") + 1;
      task.torn = bytes.subarray(end);
      for (const line of bytes.toString("utf8", 0, end).split("\n")) {
        const record = parsed(line);
        if (record !== undefined) records.push(record);
      }
    }
    return records;
  }
}

function parsed(line: string): NotedRecord | undefined {
  try {
    const [partition, offset, key, value, headers] = JSON.parse(line);
    return { partition, offset, key, value, headers };
  } catch {
    return undefined;
  }
}

async function readFrom(path: string, start: number): Promise<Buffer> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return Buffer.alloc(0);
  try {
    const bytes = Buffer.alloc((await file.stat()).size - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
