/** Something that does not stop takes its process with it; the others in it move, and none has failed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FaultHost, linesOf } from "../harness/bystander.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Over a log that may be shared. */
export function testCondemned(place: LogPlace): void {
  let fault: FaultHost;
  before(async () => {
    fault = await FaultHost.start({
      place,
      plugins: [{ name: "stuck", run: ["stuck", "stuck"] }],
      worker: {
        "plugin.process.per": "plugin",
        // Who is expected to stop in time does so on a busy machine too.
        "task.shutdown.graceful.timeout.ms": "2000",
      },
    });
  });
  after(() => fault.stop());

  const numbers = 5_000;
  const out = (name: string) => join(fault.directory, `${name}.txt`);

  /** A source that counts into a file, by a sink of the same plugin: both live in its one process. */
  async function mates(topic: string, config: Record<string, string> = {}): Promise<string[]> {
    const names = [`${topic}-in`, `${topic}-out`];
    await fault.create(`${topic}-in`, "stuck.Source", { topic, count: `${numbers}`, ...config });
    await fault.create(`${topic}-out`, "stuck.Sink", {
      topics: topic,
      file: out(topic),
      ...config,
    });
    for (const name of names) await fault.running(name);
    return names;
  }

  async function pidOf(name: string): Promise<number | undefined> {
    const tasks = await fault.host.tasks();
    return tasks.find(({ connector }) => connector === name)?.pid ?? undefined;
  }

  /** Everybody moves to a process of another pid; nobody is FAILED on the way. */
  async function allMove(names: readonly string[], cause: () => Promise<unknown>): Promise<void> {
    const before = await Promise.all(names.map(pidOf));
    assert.equal(new Set(before).size, 1);
    const seen = new Set<string>();
    const caused = cause();
    await waitFor(
      async () => {
        for (const name of names) {
          const status = await fault.status(name);
          for (const { state } of [status?.connector, ...(status?.tasks ?? [])].flatMap(
            (one) => one ?? [],
          )) {
            seen.add(state);
          }
        }
        const pids = await Promise.all(names.map(pidOf));
        return pids.every((pid) => pid !== undefined && pid !== before[0]);
      },
      { withinMs: 20_000, everyMs: 20, what: "everybody to move" },
    ).catch((error: Error) => assert.fail(`${error.message}\n${fault.describe()}`));
    await caused;
    for (const name of names) await fault.running(name);
    assert.ok(!seen.has("FAILED"), [...seen].join());
    assert.ok(
      !fault.host.log.some((line) => names.some((name) => line.includes(`${name}-0 failed`))),
    );
    const { body } = await fault.host.request("GET", "/bulkhead/plugins");
    assert.match(JSON.stringify(body), /was killed by the host: .*did not stop/);
  }

  /** Every number is there; repeats come only where a mate could not stop in time. */
  async function allCounted(topic: string, repeats: boolean): Promise<void> {
    const counted = async () => new Set(await linesOf(out(topic))).size;
    await waitFor(async () => (await counted()) >= numbers, {
      withinMs: 20_000,
      what: `${numbers} numbers`,
    }).catch(async (error: Error) => assert.fail(`${error.message}, not ${await counted()}`));
    if (!repeats) assert.equal((await linesOf(out(topic))).length, numbers);
  }

  test("a task that never stops: the others stop cleanly and go on in a new process", () =>
    fault.during(async () => {
      const topic = place.nameOf("clean");
      const names = await mates(topic);
      await fault.create("hangs-a", "stuck.Source", {
        topic: place.nameOf("other"),
        stuck: "on-stop",
      });
      await fault.running("hangs-a");
      await allMove(names, () => fault.delete("hangs-a"));
      await allCounted(topic, false);
      for (const name of names) await fault.delete(name);
    }));

  test("a Connector instance that never stops: its own task moves with the others", () =>
    fault.during(async () => {
      const topic = place.nameOf("own");
      const names = await mates(topic);
      await fault.create("hangs-b", "stuck.Source", {
        topic: place.nameOf("other"),
        stuck: "on-stop-connector",
      });
      await fault.running("hangs-b");
      await allMove([...names, "hangs-b"], () =>
        fault.host.request("POST", "/connectors/hangs-b/restart?includeTasks=false"),
      );
      await allCounted(topic, false);
      for (const name of names) await fault.delete(name);
      await fault.delete("hangs-b");
    }));

  test("others that do not stop in time either are killed with it, and have not failed", () =>
    fault.during(async () => {
      const topic = place.nameOf("late");
      const names = await mates(topic, { stuck: "on-drain" });
      await fault.create("hangs-c", "stuck.Source", {
        topic: place.nameOf("other"),
        stuck: "on-stop",
      });
      await fault.running("hangs-c");
      await allMove(names, () => fault.delete("hangs-c"));
      await allCounted(topic, true);
      for (const name of names) await fault.delete(name);
    }));
}
