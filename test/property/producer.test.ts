/** The producer of the Kafka driver against brokers that fail in every way at any time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Fault, ModelCluster } from "../harness/kafka/model-cluster.ts";
import { ProducerRun } from "../harness/kafka/producer-run.ts";
import { holdsAsync } from "../harness/property.ts";

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fault>({ at: "none" }) },
  { weight: 2, arbitrary: fc.constant<Fault>({ at: "request-lost" }) },
  { weight: 2, arbitrary: fc.constant<Fault>({ at: "answer-lost" }) },
  { weight: 1, arbitrary: fc.constant<Fault>({ at: "moved" }) },
  fc.constantFrom<Fault>(
    { at: "refused", code: 3 },
    { at: "refused", code: 6 },
    { at: "refused", code: 19 },
    { at: "refused", code: 56 },
    { at: "written-but", code: 7 },
    { at: "written-but", code: 20 },
  ),
);

const work = fc.record({
  partitions: fc.integer({ min: 1, max: 3 }),
  nodes: fc.integer({ min: 1, max: 2 }),
  inFlightMax: fc.integer({ min: 1, max: 5 }),
  lingerMs: fc.constantFrom(0, 5),
  batchBytes: fc.constantFrom(100, 300, 16_384),
  requestBytes: fc.constantFrom(400, 1_048_576),
  messageBytesMax: fc.constantFrom(120, 200, Number.POSITIVE_INFINITY),
  compression: fc.constantFrom("none", "gzip"),
  faults: fc.array(fault, { maxLength: 40 }),
  /** How many records each time before the event loop goes on. */
  bursts: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 }),
});

async function runOf(
  { faults, bursts, ...given }: typeof work extends fc.Arbitrary<infer W> ? W : never,
  config: Record<string, string>,
  beforeRequest: (soFar: number, cluster: ModelCluster) => void = () => {},
): Promise<{ run: ProducerRun; sent: string[] }> {
  const nodes = Array.from({ length: given.nodes }, (_, n) => n + 1);
  const leaders = Array.from({ length: given.partitions }, (_, n) => nodes[n % nodes.length] ?? 1);
  const run = new ProducerRun(
    { nodes, topics: { t: leaders } },
    {
      "max.in.flight.requests.per.connection": String(given.inFlightMax),
      "linger.ms": String(given.lingerMs),
      "batch.size": String(given.batchBytes),
      "max.request.size": String(given.requestBytes),
      "compression.type": given.compression,
      "delivery.timeout.ms": "2147483647",
      ...config,
    },
  );
  run.cluster.messageBytesMax = given.messageBytesMax;
  const left = [...faults];
  let requests = 0;
  run.cluster.nextFault = () => {
    beforeRequest(requests, run.cluster);
    requests += 1;
    return left.shift() ?? { at: "none" };
  };
  const sent: string[] = [];
  for (const burst of bursts) {
    for (let n = 0; n < burst; n += 1) {
      const value = `v${sent.length}`;
      sent.push(value);
      // Keyed, sticky and explicit partitions side by side.
      const way = sent.length % 3;
      if (way === 0) run.send(value, { key: `k${sent.length % 7}` });
      else if (way === 1) run.send(value);
      else run.send(value, { partition: sent.length % given.partitions });
    }
    await new Promise(setImmediate);
  }
  await run.until(sent.length);
  return { run, sent };
}

const numberOf = (value: string) => Number(value.slice(1));
const byNumber = (one: string, other: string) => numberOf(one) - numberOf(other);
const isAscending = (values: readonly string[]) =>
  values.every((value, n) => n === 0 || numberOf(values[n - 1] ?? "") < numberOf(value));

test("I7: idempotent, every record is there once, in order, where its receipt says", async () => {
  await holdsAsync(
    fc.asyncProperty(work, async (given) => {
      const { run, sent } = await runOf(given, { "enable.idempotence": "true" });
      assert.deepEqual(run.errors, []);
      assert.equal(run.outcomes.length, sent.length);
      const all: string[] = [];
      for (let partition = 0; partition < given.partitions; partition += 1) {
        const values = run.cluster.values("t", partition);
        assert.ok(isAscending(values), `partition ${partition}: ${values}`);
        assert.deepEqual(run.stored(partition), values);
        all.push(...values);
      }
      assert.equal(all.length, sent.length);
      for (const { value, at } of run.outcomes) {
        assert.equal(run.cluster.values("t", at?.partition ?? -1)[at?.offset ?? -1], value);
      }
      assert.ok(run.cluster.inFlightMost <= given.inFlightMax);
      await run.producer.close(0);
    }),
    120,
  );
});

test("I7: a limit that is lowered between the tries of a batch makes no record come twice", async () => {
  const lowered = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(120, 200));
  await holdsAsync(
    fc.asyncProperty(work, lowered, async (given, [afterRequests, messageBytesMax]) => {
      const config = { "enable.idempotence": "true" };
      const { run } = await runOf({ ...given, messageBytesMax: 400 }, config, (soFar, cluster) => {
        if (soFar === afterRequests) cluster.messageBytesMax = messageBytesMax;
      });
      for (let partition = 0; partition < given.partitions; partition += 1) {
        const values = run.cluster.values("t", partition);
        assert.equal(new Set(values).size, values.length, `partition ${partition}: ${values}`);
        assert.ok(isAscending(values), `partition ${partition}: ${values}`);
      }
      for (const { value, at, error } of run.outcomes) {
        if (error !== undefined) assert.match(error.message, /so they may be stored already$/);
        else assert.ok(run.cluster.values("t", at?.partition ?? -1).includes(value));
      }
      await run.producer.close(0);
    }),
    80,
  );
});

test("without idempotence: nothing is lost, and with one request at a time order is kept", async () => {
  await holdsAsync(
    fc.asyncProperty(work, async (given) => {
      const { run, sent } = await runOf(given, { "enable.idempotence": "false" });
      assert.deepEqual(run.errors, []);
      assert.equal(run.outcomes.length, sent.length);
      let count = 0;
      for (let partition = 0; partition < given.partitions; partition += 1) {
        const firsts = [...new Set(run.cluster.values("t", partition))];
        const told = run.stored(partition);
        assert.ok(isAscending(told), `partition ${partition}: ${told}`);
        assert.deepEqual(given.inFlightMax === 1 ? firsts : [...firsts].sort(byNumber), told);
        count += firsts.length;
      }
      assert.equal(count, sent.length);
      await run.producer.close(0);
    }),
    60,
  );
});
