/** What becomes of connectors whose processes crash, which are paused and which are stopped. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";
import { FilePairs } from "./file-pairs.ts";

/** In one host, which ends well after all of it. */
export function testLives(place: LogPlace): void {
  let directory: string;
  let pairs: FilePairs;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "bulkhead-test-"));
    pairs = await FilePairs.start(directory, { place });
  });
  after(async () => {
    pairs?.host.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  test("a crash fails the task and its connector with the reason, and leaves the neighbours alone", async () => {
    const { host } = pairs;
    await pairs.createPair("a");
    await pairs.createPair("b");
    await pairs.send("a", "first");
    const source = pairs.source("a");
    const neighbour = await host.pidOf(pairs.source("b"));

    process.kill(await host.pidOf(source), "SIGKILL");
    await host.waitForState(source, "FAILED");
    const { body } = await host.request("GET", `/connectors/${source}/status`);
    assert.match(body.tasks[0].trace, /plugin process \d+ \(file\) was killed by SIGKILL/);
    assert.match(body.connector.trace, /was killed by SIGKILL/);

    await pairs.send("b", "nobody else noticed");
    assert.equal(await host.pidOf(pairs.source("b")), neighbour);

    const restart = `/connectors/${source}/restart?includeTasks=true&onlyFailed=true`;
    assert.equal((await host.request("POST", restart)).status, 202);
    await host.waitForState(source, "RUNNING");
    await pairs.send("a", "second");
    assert.deepEqual(await pairs.linesOf("a"), ["first", "second"], "nothing came twice");
  });

  test("a paused sink takes nothing and goes on where it was; a stopped connector has no tasks", async () => {
    const { host } = pairs;
    await pairs.createPair("c");
    const sink = pairs.sink("c");
    await pairs.send("c", "one");
    await host.request("PUT", `/connectors/${sink}/pause`);
    await host.waitForState(sink, "PAUSED");
    await pairs.append("c", "two\n");
    await waitFor(
      async () =>
        (await host.tasks()).some(
          (task) =>
            task.connector === pairs.source("c") && task.metrics["source-record-write-total"] === 2,
        ),
      { withinMs: 20_000, what: "the second line to be in the topic" },
    );
    assert.deepEqual(await pairs.linesOf("c"), ["one"]);
    await host.request("PUT", `/connectors/${sink}/resume`);
    await waitFor(async () => (await pairs.linesOf("c")).length === 2, {
      withinMs: 30_000,
      what: "the second line to arrive",
    });

    assert.equal((await host.request("PUT", `/connectors/${sink}/stop`)).status, 204);
    const { body } = await host.request("GET", `/connectors/${sink}/status`);
    assert.equal(body.connector.state, "STOPPED");
    assert.deepEqual(body.tasks, []);
    await host.request("PUT", `/connectors/${sink}/resume`);
    await pairs.send("c", "three");
    assert.deepEqual(await pairs.linesOf("c"), ["one", "two", "three"]);
  });

  test("after all that the host ends well", async () => {
    const { host } = pairs;
    assert.equal(await host.stop(), 0, host.log.slice(-20).join("\n"));
  });
}
