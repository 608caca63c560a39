/** What the TypeScript SDK does when user code asks for a retry, a rewind and the like. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compiledProgram } from "../harness/compiled-program.ts";
import { assertKept, idsOf, judge } from "./judged.ts";

const program = compiledProgram("test/fixtures/moody-plugin.ts");
const moods = ["retries", "rewinds", "pauses", "fails", "failsRecords", "blocks"];
const situations = Object.fromEntries(moods.map((mood) => [mood, { config: { mood } }]));
const setups = {
  "moody.Sink": { config: { password: "secret" }, situations },
  "moody.Source": { config: { topic: "t" } },
};
const clauses = [
  ..."calls log secrets.password source.resume source.pause source.columns".split(" "),
  ..."sink.retry sink.rewind sink.pause sink.runs sink.stop-blocked sink.after-failure".split(" "),
];

test("the SDK keeps the clauses that need a plugin in a certain mood", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "moody-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const setup = join(folder, "setup.json");
  await writeFile(setup, JSON.stringify(setups));
  const command = ["node", program];
  const report = await judge({ plugin: { at: "command", command }, setup }, clauses);
  assertKept(report, ["calls.reader-free", "calls.failed"]);
  const passed = idsOf(report, "passed");
  const missing = clauses.filter((one) => !passed.some((id) => id.startsWith(one)));
  assert.deepEqual(missing, []);
});
