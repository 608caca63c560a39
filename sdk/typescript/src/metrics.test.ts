import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import { MetricBatchSchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { Log } from "./log.ts";
import { MetricRegistry } from "./metrics.ts";

const told: string[] = [];
const note = (text: string) => void told.push(text);
const log: Log = { trace: note, debug: note, info: note, warn: note, error: note, fatal: note };

function sentBy(registry: MetricRegistry) {
  const batch = registry.batch();
  return batch && toJson(MetricBatchSchema, create(MetricBatchSchema, batch));
}

test("a batch has what is new and what has changed, and what its task took with it", () => {
  const registry = new MetricRegistry();
  const { metrics, close } = registry.open("c", 2, log);
  assert.equal(sentBy(registry), undefined);
  metrics.counter("rows.read", { doc: "rows", tags: { table: "a\ud800" } }).add(2);
  metrics.gauge("queue").set(7.5);
  const owner = [
    { name: "connector", value: "c" },
    { name: "task", value: "2" },
  ];
  assert.deepEqual(sentBy(registry), {
    descriptors: [
      {
        id: 1,
        name: "rows.read",
        tags: [...owner, { name: "table", value: "a\ufffd" }],
        type: "METRIC_TYPE_COUNTER",
        documentation: "rows",
      },
      { id: 2, name: "queue", tags: owner, type: "METRIC_TYPE_GAUGE" },
    ],
    values: [
      { id: 1, value: 2 },
      { id: 2, value: 7.5 },
    ],
  });
  assert.equal(sentBy(registry), undefined);
  metrics.counter("rows.read", { tags: { table: "a\ud800" } }).add();
  assert.deepEqual(sentBy(registry), { values: [{ id: 1, value: 3 }] });
  close();
  close();
  assert.deepEqual(sentBy(registry), { removed: [1, 2] });
});

test("what is no metric is refused, and what is too many goes nowhere, told once", () => {
  const registry = new MetricRegistry();
  const { metrics } = registry.open("c", 0, log);
  const tags = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`t${n}`, n]));
  assert.throws(() => metrics.counter("a b"), /a metric cannot be called "a b"/);
  assert.throws(() => metrics.counter("a", { tags }), /metric a has 21 tags; the limit is 20/);
  assert.throws(() => metrics.counter("a").add(-1), /a counter cannot grow by -1/);
  assert.throws(() => metrics.counter("a").add(Number.NaN), /a counter cannot grow by NaN/);
  assert.throws(() => metrics.gauge("a"), /metric a is a counter already/);
  assert.throws(() => metrics.gauge("b").set(Number.NaN), /a gauge cannot be NaN/);
  told.length = 0;
  for (let n = 0; n < 1_100; n += 1) metrics.counter(`n${n}`).add();
  assert.equal(registry.batch()?.values?.length, 1_000);
  assert.deepEqual(told, ["there are 1000 metrics already: n998 and further ones are not sent"]);
});
