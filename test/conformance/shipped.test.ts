/** The plugins that come with Bulkhead keep the contract, and with them the TypeScript SDK. */
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../harness/host-process.ts";
import { assertKept, judge } from "./judged.ts";

// The program's own clauses (session, output, end), and those on streams, credit and calls, concern the
// SDK, which the three have in common: the first is judged by all, the others by what is their own.
const ofClasses =
  "describe validate config connector task-configs secrets task.start task.stop task.restart task.stdin-end task.leak".split(
    " ",
  );
const ofSources =
  "columns size large-record too-large after-failure poll-end pause memory drain-busy resume restart-after-kill";
const ofSinks =
  "open-close put flush rebalance stop-busy restart-after-kill memory values schema-change forget sizes after-failure";
const named = (scope: string, names: string) => names.split(" ").map((name) => `${scope}.${name}`);
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
  { plugin: "datagen", only: [...ofClasses, ...named("source", ofSources)], skipped: [] },
  {
    plugin: "blackhole",
    only: [...ofClasses, ...named("sink", ofSinks)],
    skipped: ["sink.after-failure", "validate.types"],
  },
  {
    // What a program behind a program may spoil.
    plugin: "stdio",
    only: [
      ..."secrets task.stop task.stdin-end task.leak".split(" "),
      ...named("source", "large-record too-large memory resume"),
      ...named("sink", "runs stop-blocked values after-failure"),
    ],
    skipped: [],
  },
]) {
  test(`the plugin ${plugin} keeps every clause that can be judged`, async () => {
    const folder = join(repository, "plugins", plugin);
    assertKept(await judge({ plugin: { at: "folder", path: folder } }, only), skipped);
  });
}
