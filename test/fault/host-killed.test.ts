import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { bystanderTopic, FaultHost, linesOf } from "../harness/bystander.ts";
import { waitFor } from "../harness/wait-for.ts";

/** What an SDK promises for the end of its stdin, and thrice as much for a machine that is busy. */
const endsMsMax = 5_000 + 15_000;

test("plugins of a killed host end by themselves, and its successor loses nothing", async (t) => {
  const fault = await FaultHost.start({
    plugins: [{ name: "polite", run: ["misbehave", "polite"] }],
  });
  try {
    const files = { source: join(fault.directory, "s.txt"), sink: join(fault.directory, "k.txt") };
    const numbers = 1_000;
    await fault.create("numbers", "polite.Source", { topic: "numbers", count: `${numbers}` });
    await fault.create("kept", "polite.Sink", { topics: bystanderTopic, file: files.sink });
    await fault.create("counted", "polite.Sink", { topics: "numbers", file: files.source });
    await waitFor(async () => (await linesOf(files.source)).length > 0, {
      withinMs: 20_000,
      what: "the first numbers to arrive",
    });
    const begun = performance.now();
    await fault.killHost();
    await waitFor(() => fault.processes().length === 0, {
      withinMs: endsMsMax,
      everyMs: 100,
      what: "every plugin process to end",
    });
    t.diagnostic(`they ended within ${Math.round(performance.now() - begun)} ms`);
    await fault.startHost();
    const wanted = Array.from({ length: numbers }, (_, index) => `numbers:${index + 1}`);
    const lines = Array.from({ length: fault.linesWritten }, (_, index) => `line ${index + 1}`);
    await arrive(files.source, wanted);
    await arrive(files.sink, lines);
  } finally {
    await fault.stop();
  }
});

async function arrive(file: string, wanted: readonly string[]): Promise<void> {
  await waitFor(async () => (await linesOf(file)).includes(wanted.at(-1) as string), {
    withinMs: 20_000,
    everyMs: 100,
    what: `${wanted.at(-1)} to arrive`,
  });
  assert.deepEqual([...new Set(await linesOf(file))].slice(0, wanted.length), wanted);
}
