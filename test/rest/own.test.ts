import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import type { ProcessView } from "../../src/plugin/plugin.ts";
import { fileCatalog } from "../harness/file-catalog.ts";
import { startMemoryRest } from "../harness/memory-rest.ts";
import { waitFor } from "../harness/wait-for.ts";

async function get(url: string) {
  const response = await fetch(url);
  return { status: response.status, body: JSON.parse(await response.text()) };
}

const view: ProcessView = {
  plugin: "file",
  version: "0.1.0",
  pid: 4711,
  use: "connector",
  at: "ready",
  connectors: ["lines"],
  upMs: 1_000.4,
  rssBytes: 52_428_800,
  cpuMs: 12.6,
  sinceHeartbeatMs: null,
  stalled: false,
  restarts: 1,
  lastExit: {
    text: "plugin process 4700 (file) was killed by SIGKILL",
    at: "2026-01-31T12:00:00Z",
  },
  tasks: [
    {
      connector: "lines",
      task: 0,
      activity: "polling",
      activityMs: 5,
      sinceProgressMs: 7,
      transientFailure: null,
    },
  ],
};

test("plugins are told with what is loaded, what is not and why, and their processes", async (t) => {
  const unusable = [{ path: "/plugins/cut/plugin.json", reason: "it is not JSON" }];
  const catalog = { ...fileCatalog, unusable };
  const rest = await startMemoryRest({ catalog, processes: () => [view] });
  t.after(() => rest.close());
  const { status, body } = await get(`${rest.url}/bulkhead/plugins`);
  assert.equal(status, 200);
  const [file] = body.plugins;
  assert.equal(file.name, "file");
  assert.equal(file.version, "0.1.0");
  assert.equal(typeof file.location, "string");
  assert.deepEqual(file.classes, [
    {
      class: "org.apache.kafka.connect.file.FileStreamSinkConnector",
      type: "sink",
      version: "0.1.0",
    },
    {
      class: "org.apache.kafka.connect.file.FileStreamSourceConnector",
      type: "source",
      version: "0.1.0",
    },
  ]);
  assert.deepEqual(body.unusable, unusable);
  assert.deepEqual(body.processes, [
    {
      plugin: "file",
      version: "0.1.0",
      pid: 4711,
      use: "connector",
      state: "ready",
      connectors: ["lines"],
      up_ms: 1_000,
      rss_bytes: 52_428_800,
      cpu_ms: 13,
      restarts: 1,
      last_exit: view.lastExit,
      since_heartbeat_ms: null,
      stalled: false,
      tasks: [
        {
          connector: "lines",
          task: 0,
          activity: "polling",
          activity_ms: 5,
          since_progress_ms: 7,
          transient_failure: null,
        },
      ],
    },
  ]);
});

const never = new Promise<void>(() => {});
const readiness: {
  name: string;
  ready?: Promise<void>;
  ping?: () => Promise<void>;
  reachLog?: () => Promise<void>;
  missing: { part: string; reason: string }[];
}[] = [
  { name: "has caught up and reaches its log", missing: [] },
  {
    name: "is still starting",
    ready: never,
    missing: [{ part: "herder", reason: "it is still reading what the worker shall run" }],
  },
  {
    name: "is stuck",
    ping: () => never,
    missing: [{ part: "herder", reason: "it did not answer within 50 ms" }],
  },
  {
    name: "is stopping",
    ping: () => Promise.reject(new Error("Worker is shutting down")),
    missing: [{ part: "herder", reason: "Worker is shutting down" }],
  },
  {
    name: "has lost its log",
    reachLog: () => Promise.reject(new Error("no broker answers")),
    missing: [{ part: "log", reason: "no broker answers" }],
  },
  {
    name: "waits for its log",
    ping: () => never,
    reachLog: () => never,
    missing: [
      { part: "herder", reason: "it did not answer within 50 ms" },
      { part: "log", reason: "it did not answer within 50 ms" },
    ],
  },
];

for (const { name, missing, reachLog, ...herder } of readiness) {
  test(`a worker that ${name} is live, and says what it lacks to be ready`, async (t) => {
    const rest = await startMemoryRest(
      { healthMsMax: 50, ...(reachLog === undefined ? {} : { reachLog }) },
      herder,
    );
    t.after(() => rest.close());
    const isReady = missing.length === 0;
    assert.deepEqual(await get(`${rest.url}/bulkhead/ready`), {
      status: isReady ? 200 : 503,
      body: { status: isReady ? "ready" : "not ready", missing },
    });
    assert.deepEqual(await get(`${rest.url}/bulkhead/live`), {
      status: 200,
      body: { status: "live" },
    });
  });
}

const own = ["plugins", "tasks", "live", "ready"].map((name) => `/bulkhead/${name}`);

for (const path of [...own, "/admin/loggers"]) {
  test(`${path} takes GET and HEAD only`, async (t) => {
    const rest = await startMemoryRest();
    t.after(() => rest.close());
    const head = await fetch(`${rest.url}${path}`, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    assert.equal((await fetch(`${rest.url}${path}`, { method: "DELETE" })).status, 405);
    assert.equal((await fetch(`${rest.url}${path}/more/of/it`)).status, 404);
  });
}

test("a starting worker says in Connect's words since when", async (t) => {
  const rest = await startMemoryRest({ healthMsMax: 50 }, { ready: never });
  t.after(() => rest.close());
  const { status, body } = await get(`${rest.url}/health`);
  assert.equal(status, 503);
  assert.match(
    body.message,
    /^Worker is still starting up\. The worker is currently awaiting startup, which began at \d{4}-.*Z\.$/,
  );
});

test("I6: a connection that never asked for anything does not hold up the end", async () => {
  const rest = await startMemoryRest();
  const socket = connect(Number(new URL(rest.url).port), "127.0.0.1");
  let isClosed = false;
  socket.once("close", () => {
    isClosed = true;
  });
  // The server has seen the connection when it answers a later one.
  await new Promise((resolve) => socket.once("connect", resolve));
  await fetch(rest.url);
  const begun = performance.now();
  await rest.close();
  assert.ok(performance.now() - begun < 20_000);
  await waitFor(() => isClosed, { withinMs: 20_000 });
});
