import assert from "node:assert/strict";
import { request } from "node:http";
import { createServer } from "node:net";
import { test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import { ConfigError } from "../../src/base/error.ts";
import { createCatalog } from "../../src/plugin/catalog.ts";
import type { PluginClass } from "../../src/plugin/plugin.ts";
import { fileClasses } from "../harness/file-catalog.ts";
import { startMemoryRest } from "../harness/memory-rest.ts";

const source = {
  "connector.class": "FileStreamSource",
  file: "/tmp/in",
  topic: "t",
};

function post(url: string, body: unknown): Promise<Response> {
  return send("POST", `${url}/connectors`, body);
}

function send(method: string, url: string, body?: unknown): Promise<Response> {
  return fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: body === undefined ? {} : { "content-type": "application/json" },
  });
}

// biome-ignore lint/suspicious/noExplicitAny: an answer's shape is what the assertions on it check
async function bodyOf(response: Response): Promise<any> {
  return JSON.parse(await response.text());
}

test("a port that is in use is told with its address and what to do", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  assert.ok(address !== null && typeof address === "object");
  try {
    await assert.rejects(
      startMemoryRest({ listeners: [{ protocol: "http", host: "127.0.0.1", port: address.port }] }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(
          error.message,
          `cannot listen on http://127.0.0.1:${address.port}: the port is in use`,
        );
        assert.match(error.hint ?? "", /^stop the program that has it, or set listeners/);
        return true;
      },
    );
  } finally {
    taken.close();
  }
});

test("it serves every listener, and says on / what it speaks and in Server what it is", async (t) => {
  const anyPort = { protocol: "http", host: "127.0.0.1", port: 0 } as const;
  const rest = await startMemoryRest({ listeners: [anyPort, anyPort] });
  t.after(() => rest.close());
  const response = await fetch(rest.url);
  assert.equal(response.headers.get("server"), "bulkhead/0.1.0");
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(await bodyOf(response), {
    version: "4.1.1",
    commit: "0000000000000000",
    kafka_cluster_id: "memory-cluster",
  });
});

test("a request that takes too long is answered, and its work goes on", async (t) => {
  const gate = deferred();
  const rest = await startMemoryRest({ requestMsMax: 50 }, { ready: gate.promise });
  t.after(() => rest.close());
  const late = await fetch(`${rest.url}/connectors`);
  assert.equal(late.status, 500);
  assert.deepEqual(await bodyOf(late), { error_code: 500, message: "Request timed out" });
  gate.resolve();
  assert.equal((await fetch(`${rest.url}/connectors`)).status, 200);
});

const pulses: { name: string; ready: boolean; ping: boolean; status: number; word: string }[] = [
  { name: "ready and served", ready: true, ping: true, status: 200, word: "healthy" },
  { name: "still starting", ready: false, ping: true, status: 503, word: "starting" },
  { name: "ready and stuck", ready: true, ping: false, status: 500, word: "unhealthy" },
];

for (const { name, ready, ping, status, word } of pulses) {
  test(`a worker that is ${name} is ${word}`, async (t) => {
    const never = new Promise<void>(() => {});
    const rest = await startMemoryRest(
      { healthMsMax: 50 },
      { ready: ready ? Promise.resolve() : never, ping: () => (ping ? Promise.resolve() : never) },
    );
    t.after(() => rest.close());
    const response = await fetch(`${rest.url}/health`);
    assert.equal(response.status, status);
    assert.equal((await bodyOf(response)).status, word);
    assert.equal((await fetch(rest.url)).status, 200);
  });
}

test("I6: closing waits for running requests, but not longer than it was told", async () => {
  const gate = deferred();
  const rest = await startMemoryRest({ closeMsMax: 60_000 }, { ready: gate.promise });
  const running = fetch(`${rest.url}/connectors`);
  // The request is inside once a later one on another connection was answered.
  await fetch(rest.url);
  const closed = rest.close();
  gate.resolve();
  assert.equal((await running).status, 200);
  await closed;
  await assert.rejects(fetch(rest.url));

  const stuck = await startMemoryRest({ closeMsMax: 50 }, { ready: new Promise<void>(() => {}) });
  const cut = fetch(`${stuck.url}/connectors`);
  await fetch(stuck.url);
  await stuck.close();
  await assert.rejects(cut);
});

test("a null under a plugin's own key passes the validation and is refused all the same", async (t) => {
  const rest = await startMemoryRest();
  t.after(() => rest.close());
  const response = await post(rest.url, { name: "a", config: { ...source, topic: null } });
  assert.deepEqual(await bodyOf(response), {
    error_code: 500,
    message: "Non-string value found in original settings for key topic: null",
  });
});

test("the name of a config must be that of its request", async (t) => {
  const rest = await startMemoryRest();
  t.after(() => rest.close());
  const put = await send("PUT", `${rest.url}/connectors/a/config`, { ...source, name: "b" });
  assert.equal(put.status, 400);
  const message = "Connector name configuration (b) doesn't match connector name in the URL (a)";
  assert.deepEqual(await bodyOf(put), { error_code: 400, message });
  const nameless = await post(rest.url, { config: source });
  assert.equal(nameless.status, 400);
  assert.match((await bodyOf(nameless)).message, /configuration name: String may not be empty/);
});

