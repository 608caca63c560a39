/** What a plugin prints or logs, as lines of the host's log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { noSignal, rawHost } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

test("stdout, stderr and log batches bear the connector's name, the plugin's and the pid", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire(
    { plugin: manifest("noisy"), connector: "alpha" },
    noSignal,
  );
  await waitFor(() => log.find("a line of someone else") !== undefined, { withinMs: 20_000 });
  await waitFor(() => log.find("xxxx") !== undefined, { withinMs: 20_000 });
  const { pid } = lease.process;
  const common = { plugin: "raw", pid, connector: "alpha" };
  const about = ({ plugin, pid, connector, stream, level, task }: Record<string, unknown> = {}) => {
    return { plugin, pid, connector, stream, level, task };
  };
  const none = { stream: undefined, task: undefined };
  assert.deepEqual(about(log.find("a line on stdout")), {
    ...common,
    ...none,
    stream: "stdout",
    level: "info",
  });
  assert.deepEqual(about(log.find("a line on \\u001b[31mstderr\\u001b[0m")), {
    ...common,
    ...none,
    stream: "stderr",
    level: "warn",
  });
  assert.deepEqual(about(log.find("a line in a batch")), {
    ...common,
    ...none,
    task: 7,
    level: "info",
  });
  // A plugin cannot write into another connector's log.
  assert.equal(log.find("a line of someone else")?.["connector"], "alpha");
  // I5: a line has a bound.
  assert.match(String(log.find("xxxx")?.["msg"]), /^x{16384} … \(83616 more bytes\)$/);
});

test("a plugin gets only a few variables of the host's environment", async (t) => {
  process.env["RAW_PLUGIN_TEST_VARIABLE"] = "not for plugins";
  t.after(() => delete process.env["RAW_PLUGIN_TEST_VARIABLE"]);
  const { processes, manifest, log } = await rawHost(t);
  await processes.acquire({ plugin: manifest("noisy"), connector: "alpha" }, noSignal);
  await waitFor(() => log.find("environment ") !== undefined, { withinMs: 20_000 });
  const names = String(log.find("environment ")?.["msg"]).split(" ")[1]?.split(",") ?? [];
  const allowed = ["BULKHEAD_LAUNCH_ID", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ"];
  assert.deepEqual(
    names.filter((name) => !allowed.includes(name)),
    [],
  );
  assert.ok(names.includes("PATH"));
});
