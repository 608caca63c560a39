import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/harness/fake-clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { LaunchQueue } from "./launch-queue.ts";

const noSignal = new AbortController().signal;

function queueOf(bounds: { atOnceMax?: number; waitingMax?: number }) {
  const clock = new FakeClock();
  const queue = new LaunchQueue({ clock, ...bounds });
  const launches = new Map<string, Deferred<string>>();
  const start = (name: string, signal = noSignal) => {
    const launching = queue.run(() => {
      const launch = deferred<string>();
      launches.set(name, launch);
      return launch.promise;
    }, signal);
    launching.catch(() => {});
    return launching;
  };
  const started = async () => {
    // Turns are handed on within a few steps of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    return [...launches.keys()].join("");
  };
  return { clock, start, started, launches };
}

test("launches take turns, in order; one that fails gives its turn on too", async () => {
  const { start, started, launches } = queueOf({ atOnceMax: 2 });
  const all = ["a", "b", "c", "d"].map((name) => start(name));
  assert.equal(await started(), "ab");
  launches.get("b")?.resolve("hello");
  assert.equal(await all[1], "hello");
  assert.equal(await started(), "abc");
  launches.get("a")?.reject(new Error("no such program"));
  await assert.rejects(all[0] as Promise<string>, /no such program/);
  assert.equal(await started(), "abcd");
  for (const name of ["c", "d"]) launches.get(name)?.resolve("");
  await Promise.all([all[2], all[3]]);
  void start("e");
  void start("f");
  void start("g");
  assert.equal(await started(), "abcdef");
});

test("a program that hangs before its hello holds up the others for two seconds, and counts once", async () => {
  const { clock, start, started, launches } = queueOf({ atOnceMax: 1 });
  const hanging = start("a");
  void start("b");
  void start("c");
  await started();
  clock.pass(1_999);
  assert.equal(await started(), "a");
  clock.pass(1);
  assert.equal(await started(), "ab");
  launches.get("a")?.resolve("late");
  assert.equal(await hanging, "late");
  assert.equal(await started(), "ab");
});

test("who is aborted while waiting leaves the queue", async () => {
  const { start, started, launches } = queueOf({ atOnceMax: 1 });
  const stop = new AbortController();
  void start("a");
  const waiting = start("b", stop.signal);
  void start("c");
  await started();
  stop.abort(new Error("not any more"));
  await assert.rejects(waiting, /not any more/);
  launches.get("a")?.resolve("");
  assert.equal(await started(), "ac");
});

test("I5: more than so many do not wait", async () => {
  const { start } = queueOf({ atOnceMax: 1, waitingMax: 1 });
  void start("a");
  void start("b");
  await assert.rejects(start("c"), {
    code: "plugin.launch_failed",
    message: "cannot start a plugin process: 1 others wait to be started",
  });
});

test("a turn that comes in the moment in which a launch is given up goes to the next", async () => {
  // Nobody knows how many microtasks lie between the two, so each distance is tried.
  for (let distance = 0; distance < 12; distance += 1) {
    const { start, started, launches } = queueOf({ atOnceMax: 1 });
    const giveUp = new AbortController();
    for (const name of ["a", "b", "c"]) {
      void start(name, name === "b" ? giveUp.signal : noSignal);
    }
    assert.equal(await started(), "a");
    launches.get("a")?.resolve("");
    for (let step = 0; step < distance; step += 1) await undefined;
    giveUp.abort();
    await started();
    launches.get("b")?.resolve("");
    assert.match(await started(), /^ab?c$/, `${distance} microtasks later`);
  }
});
