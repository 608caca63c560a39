/** A connector or task whose plugin may still come: it looks before each of its starts. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import type { PluginClass } from "../../src/plugin/plugin.ts";
import { connectorName } from "../../src/state/id.ts";
import { waitFor } from "../harness/wait-for.ts";
import { sourceConfig, startControlHost } from "./control-host.ts";
import { fakeClasses } from "./fake-plugin.ts";

const name = connectorName("x");
const start = { name, config: sourceConfig, revision: 1, target: "STARTED" } as const;

test("a connector waits for its class while a plugin is being asked, and then runs", async () => {
  const asked = deferred<readonly PluginClass[]>();
  await using host = await startControlHost({ look: () => asked.promise });
  const created = host.herder.create("x", sourceConfig, undefined);
  await waitFor(() => host.worker.running().connectors.has(name), { withinMs: 20_000 });
  assert.equal(host.states("x"), "none");
  asked.resolve(fakeClasses);
  await created;
  await host.untilStates("x", "RUNNING RUNNING");
  const status = host.topics.texts("connect-status").at(-1);
  assert.equal(JSON.parse(status?.value ?? "").version, "4.1.1");
});

test("one that is stopped while it waits is gone at once and has not failed", async () => {
  let looks = 0;
  await using host = await startControlHost({
    look: async (signal) => {
      looks += 1;
      await once(signal, "abort");
      return [];
    },
  });
  host.worker.startConnector(start);
  await waitFor(() => looks === 1, { withinMs: 20_000 });
  host.worker.stopConnector(name, "UNASSIGNED");
  await waitFor(() => host.worker.running().connectors.size === 0, { withinMs: 20_000 });
  const said = host.topics.texts("connect-status").map(({ value }) => value ?? "");
  assert.ok(!said.some((value) => value.includes("FAILED")), said.join());
});

test("one that starts again after a failure is of the version that is there by then", async () => {
  let version = "4.1.1";
  const look = async () => fakeClasses.map((one) => ({ ...one, version }));
  await using host = await startControlHost({ look, restartPolicy: "on-failure" });
  await host.herder.create("x", sourceConfig, undefined);
  await host.untilStates("x", "RUNNING RUNNING");
  version = "4.2.0";
  host.worker.failConnector(name, new Error("broken"));
  const newest = () =>
    host.topics
      .texts("connect-status")
      .map(({ value }) => JSON.parse(value ?? "{}"))
      .some((status) => status.state === "RUNNING" && status.version === "4.2.0");
  await waitFor(newest, { withinMs: 20_000, what: "it to run in the newer version" });
});
