/** The plugins that come with Bulkhead keep the contract, and with them the TypeScript SDK. */
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../harness/host-process.ts";
import { assertKept, judge } from "./judged.ts";

// The program's own clauses (session, output, end) concern the SDK, which the three have in common.
const ofClasses =
  "hello describe validate config connector task-configs calls.reader-free calls.failed log secrets task".split(
    " ",
  );
const moods = "sink.retry sink.rewind sink.pause sink.runs sink.stop-blocked".split(" ");
const noCalls = ["calls.reader-free", "calls.failed"];

for (const { plugin, only, skipped } of [
  {
    plugin: "file",
    only: [],
    skipped: [
      ...moods,
      ...noCalls,
      "log.levels",
      "validate.defaults",
      "validate.required",
      "validate.types",
      "config.required-enforced",
    ],
  },
  { plugin: "datagen", only: [...ofClasses, "source"], skipped: ["log.levels"] },
  {
    plugin: "blackhole",
    only: [...ofClasses, "sink"],
    skipped: [...moods, ...noCalls, "sink.after-failure", "log.levels", "validate.types"],
  },
]) {
  test(`the plugin ${plugin} keeps every clause that can be judged`, async () => {
    const folder = join(repository, "plugins", plugin);
    assertKept(await judge({ plugin: { at: "folder", path: folder } }, only), skipped);
  });
}
