/** The example plugins of the Go SDK keep the contract. */
import { test } from "node:test";
import { assertKept, judge } from "../conformance/judged.ts";
import { goExample, goMissing } from "../harness/go.ts";
import { temporaryDirectory } from "../harness/host-process.ts";

const missing = await goMissing();
const everySession = ["validate.types", "calls.reader-free", "calls.failed", "log.levels"];

const stages = ["stage", "describe"];

for (const { name, is, skipped, only = [] } of [
  { name: "counter", is: "source", skipped: [] },
  { name: "lines", is: "sink", skipped: everySession },
  // Not every class can be made to fail or drop a record.
  { name: "tidy", is: "stages", skipped: ["stage.fails", "stage.filters"], only: stages },
]) {
  test(`the ${is} written with the Go SDK keeps every clause that can be judged`, {
    skip: missing ?? false,
  }, async (t) => {
    const path = await goExample(name, await temporaryDirectory(t));
    // A deadline for a machine that is busy with other things; what answers at once takes no longer.
    assertKept(await judge({ plugin: { at: "folder", path } }, only, 20_000), skipped);
  });
}
