/** The neighbours of a task as object literals. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import type { Converter } from "../../src/convert/converter.ts";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import type { PluginProcess, ProcessLease } from "../../src/plugin/plugin.ts";
import { nullForm } from "../../src/record/columns.ts";
import { connectorName } from "../../src/state/id.ts";
import { newTaskMeter } from "../../src/task/create-task.ts";
import type { TaskParts, TaskSpec } from "../../src/task/task.ts";

const bytesForm = { encoding: "bytes" as const, schema: null };

/** Bytes as they are. */
export const passThrough: Converter = {
  sourcePlan: () => ({ lane: { at: "copy" }, nullValue: () => null }),
  toPlugin(bytes, start, end, out) {
    out.form = start < 0 ? nullForm : bytesForm;
    out.bytes = bytes;
    out.start = start;
    out.end = end;
  },
  fromConnect: () => assert.fail("no transform changes records here"),
  toConnect: () => assert.fail("no transform changes records here"),
};

export function taskSpec(
  kind: "source" | "sink",
  limits: Partial<TaskSpec["limits"]> = {},
): TaskSpec {
  return {
    id: { connector: connectorName("c"), task: 0 },
    kind,
    className: "C",
    taskClass: "T",
    version: "1.0",
    connectorConfig: { topics: "t" },
    taskConfig: {},
    limits: {
      offsetFlushIntervalMs: 5,
      offsetFlushTimeoutMs: 1_000,
      startMsMax: 1_000,
      stopMsMax: 1_000,
      windowRecords: 1_000,
      windowBytes: 1_000_000,
      messageBytesMax: 65_536,
      ...limits,
    },
  };
}

/** A lease on a process that only knows how to start one stream. */
export function leaseOf(
  process: Partial<PluginProcess>,
  onCondemned: (reason: string) => void = () => {},
  condemned: AbortSignal = new AbortController().signal,
): ProcessLease & { condemnedFor: string[] } {
  const condemnedFor: string[] = [];
  return {
    process: { pid: 1, ...process } as PluginProcess,
    condemned,
    condemnedFor,
    release: async () => {},
    condemn: async (reason) => {
      condemnedFor.push(reason);
      onCondemned(reason);
    },
  };
}

export function taskParts(lease: ProcessLease, kafka: Partial<Kafka>): TaskParts {
  return {
    kafka: kafka as Kafka,
    offsets: { read: async () => [], write: async () => {} },
    topicsRefused: new Set(["of-the-host"]),
    topicGroups: undefined,
    useTopic: () => {},
    keyConverter: passThrough,
    valueConverter: passThrough,
    headerConverter: passThrough,
    converterClasses: { key: "K", value: "V", header: "H" },
    createSteps: async () => [],
    openStage: () => assert.fail("no stage lives in a plugin here"),
    acquireProcess: async () => lease,
    logger: silentLogger(),
    clock: systemClock,
    meter: newTaskMeter(),
  };
}
