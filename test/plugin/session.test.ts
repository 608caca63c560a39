/** What a plugin asks on its session, against a plugin without an SDK. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { noSignal, rawHost } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

for (const chars of [20, 60_000]) {
  test(`a plugin may always have 64 calls open, with answers of ${chars} characters`, async (t) => {
    const text = "x".repeat(chars);
    const { processes, manifest } = await rawHost(t, {
      calls: {
        readOffsets: async (_connector, partitions) => partitions.map(() => text),
        requestTaskReconfiguration: () => {},
        raiseError: () => {},
      },
    });
    const use = { plugin: manifest("good"), connector: "alpha" };
    const lease = await processes.acquire(use, noSignal);
    const { configs } = await lease.process.taskConfigs("alpha", 3_000, []);
    assert.deepEqual(configs, [{ chars: `${3_000 * chars}` }]);
  });
}

test("I5: a 65th open call ends the session", async (t) => {
  const { processes, manifest } = await rawHost(t, {
    calls: {
      readOffsets: () => new Promise(() => {}),
      requestTaskReconfiguration: () => {},
      raiseError: () => {},
    },
  });
  const use = { plugin: manifest("good"), connector: "alpha" };
  const lease = await processes.acquire(use, noSignal);
  await assert.rejects(lease.process.taskConfigs("alpha", 65, []), {
    code: "plugin.gone",
    message: /was killed by the host: the plugin broke the contract: more than 64 calls are open/,
  });
});

test("a call that names more than fits into an answer gets a short one, and the host lives on", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const asking = lease.process.taskConfigs("alpha", 66, []);
  asking.catch(() => {});
  await waitFor(() => log.find("answered: ") !== undefined, { withinMs: 20_000 });
  assert.match(String(log.find("answered: ")?.["msg"]), /^answered: connector x{900}/);
});

test("stopping a connector calls off what it was asked before", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const { process } = lease;
  // It never answers these.
  const asked = ["alpha", "beta"].map((name) => process.taskConfigs(name, 99, []));
  // Both are on their way when this turn of the event loop is over.
  await new Promise((resolve) => setImmediate(resolve));
  for (const work of [...asked, process.stopConnector("alpha")]) work.catch(() => {});
  await waitFor(() => log.find("cancel ") !== undefined, { withinMs: 20_000 });
  assert.deepEqual(
    log.lines.map(({ msg }) => msg).filter((msg) => String(msg).startsWith("cancel ")),
    ["cancel 1"],
  );
});
