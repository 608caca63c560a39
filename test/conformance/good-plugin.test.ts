/** Every clause can be kept: a plugin without an SDK keeps them all, and none of them is skipped. */
import { test } from "node:test";
import { judgeBroken } from "./broken-plugin.ts";
import { assertKept } from "./judged.ts";

test("a plugin that breaks nothing is judged by every clause and keeps it", async () => {
  // A sink makes no calls to the host.
  assertKept(await judgeBroken(undefined, undefined, []), ["calls.reader-free", "calls.failed"]);
});
