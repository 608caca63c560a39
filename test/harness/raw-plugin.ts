/** The raw plugin of test/fixtures in a folder of its own, and the host's plugin side around it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { TestContext } from "node:test";
import { createLogger } from "../../src/observe/logger.ts";
import type {
  Failure,
  PluginClass,
  PluginManifest,
  PluginProcesses,
  TaskStart,
} from "../../src/plugin/plugin.ts";
import {
  createPluginProcesses,
  type PluginProcessesOptions,
} from "../../src/plugin/process-pool.ts";
import { compiledProgram } from "./compiled-program.ts";

/** The raw plugin as plain JavaScript: it starts many times. */
export function rawProgram(): string {
  return compiledProgram("test/fixtures/raw-plugin.ts");
}

/** The command that runs the raw plugin in one of its modes. */
export function rawCommand(mode: string): string[] {
  return ["node", rawProgram(), mode];
}

/** What the host's log said, line by line. */
export class LogLines {
  readonly lines: Record<string, unknown>[] = [];
  readonly logger = createLogger({
    level: "debug",
    destination: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        for (const line of chunk.toString().split("\n").filter(Boolean)) {
          this.lines.push(JSON.parse(line));
        }
        done();
      },
    }) as never,
  });

  find(text: string): Record<string, unknown> | undefined {
    return this.lines.find((line) => String(line["msg"]).includes(text));
  }
}

export interface RawHost {
  readonly processes: PluginProcesses;
  readonly log: LogLines;
  readonly raised: { connector: string; failure: Failure }[];
  manifest(mode: string, command?: readonly string[]): PluginManifest;
}

/** Opens the plugin side for one test; its end closes everything. */
export async function rawHost(
  t: TestContext,
  options: Partial<PluginProcessesOptions> = {},
): Promise<RawHost> {
  const directory = await mkdtemp(join(tmpdir(), "raw-plugin-"));
  const log = new LogLines();
  const raised: { connector: string; failure: Failure }[] = [];
  const processes = await createPluginProcesses({
    logger: log.logger,
    processPer: "connector",
    connectMsMax: 20_000,
    shutdownMsMax: 2_000,
    signalMsMax: 1_000,
    calls: {
      readOffsets: async (connector, partitions) =>
        partitions.map((text, index) => (index === 0 ? `${connector} ${text}` : null)),
      requestTaskReconfiguration: () => {},
      raiseError: (connector, failure) => raised.push({ connector, failure }),
    },
    ...options,
  });
  t.after(async () => {
    await processes.close();
    await rm(directory, { recursive: true, force: true });
  });
  await writeFile(join(directory, "plain"), "not a program");
  return {
    processes,
    log,
    raised,
    manifest: (mode, command = rawCommand(mode)) => ({
      name: "raw",
      version: "1",
      directory,
      command,
      classes: [],
    }),
  };
}

export function rawClass(plugin: PluginManifest, kind: "source" | "sink"): PluginClass {
  return {
    className: kind === "source" ? "raw.Source" : "raw.Sink",
    kind,
    version: "1",
    config: [],
    taskClass: "raw.Task",
    aliases: [],
    documentationUrl: "",
    validates: true,
    plugin,
  };
}

export function taskStart(
  kind: "source" | "sink",
  taskConfig: Record<string, string> = {},
  startMsMax = 10_000,
): TaskStart {
  return {
    connector: "alpha",
    task: 0,
    className: kind === "source" ? "raw.Source" : "raw.Sink",
    taskClass: "raw.Task",
    taskConfig,
    connectorConfig: { name: "alpha", kind },
    offsetFlushIntervalMs: 1_000,
    errantRecordReporter: true,
    startMsMax,
  };
}

/** Never fires. */
export const noSignal = new AbortController().signal;
