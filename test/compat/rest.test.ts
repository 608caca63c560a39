import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { startMemoryRest } from "../harness/memory-rest.ts";
import { checkRecordings } from "./check-recordings.ts";

/** They need tasks that really run, or fail. */
const needsPlugins = (name: string) => name.startsWith("flow-") || name === "status-failed-task";

const json = "org.apache.kafka.connect.json.JsonConverter";
const built = existsSync(join(repository, "dist", "main.js"));

test("the REST layer over a herder in memory answers as recorded", async () => {
  const rest = await startMemoryRest();
  try {
    await checkRecordings(rest.url, { only: (name) => !needsPlugins(name) });
  } finally {
    await rest.close();
  }
});

test("a standalone host answers as recorded", {
  skip: built ? false : "the host is not built: npm run build",
}, async (t) => {
  const directory = await temporaryDirectory(t);
  // As the worker that was recorded, which had Apache's plugins only.
  const plugins = { "plugin.path": join(repository, "plugins", "file") };
  const worker = { ...plugins, "key.converter": json, "value.converter": json };
  const host = await startHost({ directory, worker });
  try {
    await checkRecordings(host.restUrl ?? "");
  } finally {
    await host.stop();
  }
});
