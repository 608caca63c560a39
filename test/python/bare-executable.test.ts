/** Plain Python without a manifest: a wrapper with execute permission is a plugin. */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { dropProgram } from "../harness/bare-plugin.ts";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";
import { waitFor } from "../harness/wait-for.ts";

const { python, missing } = await pythonEnvironment();

test("a Python program put into the folder of a running host is listed with its keys, and runs", {
  skip: missing ?? false,
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const plugins = join(directory, "plugins");
  await mkdir(plugins);
  const worker = { "plugin.path": plugins, "plugin.cache.dir": join(directory, "cache") };
  const host = await startHost({ directory, worker });
  t.after(() => host.kill());
  const program = join(repository, "test", "fixtures", "python", "plugin.py");
  await dropProgram(join(plugins, "numbers"), `#!/bin/sh\nexec ${python} ${program}\n`);
  const { body: classes } = await host.request("GET", "/connector-plugins");
  assert.deepEqual(classes, [
    { class: "fixture.PythonSink", type: "sink", version: "0.1.0" },
    { class: "fixture.PythonSource", type: "source", version: "0.1.0" },
  ]);
  const missingKey = await host.request("PUT", "/connectors/numbers/config", {
    "connector.class": "fixture.PythonSource",
    topic: "numbers",
  });
  assert.equal(missingKey.status, 400);
  assert.match(missingKey.body.message, /Missing required configuration "count"/);
  const output = join(directory, "output");
  const source = { "connector.class": "PythonSource", topic: "numbers", count: "50" };
  await host.request("PUT", "/connectors/numbers/config", source);
  const sink = { "connector.class": "PythonSink", topics: "numbers", file: output };
  await host.request("PUT", "/connectors/copy/config", sink);
  const last = async () =>
    (await readFile(output, "utf8").catch(() => "")).trim().split("\n").at(-1);
  await waitFor(async () => (await last()) === "python 50", {
    withinMs: 30_000,
    what: "the last number",
  });
  assert.equal(await host.stop(), 0);
});
