/** Reading ahead, whatever happens meanwhile: each record once and in order from where it was last sought. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compressionOf } from "../../src/batch/compression.ts";
import type { Fetched } from "../../src/kafka/kafka.ts";
import { Fetcher } from "../../src/kafka/reader/fetcher.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { recordsOf } from "../harness/embedded-log.ts";
import { ScriptedLogs } from "../harness/kafka/scripted-logs.ts";
import { holdsAsync } from "../harness/property.ts";

const partitionCount = 3;
const steps = fc.array(
  fc.record({
    does: fc.constantFrom(
      ...["append", "append", "append", "poll", "poll", "pause", "resume", "seek", "move", "cut"],
    ),
    partition: fc.integer({ min: 0, max: partitionCount - 1 }),
    node: fc.integer({ min: 1, max: 2 }),
    count: fc.integer({ min: 1, max: 4 }),
    share: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    turns: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 60, size: "max" },
);
const rooms = fc.constantFrom(
  { bytesMax: 100, valueBytes: 1 },
  { bytesMax: 400, valueBytes: 1 },
  { bytesMax: 1_000_000, valueBytes: 1 },
  // Large enough for memory that is used again.
  { bytesMax: 60_000, valueBytes: 6_000 },
  { bytesMax: 1_000_000, valueBytes: 6_000 },
);
type Step = typeof steps extends fc.Arbitrary<(infer S)[]> ? S : never;

/** A fetcher with little room over two brokers, and what it must hand out next. */
class Round {
  readonly logs = new ScriptedLogs({ topics: { t: [1, 2, 1] }, nodes: [1, 2] });
  readonly fetcher: Fetcher;
  readonly #value: string;
  /** What the last poll gave, which is good until the next. */
  #handedOut: readonly Fetched[] = [];
  readonly #expected = Array.from({ length: partitionCount }, () => 0);
  readonly #paused = new Set<number>();

  constructor(bytesMax: number, valueBytes: number) {
    this.#value = "v".repeat(valueBytes);
    // Its runs are put together in memory that is used again.
    this.logs.partition("t", 1).compression = compressionOf({ "compression.type": "lz4" });
    this.fetcher = new Fetcher({
      transport: this.logs.transport,
      clientId: "test",
      readCommitted: false,
      autoOffsetReset: "earliest",
      logger: silentLogger(),
      config: {
        "fetch.max.bytes": String(bytesMax),
        "max.partition.fetch.bytes": String(150 * valueBytes),
        "fetch.max.wait.ms": "3",
        "retry.backoff.ms": "1",
        "retry.backoff.max.ms": "2",
      },
    });
    this.fetcher.assign(this.#expected.map((offset, partition) => ({ ...of(partition), offset })));
  }

  async step({ does, partition, node, count, share, turns }: Step): Promise<void> {
    const log = this.logs.partition("t", partition);
    if (does === "append") log.append(Array.from({ length: count }, () => this.#value));
    if (does === "poll") await this.#poll(0);
    if (does === "pause" || does === "resume") {
      this.fetcher.setPaused([of(partition)], does === "pause");
      if (does === "pause") this.#paused.add(partition);
      else this.#paused.delete(partition);
    }
    if (does === "seek") {
      const offset = Math.floor(share * (log.endOffset + 1));
      this.fetcher.seek(of(partition), offset);
      this.#expected[partition] = offset;
    }
    if (does === "move") this.logs.transport.map.setLeader("t", partition, node);
    if (does === "cut") this.logs.transport.disconnect(node);
    for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
  }

  async end(): Promise<void> {
    this.fetcher.setPaused([0, 1, 2].map(of), false);
    this.#paused.clear();
    const isOver = () =>
      this.#expected.every((next, each) => next === this.logs.partition("t", each).endOffset);
    const deadlineMs = performance.now() + 20_000;
    while (!isOver()) {
      assert.ok(performance.now() < deadlineMs, `reading stopped at ${this.#expected}`);
      await this.#poll(50);
    }
    assert.deepEqual(await this.fetcher.poll(0), []);
  }

  async #poll(timeoutMs: number): Promise<void> {
    const isWhole = recordsOf(this.#handedOut).every(({ value }) => value === this.#value);
    assert.ok(isWhole, "what was handed out has changed before the next poll");
    const fetched = await this.fetcher.poll(timeoutMs);
    this.#handedOut = fetched;
    for (const each of fetched) {
      assert.equal(this.#paused.has(each.partition), false);
      for (const { partition, offset } of recordsOf([each])) {
        assert.equal(offset, this.#expected[partition]);
        this.#expected[partition] = offset + 1;
      }
      assert.equal(each.nextOffset, this.#expected[each.partition]);
    }
  }
}

function of(partition: number) {
  return { topic: "t", partition };
}

test("nothing is lost, repeated or out of order through seeks, pauses, moves and cuts", async () => {
  await holdsAsync(
    fc.asyncProperty(steps, rooms, async (given, { bytesMax, valueBytes }) => {
      const round = new Round(bytesMax, valueBytes);
      try {
        for (const step of given) await round.step(step);
        await round.end();
      } finally {
        await round.fetcher.close();
      }
    }),
    60,
  );
});
