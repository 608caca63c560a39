/** What a person sees of a running host: logs, levels, plugins, readiness; over one real host. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { EventStream } from "../harness/event-stream.ts";
import { type HostProcess, repository, startHost } from "../harness/host-process.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";

/** The connectors of the last cases are gone when those have run. */
export function testWatching(place: LogPlace): void {
  let directory: string;
  let host: HostProcess;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "bulkhead-test-"));
    const plugins = ["plugins", "test/fixtures/talker"].map((path) => join(repository, path));
    host = await startHost({
      directory,
      worker: {
        "plugin.path": plugins.join(","),
        "restart.policy": "on-failure",
        "restart.delay.ms": "10",
        ...(await place.worker(directory)),
      },
      connectors: ["talk", "other"].map((name) => ({
        name,
        "connector.class": "TalkerSource",
        "fail.file": join(directory, `fail-${name}`),
      })),
    });
    for (const name of ["talk", "other"]) await host.waitForState(name, "RUNNING");
  });

  after(async () => {
    host?.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  interface Line {
    readonly id: string;
    readonly level: string;
    readonly msg: string;
    readonly [name: string]: unknown;
  }

  async function linesOf(connector: string, query = ""): Promise<readonly Line[]> {
    const path = `/bulkhead/connectors/${connector}/logs?lines=1000${query}`;
    return (await host.request("GET", path)).body.lines;
  }

  async function pingsOf(connector: string): Promise<number> {
    return (await linesOf(connector)).filter(({ msg }) => msg.startsWith("ping ")).length;
  }

  async function setLevel(logger: string, level: string): Promise<readonly string[]> {
    const { status, body } = await host.request("PUT", `/admin/loggers/${logger}`, { level });
    assert.equal(status, 200);
    return body;
  }

  const loggers: { logger: string; what: string; both: boolean }[] = [
    { logger: "plugin.talker", what: "a plugin's name", both: true },
    { logger: "connector.talk", what: "a connector's name", both: false },
    { logger: "fixture.talker", what: "the name of a class, or what it begins with", both: true },
    { logger: "root", what: "root", both: true },
  ];

  for (const { logger, what, both } of loggers) {
    test(`a level set by ${what} goes down to the plugin and back up`, async () => {
      const before = await pingsOf("talk");
      const others = await pingsOf("other");
      assert.ok((await setLevel(logger, "DEBUG")).includes(logger));
      await waitFor(async () => (await pingsOf("talk")) > before + 3, {
        withinMs: 20_000,
        what: `pings by ${logger}`,
      });
      if (both) await waitFor(async () => (await pingsOf("other")) > others, { withinMs: 20_000 });
      await setLevel(logger, "INFO");
      // What is judged after the change does not pass any more.
      const after = await pingsOf("talk");
      await host.request("GET", "/health");
      assert.equal(await pingsOf("talk"), after);
      if (!both) assert.equal(await pingsOf("other"), others);
    });
  }

  test("each line about a connector says whose it is: connector, task, plugin, pid and attempt", async () => {
    const count = async (text: string) =>
      (await linesOf("talk")).filter(({ msg }) => msg.includes(text)).length;
    const reads = await count("the task reads");
    await writeFile(join(directory, "fail-talk"), "");
    await waitFor(async () => (await count("the task reads")) > reads, { withinMs: 20_000 });
    await host.waitForState("talk", "RUNNING");

    const tasks = await host.tasks();
    const pid = tasks.find(({ connector }) => connector === "talk")?.pid;
    const lines = await linesOf("talk");
    const told = (text: string) => lines.filter(({ msg }) => msg.includes(text));
    for (const line of lines) {
      assert.equal(line["connector"], "talk", JSON.stringify(line));
      assert.equal(line["plugin"], "talker", JSON.stringify(line));
      if (line["part"] === "plugin") assert.equal(typeof line["pid"], "number");
      else assert.equal(typeof line["attempt"], "number", JSON.stringify(line));
    }
    const [said] = told("the task reads").slice(-1);
    assert.deepEqual([said?.["task"], said?.["pid"], said?.level], [0, pid, "info"]);
    const [printed] = told("a line on stdout").slice(-1);
    assert.deepEqual([printed?.["stream"], printed?.["pid"]], ["stdout", pid]);
    const [failed] = told("there was a file").filter(({ level }) => level === "error");
    assert.equal(typeof failed?.["pid"], "number");
    assert.deepEqual([failed?.["task"], failed?.["attempt"]], [0, 1]);
  });

  test("the plugins and their processes are told as they are", async () => {
    const { status, body } = await host.request("GET", "/bulkhead/plugins");
    assert.equal(status, 200);
    const names = body.plugins.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, ["blackhole", "datagen", "feed", "file", "stdio", "tail", "talker"]);
    assert.deepEqual(body.unusable, []);
    const pid = await host.pidOf("talk");
    const process = body.processes.find((one: { pid: number }) => one.pid === pid);
    const { plugin, version, use, state, connectors, stalled } = process;
    assert.deepEqual(
      { plugin, version, use, state, connectors, stalled },
      {
        plugin: "talker",
        version: "1.0.0",
        use: "connector",
        state: "ready",
        connectors: ["talk"],
        stalled: false,
      },
    );
    assert.ok(process.up_ms > 0);
    if (globalThis.process.platform === "linux") assert.ok(process.rss_bytes > 10_000_000);
  });

  test("a host that runs is live, ready and healthy", async () => {
    for (const path of ["/bulkhead/live", "/bulkhead/ready", "/health"]) {
      assert.equal((await host.request("GET", path)).status, 200, path);
    }
  });

  test("a follower sees a connector to its end, and then there is nothing to follow", async () => {
    const url = `${host.restUrl}/bulkhead/connectors/other/logs`;
    const stream = await EventStream.open(url, { accept: "text/event-stream" });
    await setLevel("connector.other", "DEBUG");
    await waitFor(() => stream.events.some(({ data }) => data.includes("ping ")), {
      withinMs: 20_000,
    });
    await host.request("DELETE", "/connectors/other");
    await stream.waitForEnd();
    assert.equal(stream.events.at(-1)?.data, '{"reason":"the connector is gone"}');
    const again = await EventStream.open(url, { accept: "text/event-stream" });
    assert.equal(again.response.status, 404);
  });

  test("a follower does not hold up the end of the host, and hears of it", async () => {
    const stream = await EventStream.open(
      `${host.restUrl}/bulkhead/connectors/talk/logs?follow=true`,
    );
    const begun = performance.now();
    assert.equal(await host.stop(), 0);
    assert.ok(performance.now() - begun < 20_000);
    await stream.waitForEnd();
    assert.equal(stream.events.at(-1)?.data, '{"reason":"the host stops"}');
  });
}
