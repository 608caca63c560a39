import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { type TestContext, test } from "node:test";
import { logLevelsFrom } from "../../src/observe/log-levels.ts";
import { LogRings } from "../../src/observe/log-rings.ts";
import { createLogger } from "../../src/observe/logger.ts";
import type { RestOptions } from "../../src/rest/server.ts";
import { EventStream } from "../harness/event-stream.ts";
import { startMemoryRest } from "../harness/memory-rest.ts";
import { waitFor } from "../harness/wait-for.ts";

const config = { "connector.class": "FileStreamSource", file: "/tmp/in", topic: "t" };

/** A server with the connector `lines`, and its logger. */
async function withConnector(t: TestContext, options: Partial<RestOptions> = {}) {
  const levels = logLevelsFrom("trace");
  const clock = { now: 1, nowMs: () => clock.now, elapsedMs: () => 0, sleep: async () => {} };
  const rings = new LogRings({}, clock);
  const logger = createLogger({ levels, rings, destination: { write: () => {} } });
  const rest = await startMemoryRest({ log: { logger, levels, rings }, ...options });
  t.after(() => rest.close());
  const made = await fetch(`${rest.url}/connectors`, {
    method: "POST",
    body: JSON.stringify({ name: "lines", config }),
    headers: { "content-type": "application/json" },
  });
  assert.equal(made.status, 201);
  const own = logger.child({ connector: "lines" });
  return { rest, rings, clock, logger: own, url: `${rest.url}/bulkhead/connectors/lines/logs` };
}

// biome-ignore lint/suspicious/noExplicitAny: an answer's shape is what the assertions on it check
async function jsonOf(url: string): Promise<any> {
  return JSON.parse(await (await fetch(url)).text());
}

async function textsOf(url: string): Promise<string[]> {
  return (await jsonOf(url)).lines.map((line: { msg: string }) => line.msg);
}

test("the newest lines of a connector are told, by number, level and time", async (t) => {
  const { clock, logger, url } = await withConnector(t);
  logger.info({ task: 0 }, "one");
  logger.warn("two");
  const since = Date.parse("2026-01-31T12:00:00Z");
  clock.now = since;
  logger.debug("three");
  logger.error({ err: new Error("bad") }, "four");

  const { connector, lines } = await jsonOf(url);
  assert.equal(connector, "lines");
  const { id, time, ...rest } = lines[0];
  assert.match(id, /^[0-9a-z]+-1$/);
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.deepEqual(rest, { level: "info", connector: "lines", task: 0, msg: "one" });
  assert.equal(lines[3].err.message, "bad");
  assert.deepEqual(await textsOf(`${url}?lines=2`), ["three", "four"]);
  assert.deepEqual(await textsOf(`${url}?lines=0`), []);
  assert.deepEqual(await textsOf(`${url}?level=warn`), ["two", "four"]);
  assert.deepEqual(await textsOf(`${url}?level=WARN&lines=1`), ["four"]);
  assert.deepEqual(await textsOf(`${url}?since=${since}`), ["three", "four"]);
  assert.deepEqual(await textsOf(`${url}?since=2026-01-31T12:00:00Z`), ["three", "four"]);
});

test("text/plain gets lines for people", async (t) => {
  const { logger, url } = await withConnector(t);
  logger.warn({ task: 3 }, "look here");
  const response = await fetch(url, { headers: { accept: "text/plain" } });
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.match(
    await response.text(),
    /^\[.*Z\] WARN: look here \{"connector":"lines","task":3\}\n$/,
  );
});

const refusals: { query: string; says: RegExp }[] = [
  { query: "lines=-1", says: /^cannot use lines=-1: write a number from 0 to 1000$/ },
  { query: "level=loud", says: /^cannot use level=loud: write trace, debug/ },
  { query: "since=yesterday", says: /^cannot use since=yesterday: write a time as 2026-/ },
];

for (const { query, says } of refusals) {
  test(`logs?${query} is refused with what to write`, async (t) => {
    const { url } = await withConnector(t);
    const response = await fetch(`${url}?${query}`);
    assert.equal(response.status, 400);
    assert.match(JSON.parse(await response.text()).message, says);
  });
}

