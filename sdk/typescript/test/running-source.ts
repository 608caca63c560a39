import assert from "node:assert/strict";
import type { SourceClass, SourceRecord } from "../src/index.ts";
import { HostEnd, type SourceEnd } from "./host-end.ts";

export interface Running {
  host: HostEnd;
  task: SourceEnd;
}

/** Runs one task of the class until the test is over. */
export async function withSource(
  made: SourceClass,
  run: (running: Running) => Promise<void>,
  options: { messageBytesMax?: number; taskConfig?: Record<string, string> } = {},
): Promise<void> {
  const host = await HostEnd.listen(options);
  try {
    host.attach([made]);
    const task = await host.startSource("c", {
      className: made.definition.class,
      task: 3,
      taskConfig: options.taskConfig ?? {},
    });
    await run({ host, task });
  } finally {
    await host.close();
  }
}

export function grant(task: SourceEnd, records: number, bytes = 1 << 30): void {
  task.send({ case: "credit", value: { records: BigInt(records), bytes: BigInt(bytes) } });
}

export async function stop(task: SourceEnd) {
  task.send({ case: "stop", value: { timeoutMs: 5_000n } });
  const stopped = await task.inbox.next("stopped");
  assert.equal(await task.inbox.ended(), "half-closed");
  return stopped;
}

export const line = (n: number): SourceRecord => ({
  topic: "t",
  value: `${n}`,
  sourcePartition: { p: 1 },
  sourceOffset: { n },
});
export const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => line(from + at));

/** Waits as a well-behaved source does. */
export const untilStopped = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

export function gateOf() {
  let resolve!: () => void;
  const promise = new Promise<void>((yes) => {
    resolve = yes;
  });
  return { promise, resolve };
}
