/** The feed plugin: its own tests, the contract's kit, and entries of a real server through a host. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { assertKept, judge } from "../conformance/judged.ts";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { feedEnvironment } from "../harness/python.ts";
import { waitFor } from "../harness/wait-for.ts";

const { python, missing } = await feedEnvironment();
const skip = missing ?? false;
const source = join(repository, "plugins", "feed");
const program = join(source, "main.py");

/** The plugin as it is shipped, but with the tests' own environment. */
async function pluginFolder(folder: string): Promise<string> {
  const plugin = join(folder, "feed");
  await mkdir(plugin, { recursive: true });
  const manifest = JSON.parse(await readFile(join(source, "plugin.json"), "utf8"));
  manifest.command = [python, program];
  await writeFile(join(plugin, "plugin.json"), JSON.stringify(manifest));
  await copyFile(join(source, "conformance.json"), join(plugin, "conformance.json"));
  return plugin;
}

/** A server whose feed is what `feed` says at each look. */
async function serve(t: TestContext, feed: () => string): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/feed+json");
    response.end(feed());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function jsonFeed(items: { id: string }[]): string {
  return JSON.stringify({ version: "https://jsonfeed.org/version/1.1", title: "News", items });
}

test("the feed plugin's own tests pass", { skip }, () => {
  const args = ["-X", "dev", "-W", "error::ResourceWarning", "-m", "unittest", "discover", "-s"];
  const options = { cwd: source, encoding: "utf8", timeout: 120_000 } as const;
  const { status, stderr, error } = spawnSync(python, [...args, "tests"], options);
  assert.equal(error, undefined);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /Ran \d{2,} tests/);
});

test("plugin.json is what the feed plugin says of itself", { skip }, async () => {
  const { stdout } = spawnSync(python, [program, "manifest"], { encoding: "utf8" });
  const said = JSON.parse(stdout);
  const kept = JSON.parse(await readFile(join(source, "plugin.json"), "utf8"));
  assert.deepEqual(kept, { ...said, command: [".venv/bin/python", "main.py"] });
});

test("the feed plugin keeps the contract", { skip }, async (t) => {
  // With its own conformance.json, which has as many entries as are remembered: what was not
  // committed is still there for the next life.
  const path = await pluginFolder(await temporaryDirectory(t));
  const ids =
    "validate.types task.start task.stop task.restart source.columns source.size source.too-large source.pause source.drain source.resume source.failed";
  const report = await judge({ plugin: { at: "folder", path } }, ids.split(" "), 20_000);
  assertKept(report, []);
});

test("entries come once and in order, over a restart of the host", { skip }, async (t) => {
  const directory = await temporaryDirectory(t);
  const plugins = join(directory, "plugins");
  await pluginFolder(plugins);
  let newest = 3;
  let broken = true;
  const url = await serve(t, () => {
    if (broken) return "<!doctype html><p>under construction";
    const ids = Array.from({ length: newest }, (_, n) => ({ id: String(newest - n) }));
    return jsonFeed(ids);
  });
  const file = join(directory, "out.txt");
  const worker = {
    "plugin.path": `${plugins},${join(repository, "plugins", "file")}`,
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  };
  const feed = { "connector.class": "FeedSource", url, topic: "news", "poll.interval.ms": "50" };
  const sink = { "connector.class": "FileStreamSink", topics: "news", file };
  const ids = async () =>
    [...(await readFile(file, "utf8").catch(() => "")).matchAll(/\{id=(\d+),/g)].map(
      ([, id]) => id,
    );
  const upTo = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1));

  const host = await startHost({ directory, worker });
  t.after(() => host.kill());
  const wrong = await host.request("PUT", "/connectors/feed/config", { ...feed, url: "ftp://x" });
  assert.equal(wrong.status, 400);
  assert.match(
    wrong.body.message,
    /Invalid value ftp:\/\/x for configuration url: it has to begin/,
  );
  // Creating a connector asks the server, too.
  const page = await host.request("PUT", "/connectors/feed/config", feed);
  assert.equal(page.status, 400);
  assert.match(page.body.message, /there is no feed at http.*: it is a web page/);
  broken = false;
  for (const [name, config] of Object.entries({ feed, sink })) {
    const { status, body } = await host.request("PUT", `/connectors/${name}/config`, config);
    assert.equal(status, 201, JSON.stringify(body));
  }
  await waitFor(async () => (await ids()).length >= 3, { withinMs: 60_000, what: "three entries" });
  newest = 5;
  await waitFor(async () => (await ids()).length >= 5, { withinMs: 60_000, what: "two more" });
  assert.equal(await host.stop(), 0, host.log.slice(-30).join("\n"));

  newest = 6;
  const again = await startHost({ directory, worker });
  t.after(() => again.kill());
  await waitFor(async () => (await ids()).length >= 6, { withinMs: 60_000, what: "one more" });
  assert.equal(await again.stop(), 0, again.log.slice(-30).join("\n"));
  assert.deepEqual(await ids(), upTo(6));
});
