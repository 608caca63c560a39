/** The SDK's example of each kind of stage keeps the contract. */
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../harness/host-process.ts";
import { assertKept, judge } from "./judged.ts";

const example = join(repository, "sdk", "typescript", "examples", "privacy");

test("the TypeScript SDK's transform, predicate and converters keep every clause on stages", async () => {
  const command = ["node", join(example, "main.mjs")];
  const setup = join(example, "conformance.json");
  const report = await judge({ plugin: { at: "command", command }, setup }, ["stage", "describe"]);
  // Not every class can be made to fail or drop a record.
  assertKept(report, ["stage.fails", "stage.filters", "describe.manifest"]);
});