test("names of any kind can be addressed by their encoded form", async (t) => {
  const rest = await startMemoryRest();
  t.after(() => rest.close());
  for (const name of ["a;b", "what?#", "ä 🚀", "50+", "__proto__", "x".repeat(300)]) {
    const made = await post(rest.url, { name, config: source });
    assert.equal(made.status, 201, name);
    const read = await fetch(`${rest.url}/connectors/${encodeURIComponent(name)}/config`);
    assert.deepEqual(await bodyOf(read), { ...source, name });
  }
  const listed = await bodyOf(await fetch(`${rest.url}/connectors?expand=status`));
  assert.equal(Object.keys(listed).length, 6);
});

test("a refused feature is a 400 that names its key", async (t) => {
  const rest = await startMemoryRest();
  t.after(() => rest.close());
  const response = await post(rest.url, {
    name: "a",
    config: { ...source, "offsets.storage.topic": "x" },
  });
  assert.equal(response.status, 400);
  assert.match(
    (await bodyOf(response)).message,
    /\noffsets.storage.topic is not supported by this version/,
  );
  assert.deepEqual(await bodyOf(await fetch(`${rest.url}/connectors`)), []);
});

const bodies: { name: string; body: unknown; says: RegExp }[] = [
  {
    name: "an unknown member",
    body: { name: "a", config: source, tasks: 1 },
    says: /^Unrecognized field "tasks" \(class .*3 known properties/,
  },
  {
    name: "an unknown state",
    body: { name: "a", config: source, initial_state: "FAILED" },
    says: /^Cannot construct instance of .*Unsupported initial state 'FAILED'/,
  },
  {
    name: "a nested value",
    body: { name: "a", config: { ...source, more: {} } },
    says: /^Cannot deserialize value of type `java.lang.String` from Object value/,
  },
];

for (const { name, body, says } of bodies) {
  test(`a body with ${name} is a 500 in the words of Connect's JSON library`, async (t) => {
    const rest = await startMemoryRest();
    t.after(() => rest.close());
    const response = await post(rest.url, body);
    assert.equal(response.status, 500);
    assert.match((await bodyOf(response)).message, says);
  });
}

test("I5: a body over the limit is refused before it is read", async (t) => {
  const rest = await startMemoryRest();
  t.after(() => rest.close());
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": 17 * 1024 * 1024 };
    const call = request(`${rest.url}/connectors`, { method: "POST", headers }, (response) => {
      resolve(response.statusCode);
      call.destroy();
    });
    call.once("error", reject);
    call.flushHeaders();
  });
  assert.equal(status, 413);
});

const plugins: { path: string; status: number; says: RegExp }[] = [
  { path: "FileStreamSource/config?version=0.1.0", status: 200, says: /"batch.size"/ },
  { path: "FileStreamSource/config?version=latest", status: 200, says: /"batch.size"/ },
  {
    path: "FileStreamSource/config?version=0.0.1",
    status: 400,
    says: /Plugin FileStreamSource not found that matches the version range \[0.0.1,0.0.1\], available versions: \[0.1.0\]/,
  },
  {
    path: "FileStreamSource/config?version=%5Bx",
    status: 400,
    says: /Invalid version specification: \[x/,
  },
  { path: "Json/config", status: 200, says: /^\[\{"name":"converter.type".*"schemas.enable"/ },
  { path: "Nope/config", status: 404, says: /"Unknown plugin Nope\."/ },
];

for (const { path, status, says } of plugins) {
  test(`the keys of ${path}: ${status}`, async (t) => {
    const rest = await startMemoryRest();
    t.after(() => rest.close());
    const response = await fetch(`${rest.url}/connector-plugins/${path}`);
    assert.equal(response.status, status);
    assert.match(await response.text(), says);
  });
}

test("of a class with several versions all are listed, and the keys are those of the one asked for", async (t) => {
  const [, source] = fileClasses as [PluginClass, PluginClass];
  const older = { ...source, version: "0.0.9", config: source.config.slice(0, 1) };
  const { classes, find, versions } = createCatalog([...fileClasses, older], []);
  let looks = 0;
  const look = async () => {
    looks += 1;
  };
  const catalog = { classes, unusable: [], find, versions, look };
  const rest = await startMemoryRest({ catalog });
  t.after(() => rest.close());
  const get = async (path: string) => bodyOf(await fetch(`${rest.url}/connector-plugins${path}`));
  assert.deepEqual(
    (await get("")).map(({ type, version }: Record<string, string>) => `${type} ${version}`),
    ["sink 0.1.0", "source 0.0.9", "source 0.1.0"],
  );
  assert.equal(looks, 1);
  const keys = async (query: string) =>
    (await get(`/FileStreamSource/config${query}`)).map(({ name }: { name: string }) => name);
  assert.ok((await keys("")).includes("batch.size"));
  assert.ok(!(await keys("?version=0.0.9")).includes("batch.size"));
  const { message } = await get("/FileStreamSource/config?version=7");
  assert.match(message, /available versions: \[0.0.9, 0.1.0\]/);
});

test("OPTIONS names the methods of a path", async (t) => {
  const rest = await startMemoryRest();
  t.after(() => rest.close());
  const response = await fetch(`${rest.url}/connectors`, { method: "OPTIONS" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("allow"), "HEAD,GET,POST,OPTIONS");
  assert.equal(response.headers.get("content-type"), "text/plain");
});

test("tasks with their processes are told beyond Connect's API", async (t) => {
  const task = { connector: "a", task: 0, state: "RUNNING", pid: 4711, metrics: {} };
  const rest = await startMemoryRest({ runningTasks: () => [task] });
  t.after(() => rest.close());
  assert.deepEqual(await bodyOf(await fetch(`${rest.url}/bulkhead/tasks`)), { tasks: [task] });
});
