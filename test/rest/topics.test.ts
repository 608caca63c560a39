import assert from "node:assert/strict";
import { test } from "node:test";
import { startMemoryRest } from "../harness/memory-rest.ts";

const off = { error_code: 403, message: "Topic tracking is disabled." };
const noReset = { error_code: 403, message: "Topic tracking reset is disabled." };

const allowed: {
  name: string;
  tracking: { isOn: boolean; mayReset: boolean };
  list: unknown;
  reset: unknown;
}[] = [
  {
    name: "everything",
    tracking: { isOn: true, mayReset: true },
    list: { "a b": { topics: [] } },
    reset: undefined,
  },
  {
    name: "no reset",
    tracking: { isOn: true, mayReset: false },
    list: { "a b": { topics: [] } },
    reset: noReset,
  },
  { name: "nothing", tracking: { isOn: false, mayReset: false }, list: off, reset: off },
  { name: "a reset of nothing", tracking: { isOn: false, mayReset: true }, list: off, reset: off },
];

for (const { name, tracking, list, reset } of allowed) {
  test(`where the worker allows ${name}, the topics in use are answered for as Connect does`, async () => {
    const rest = await startMemoryRest({ topicTracking: tracking });
    try {
      const ask = async (method: string, path: string) => {
        const response = await fetch(`${rest.url}/connectors/a%20b/topics${path}`, { method });
        const text = await response.text();
        return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
      };
      const expect = (body: unknown, status: number) => ({
        status: (body as { error_code?: number } | undefined)?.error_code ?? status,
        body,
      });
      assert.deepEqual(await ask("GET", ""), expect(list, 200));
      assert.deepEqual(await ask("PUT", "/reset"), expect(reset, 202));
    } finally {
      await rest.close();
    }
  });
}
