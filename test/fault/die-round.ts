/**
 * One source and one sink are killed at random points of their lives, again and again, and started
 * again. At the end nothing may be missing.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Point } from "../fixtures/hostile/polite.ts";
import { bystanderTopic, FaultHost, linesOf } from "../harness/bystander.ts";
import { inFolder, type LogPlace } from "../harness/log-place.ts";
import { randomFrom } from "../harness/random-data.ts";
import { waitFor } from "../harness/wait-for.ts";

const points: Record<"source" | "sink", readonly Point[]> = {
  source: [
    "on-start-task",
    "before-started",
    "in-batch",
    "after-batch",
    "on-acked",
    "on-committed",
  ],
  sink: [
    "on-start-task",
    "on-open",
    "on-put",
    "after-put-result",
    "on-flush",
    "after-flush-result",
  ],
};

export interface DieRoundOptions {
  readonly seed: number;
  readonly kills: number;
  /** One of its own for each round. */
  readonly place?: LogPlace;
}

/** @throws Error with the seed, when something is missing or left behind */
export async function dieRound({ seed, kills, place = inFolder }: DieRoundOptions): Promise<void> {
  const random = randomFrom(seed);
  const fault = await FaultHost.start({
    place,
    plugins: [
      { name: "source", run: ["die", "source"], files: { points: "" } },
      { name: "sink", run: ["die", "sink"], files: { points: "" } },
    ],
  });
  const files = { source: join(fault.directory, "s.txt"), sink: join(fault.directory, "k.txt") };
  const connectors = { source: place.nameOf("source"), sink: place.nameOf("sink") };
  const topic = place.nameOf("source");
  try {
    await fault.create(
      place.nameOf("counted"),
      "org.apache.kafka.connect.file.FileStreamSinkConnector",
      {
        topics: topic,
        file: files.source,
      },
    );
    await fault.create(connectors.source, "source.Source", { topic, count: "1000000000" });
    await fault.create(connectors.sink, "sink.Sink", {
      topics: place.nameOf(bystanderTopic),
      file: files.sink,
    });
    for (let kill = 0; kill < kills; kill += 1) {
      const kind = random() < 0.5 ? "source" : "sink";
      const point = points[kind][Math.floor(random() * points[kind].length)] ?? "before-started";
      await fault.during(
        async () => {
          await writeFile(join(fault.pluginPath, kind, "points"), point);
          await fault.stopAndResume(connectors[kind], "may fail");
          await fault.failure(connectors[kind], "task");
          await fault.failure(connectors[kind], "connector");
          await fault.restart(connectors[kind]);
          await fault.running(connectors[kind]);
        },
        { lives: "a plugin" },
      );
    }
    const last = `line ${fault.linesWritten}`;
    await waitFor(async () => (await linesOf(files.sink)).includes(last), {
      withinMs: 60_000,
      everyMs: 100,
      what: `${last} to arrive`,
    });
    await checkWhole(files.sink, "line ");
    await checkWhole(files.source, `${connectors.source}:`);
    await fault.stop();
  } catch (cause) {
    fault.kill();
    throw new Error(`seed ${seed}, killed at points: ${(cause as Error).message}`, { cause });
  }
}

/** First occurrences count up from 1. */
async function checkWhole(file: string, name: string): Promise<void> {
  const lines = [...new Set(await linesOf(file))];
  assert.ok(lines.length > 20, `${lines.length} lines`);
  assert.deepEqual(
    lines,
    lines.map((_, index) => `${name}${index + 1}`),
  );
}
