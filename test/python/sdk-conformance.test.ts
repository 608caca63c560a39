/** The example plugins of the Python SDK keep the contract. */
import { test } from "node:test";
import { assertKept, judge } from "../conformance/judged.ts";
import { temporaryDirectory } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";
import { pythonExample } from "../harness/python-example.ts";

const { python, missing } = await pythonEnvironment();
const skip = missing ?? false;
const everySession = ["validate.types", "calls.reader-free", "calls.failed", "log.levels"];

const examples: {
  name: string;
  is: string;
  only: readonly string[];
  skipped: readonly string[];
}[] = [
  { name: "counter", is: "generator", only: [], skipped: [] },
  // What does not depend on how the source is written, the counter has shown.
  {
    name: "ticker",
    is: "async generator",
    only: ["task.stop", "source.pause", "source.drain", "source.resume", "source.columns"],
    skipped: [],
  },
  { name: "lines", is: "sink", only: [], skipped: everySession },
];

for (const { name, is, only, skipped } of examples) {
  test(`the ${is} written with the SDK keeps every clause that can be judged`, {
    skip,
  }, async (t) => {
    const folder = await temporaryDirectory(t);
    const path = await pythonExample(python, name, folder);
    // A deadline for a machine that is busy with other things; what answers at once takes no longer.
    assertKept(await judge({ plugin: { at: "folder", path } }, only, 20_000), skipped);
  });
}
