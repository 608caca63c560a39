/** The plain-Python plugin keeps the contract as far as the kit can judge it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertKept, judge } from "../conformance/judged.ts";
import { repository } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";

const { python, missing } = await pythonEnvironment();
// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a setup file spells it.
const file = "${scratch}/out.txt";

const setups = {
  "fixture.PythonSource": { config: { topic: "python", count: 1_000_000 } },
  "fixture.PythonSink": { config: { file } },
};

test("the plain-Python plugin keeps every clause that can be judged", {
  skip: missing ?? false,
}, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "python-conformance-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const setup = join(folder, "setup.json");
  await writeFile(setup, JSON.stringify(setups));
  const program = join(repository, "test", "fixtures", "python", "plugin.py");
  const command = [python, program];
  const report = await judge({ plugin: { at: "command", command }, setup });
  assertKept(report, [
    "hello.manifest",
    "describe.manifest",
    "validate.runnable",
    "validate.defaults",
    "validate.required",
    "validate.types",
    "log.levels",
    "calls.reader-free",
    "calls.failed",
    "source.large-record",
    "source.too-large",
    "source.after-failure",
    "sink.retry",
    "sink.rewind",
    "sink.pause",
    "sink.runs",
    "sink.stop-blocked",
    "sink.after-failure",
  ]);
});
