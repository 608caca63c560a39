/** A transport that its first call opens: how it ends before the cluster has answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../../base/deadline.ts";
import { silentLogger } from "../../observe/logger.ts";
import { createTransport } from "../transport.ts";
import { LaterTransport } from "./later-transport.ts";

test("closing does not wait for a cluster that cannot be reached", async () => {
  const transport = new LaterTransport((signal) =>
    createTransport({
      // Nobody listens there: it is tried again for default.api.timeout.ms.
      bootstrapServers: ["127.0.0.1:1"],
      config: { "default.api.timeout.ms": "20000" },
      clientId: "late",
      logger: silentLogger(),
      signal,
    }),
  );
  const refused = assert.rejects(transport.map.refresh([]), { code: "kafka.closed" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await within(transport.close(), 5_000, "late"), undefined);
  await refused;
  await assert.rejects(transport.map.refresh([]), { code: "kafka.closed" });
});
