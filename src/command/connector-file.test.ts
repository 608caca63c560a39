import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConnectorFile } from "./connector-file.ts";

const cases = [
  {
    name: "a name with a config",
    text: '{"name":"a","config":{"tasks.max":2,"x":true},"initial_state":"paused"}',
    expect: {
      name: "a",
      config: { "tasks.max": "2", x: "true", name: "a" },
      initialState: "PAUSED",
    },
  },
  {
    name: "a flat map",
    text: '{"name":"a","topic":"t"}',
    expect: { name: "a", config: { name: "a", topic: "t" }, initialState: undefined },
  },
  {
    name: "properties with an escape and a continued line",
    text: "name=a\ntopics = one,\\\n  two\nkey\\:x=\\u00e9\n",
    expect: {
      name: "a",
      config: { name: "a", topics: "one,two", "key:x": "é" },
      initialState: undefined,
    },
  },
];

const refused = [
  { name: "without a name", text: "topic=t\n", message: /it has no name/ },
  {
    name: "with JSON that breaks off",
    text: '{"name":"a",',
    message: /it is not JSON: check its quotes, commas and brackets at position 12$/,
  },
  {
    name: "with JSON that has a password without quotes",
    text: '{"name":"a","password":hunter2}',
    message: /it is not JSON: check its quotes, commas and brackets$/,
  },
  { name: "with a JSON array", text: "[1]", message: /not an object/ },
  { name: "with a nested value", text: '{"name":"a","x":{"y":1}}', message: /the value of x/ },
  {
    name: "with an unknown state",
    text: '{"name":"a","config":{},"initial_state":"asleep"}',
    message: /RUNNING, PAUSED or STOPPED, not asleep/,
  },
  {
    name: "with a stray member",
    text: '{"name":"a","config":{},"state":"PAUSED"}',
    message: /unknown member state/,
  },
];

async function withFile(text: string, work: (path: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-"));
  try {
    const path = join(directory, "connector");
    await writeFile(path, text);
    await work(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}

for (const { name, text, expect } of cases) {
  test(`a connector file may be ${name}`, () =>
    withFile(text, async (path) =>
      assert.deepEqual(await readConnectorFile(path), { path, ...expect }),
    ));
}

for (const { name, text, message } of refused) {
  test(`a connector file ${name} is refused with its path`, () =>
    withFile(text, async (path) => {
      await assert.rejects(readConnectorFile(path), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(path));
        return true;
      });
    }));
}

test("a connector file that is not there is named", async () => {
  await assert.rejects(readConnectorFile("/nowhere/a.json"), /cannot read the connector file/);
});
