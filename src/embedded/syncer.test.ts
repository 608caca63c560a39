import assert from "node:assert/strict";
import test from "node:test";
import { deferred } from "../base/deferred.ts";
import { silentLogger } from "../observe/logger.ts";
import { Syncer } from "./syncer.ts";

const make = (intervalMs = 60_000) =>
  new Syncer({ policy: "interval", intervalMs, logger: silentLogger() });

test("who asks while files are being forced waits for them too", async () => {
  const syncer = make();
  const disk = deferred();
  let isOnDisk = false;
  syncer.markDirty({
    sync: async () => {
      await disk.promise;
      isOnDisk = true;
    },
  });
  const first = syncer.syncAll();
  const second = syncer.syncAll().then(() => assert.ok(isOnDisk));
  await Promise.resolve();
  disk.resolve();
  await Promise.all([first, second]);
  await syncer.close();
});

test("a file that could not be forced fails the caller and stays dirty", async () => {
  const syncer = make();
  let tries = 0;
  syncer.markDirty({
    sync: async () => {
      tries += 1;
      if (tries === 1) throw new Error("disk");
    },
  });
  await assert.rejects(syncer.syncAll(), { message: "disk" });
  await syncer.syncAll();
  await syncer.syncAll();
  assert.equal(tries, 2);
  await syncer.close();
});

test("what is dirty is forced by itself after the interval", async () => {
  const syncer = make(1);
  const forced = deferred();
  // The timer does not keep a process alive; this one does until then.
  const alive = setInterval(() => {}, 1_000);
  syncer.markDirty({ sync: async () => forced.resolve() });
  await forced.promise;
  clearInterval(alive);
  await syncer.close();
});