test("an unknown connector, a wrong method and a wrong type are answered as everywhere", async (t) => {
  const { rest, url } = await withConnector(t);
  const unknown = await fetch(`${rest.url}/bulkhead/connectors/nope/logs?follow=true`);
  assert.equal(unknown.status, 404);
  const body = { error_code: 404, message: "Connector nope not found" };
  assert.deepEqual(JSON.parse(await unknown.text()), body);
  assert.equal((await fetch(url, { method: "POST" })).status, 405);
  assert.equal((await fetch(url, { headers: { accept: "image/png" } })).status, 406);
  const json = { headers: { accept: "application/json" } };
  assert.equal((await fetch(`${url}?follow=true`, json)).status, 406);
  const head = await fetch(`${url}?follow=true`, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-type"), "text/event-stream");
  assert.equal(await head.text(), "");
});

test("a follower gets the last lines and then each as it comes, and can resume", async (t) => {
  const { logger, url } = await withConnector(t);
  for (const text of ["1", "2", "3"]) logger.info(text);
  const texts = (stream: EventStream) => stream.events.map(({ data }) => JSON.parse(data).msg);

  const first = await EventStream.open(`${url}?follow=true&lines=2&level=info`);
  assert.equal(first.response.headers.get("content-type"), "text/event-stream");
  await first.waitForEvents(2);
  logger.debug("too quiet");
  logger.info("4");
  await first.waitForEvents(3);
  assert.deepEqual(texts(first), ["2", "3", "4"]);
  first.close();

  const seen = first.events[1]?.id ?? "";
  const second = await EventStream.open(url, {
    accept: "text/event-stream",
    "last-event-id": seen,
  });
  await second.waitForEvents(2);
  assert.deepEqual(texts(second), ["too quiet", "4"]);
  second.close();

  // The number of another host's line says nothing here: all there is.
  const third = await EventStream.open(`${url}?follow=true`, { "last-event-id": "other-2" });
  await third.waitForEvents(5);
  assert.deepEqual(texts(third).slice(0, 3), ["1", "2", "3"]);
  third.close();
});

test("a follower that has nothing to read is told so from time to time", async (t) => {
  const { url } = await withConnector(t, { following: { heartbeatMs: 20 } });
  const stream = await EventStream.open(`${url}?follow=true`);
  await waitFor(() => stream.comments >= 3, { withinMs: 20_000 });
  assert.deepEqual(stream.events, []);
  stream.close();
});

test("a follower hears that its connector is gone, and that the host stops", async (t) => {
  const { rest, rings, url } = await withConnector(t);
  const first = await EventStream.open(`${url}?follow=true`);
  rings.keepOnly(() => false);
  await first.waitForEnd();
  assert.deepEqual(first.events, [
    { event: "end", id: undefined, data: '{"reason":"the connector is gone"}' },
  ]);
  const second = await EventStream.open(`${url}?follow=true`);
  const begun = performance.now();
  await rest.close();
  await second.waitForEnd();
  assert.equal(second.events.at(-1)?.data, '{"reason":"the host stops"}');
  assert.ok(performance.now() - begun < 20_000);
});

test("I5: so many may follow at a time, and who leaves makes room", async (t) => {
  const { url } = await withConnector(t, { following: { followersMax: 2 } });
  const open = () => EventStream.open(`${url}?follow=true`);
  const streams = [await open(), await open()];
  const third = await open();
  assert.equal(third.response.status, 429);
  streams[0]?.close();
  await waitFor(
    async () => {
      const next = await open();
      streams.push(next);
      return next.response.status === 200;
    },
    { withinMs: 20_000 },
  );
  for (const stream of streams) stream.close();
});

test("I5: a follower that does not read costs little, is told what it missed, and stops no host", async (t) => {
  const { logger, rest, url } = await withConnector(t);
  const call = request(`${url}?follow=true`);
  call.end();
  const [response] = await once(call, "response");
  t.after(() => call.destroy());
  response.pause();
  const before = process.memoryUsage();
  const text = "x".repeat(1_000);
  for (let n = 0; n < 50; n += 1) {
    for (let line = 0; line < 1_000; line += 1) logger.info(text);
    // Each round gives the stream its turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  const grown = heapUsed + external - before.heapUsed - before.external;
  assert.ok(grown < 40 * 1_024 * 1_024, `${grown} bytes for 50 MB of lines`);

  let read = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    read += chunk;
  });
  response.resume();
  const missed = () => {
    const counts = [...read.matchAll(/event: dropped\ndata: {"dropped":(\d+)}\n\n/g)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const sent = () => [...read.matchAll(/^id: /gm)].length;
  // Not one line is lost without being counted.
  await waitFor(() => missed() + sent() === 50_000, { withinMs: 20_000 });
  assert.ok(missed() > 10_000, `${missed()} missed`);

  response.pause();
  for (let line = 0; line < 10_000; line += 1) logger.info(text);
  const begun = performance.now();
  await rest.close();
  assert.ok(performance.now() - begun < 20_000);
});
