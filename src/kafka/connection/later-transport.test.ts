/** A transport that its first call opens: how it ends before the cluster has answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../../base/deadline.ts";
import { silentLogger } from "../../observe/logger.ts";
import { deleteGroups } from "../protocol/delete-groups.ts";
import { createTransport } from "../transport.ts";
import { LaterTransport } from "./later-transport.ts";

const unreachable = () =>
  new LaterTransport((signal) =>
    createTransport({
      // Nobody listens there: it is tried again for default.api.timeout.ms.
      bootstrapServers: ["127.0.0.1:1"],
      config: { "default.api.timeout.ms": "20000" },
      clientId: "late",
      logger: silentLogger(),
      signal,
    }),
  );

test("a call that is given up does not wait for the connection it would open", async (t) => {
  const transport = unreachable();
  t.after(() => transport.close());
  const giveUp = new AbortController();
  const connections = transport.connections({ clientId: "late" });
  const options = { signal: giveUp.signal };
  const call = connections.call({ at: "any" }, deleteGroups, { groupIds: [] }, options);
  giveUp.abort(new Error("given up"));
  assert.match(String(await within(call.catch(String), 5_000, "late")), /given up/);
});

test("closing does not wait for a cluster that cannot be reached", async () => {
  const transport = unreachable();
  const refused = assert.rejects(transport.map.refresh([]), { code: "kafka.closed" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await within(transport.close(), 5_000, "late"), undefined);
  await refused;
  await assert.rejects(transport.map.refresh([]), { code: "kafka.closed" });
});
