/** I2: which sink offsets are committed, against a plain record of what the plugin confirmed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SinkOffset } from "../../src/plugin/plugin.ts";
import { SinkPositions } from "../../src/task/sink-positions.ts";
import { holds } from "../harness/property.ts";

const partition = fc.nat({ max: 2 });
/** How far an answer is from what the Flush named. */
const shift = fc.oneof(fc.constant(0), fc.integer({ min: -9, max: 9 }));
const put = fc.record({
  at: fc.constant("put" as const),
  partition,
  count: fc.integer({ min: 1, max: 9 }),
});
/** The oldest put that is outstanding gets its result. */
const result = fc.record({
  at: fc.constant("result" as const),
  ok: fc.nat({ max: 4 }).map((n) => n > 0),
});
/** The plugin answers a flush with offsets of its own making. */
const flush = fc.record({
  at: fc.constant("flush" as const),
  answers: fc.array(fc.record({ partition, shift }), { minLength: 1, maxLength: 6 }),
  fails: fc.nat({ max: 4 }).map((n) => n === 0),
});
const step = fc.oneof(
  { arbitrary: put, weight: 4 },
  { arbitrary: result, weight: 4 },
  { arbitrary: flush, weight: 3 },
  fc.record({ at: fc.constant("ask-rewind" as const), partition, back: fc.nat({ max: 9 }) }),
  fc.constant({ at: "apply-rewinds" as const }),
  fc.record({ at: fc.constant("lose" as const), partition }),
  fc.record({ at: fc.constant("own" as const), partition, from: fc.nat({ max: 5 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class Sink {
  readonly positions = new SinkPositions();
  /** Next offset to put, for each partition that is ours. */
  readonly sent = new Map<number, number>();
  readonly outstanding: { partition: number; through: number; life: number }[] = [];
  /** Offsets below this one the plugin has confirmed, since it was last told to go back. */
  readonly confirmed = new Map<number, number>();
  readonly rewinding = new Map<number, number>();
  readonly committed: { partition: number; offset: number }[] = [];
  #lives = 0;
  readonly #life = new Map<number, number>();

  run(step: Step): void {
    switch (step.at) {
      case "own":
        if (!this.sent.has(step.partition)) this.#own(step.partition, step.from);
        break;
      case "lose":
        this.positions.forget([place(step.partition)]);
        this.sent.delete(step.partition);
        this.confirmed.delete(step.partition);
        this.rewinding.delete(step.partition);
        break;
      case "put":
        this.#put(step.partition, step.count);
        break;
      case "result":
        this.#result(step.ok);
        break;
      case "flush":
        this.#flush(step.answers, step.fails);
        break;
      case "ask-rewind": {
        const confirmed = this.confirmed.get(step.partition);
        if (confirmed === undefined) break;
        this.positions.markRewinding([place(step.partition)]);
        this.rewinding.set(step.partition, Math.max(0, confirmed - step.back));
        break;
      }
      case "apply-rewinds":
        this.#applyRewinds();
        break;
    }
  }

  #own(partition: number, from: number): void {
    this.positions.assign([{ ...place(partition), offset: from }]);
    this.#lives += 1;
    this.#life.set(partition, this.#lives);
    this.sent.set(partition, from);
    this.confirmed.set(partition, from);
  }

  #put(partition: number, count: number): void {
    const next = this.sent.get(partition);
    if (next === undefined || this.rewinding.size > 0) return;
    const through = next + count;
    this.sent.set(partition, through);
    this.positions.sent({ ...place(partition), firstOffset: next, nextOffset: through });
    this.outstanding.push({ partition, through, life: this.#life.get(partition) as number });
  }

  #result(ok: boolean): void {
    const put = this.outstanding.shift();
    // The host closes no partition while a put is outstanding; such puts are forgotten here.
    if (put === undefined || put.life !== this.#life.get(put.partition)) return;
    if (!this.sent.has(put.partition)) return;
    if (ok) {
      this.positions.took([{ ...place(put.partition), offset: put.through }]);
      this.confirmed.set(put.partition, put.through);
      return;
    }
    // All that follow are discarded, and what was not taken is read again.
    this.outstanding.length = 0;
    for (const { partition, offset } of this.positions.takeUnsent()) {
      assert.equal(offset, this.confirmed.get(partition), "reading goes on behind what was taken");
      this.sent.set(partition, offset);
    }
  }

  #flush(answers: readonly { partition: number; shift: number }[], fails: boolean): void {
    const named = this.positions.toFlush();
    for (const { partition, offset } of named) {
      assert.equal(offset, this.confirmed.get(partition), "a Flush names what was confirmed");
      assert.ok(!this.rewinding.has(partition), "and nothing that is being rewound");
    }
    if (fails) {
      this.outstanding.length = 0;
      for (const { partition, offset } of this.positions.rewindToCommitted()) {
        this.sent.set(partition, offset);
        this.confirmed.set(partition, offset);
        this.rewinding.delete(partition);
      }
      return;
    }
    const claimed = answers.map(({ partition, shift }): SinkOffset => {
      const about = named.find((one) => one.partition === partition)?.offset ?? 3;
      return { ...place(partition), offset: Math.max(0, about + shift) };
    });
    const safe = this.positions.safe(named, claimed);
    for (const { partition, offset } of safe) {
      const limit = named.find((one) => one.partition === partition)?.offset;
      assert.ok(limit !== undefined && offset <= limit, "nothing beyond what the Flush named");
      this.committed.push({ partition, offset });
    }
    this.positions.committed(safe);
  }

  #applyRewinds(): void {
    this.outstanding.length = 0;
    for (const { partition, offset } of this.positions.takeUnsent()) {
      this.sent.set(partition, offset);
    }
    const offsets = [...this.rewinding].map(([one, offset]) => ({ ...place(one), offset }));
    for (const { partition, offset } of this.positions.rewind(offsets)) {
      this.sent.set(partition, offset);
      this.confirmed.set(partition, offset);
    }
    this.rewinding.clear();
  }
}

const place = (partition: number) => ({ topic: "t", partition });

test("I2: a commit holds nothing the plugin did not confirm, through retries, rewinds and losses", () => {
  let commits = 0;
  holds(
    fc.property(fc.array(step, { minLength: 25, maxLength: 60 }), (steps) => {
      const sink = new Sink();
      for (const one of [0, 1, 2]) sink.run({ at: "own", partition: one, from: 0 });
      for (const one of steps) sink.run(one);
      commits += sink.committed.length;
    }),
    1_500,
  );
  assert.ok(commits > 1_000, `the inputs lead to ${commits} commits`);
});
