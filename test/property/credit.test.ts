/** Credit between the SDK's end and the host's, with messages on their way in both directions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Credit as SenderCredit } from "../../sdk/typescript/src/credit.ts";
import { Credit as ReceiverCredit } from "../../src/plugin/credit.ts";
import { holds } from "../harness/property.ts";

interface Cost {
  readonly records: number;
  readonly bytes: number;
}

const cost = fc.record({
  records: fc.integer({ min: 1, max: 10_000 }),
  bytes: fc.integer({ min: 4_096, max: 64 * 1_024 * 1_024 }),
});
const step = fc.oneof(
  fc.record({ at: fc.constant("grant" as const), cost }),
  fc.record({ at: fc.constant("send" as const), cost }),
  fc.constantFrom(
    { at: "deliver-grant" } as const,
    { at: "deliver-batch" } as const,
    {
      at: "give-back",
    } as const,
  ),
);

/** One stream: what each end believes and what is between them, first sent first arrived. */
class Stream {
  readonly sender = new SenderCredit();
  readonly receiver = new ReceiverCredit();
  readonly grants: Cost[] = [];
  readonly batches: Cost[] = [];
  /** Received and not given back. */
  readonly held: Cost[] = [];
  granted: Cost = { records: 0, bytes: 0 };

  grant({ records, bytes }: Cost): void {
    this.receiver.add(records, bytes);
    this.granted = {
      records: this.granted.records + records,
      bytes: this.granted.bytes + bytes,
    };
    this.grants.push({ records, bytes });
  }

  send(batch: Cost): void {
    if (!this.sender.available) return;
    this.sender.spend(batch.records, batch.bytes);
    this.batches.push(batch);
  }

  deliverGrant(): void {
    const grant = this.grants.shift();
    if (grant !== undefined) this.sender.add(grant.records, grant.bytes);
  }

  deliverBatch(): void {
    const batch = this.batches.shift();
    if (batch === undefined) return;
    this.receiver.receive(batch.records, batch.bytes);
    this.held.push(batch);
  }

  giveBack(): void {
    const batch = this.held.shift();
    if (batch === undefined) return;
    this.receiver.add(batch.records, batch.bytes);
    this.grants.push(batch);
  }
}

function run(stream: Stream, one: typeof step extends fc.Arbitrary<infer S> ? S : never): void {
  if (one.at === "grant") stream.grant(one.cost);
  else if (one.at === "send") stream.send(one.cost);
  else if (one.at === "deliver-grant") stream.deliverGrant();
  else if (one.at === "deliver-batch") stream.deliverBatch();
  else stream.giveBack();
}

test("I5: who sends only with credit is never refused, and overdraws by one batch at most", () => {
  holds(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const stream = new Stream();
      let largest: Cost = { records: 0, bytes: 0 };
      for (const one of steps) {
        if (one.at === "send") {
          largest = {
            records: Math.max(largest.records, one.cost.records),
            bytes: Math.max(largest.bytes, one.cost.bytes),
          };
        }
        run(stream, one);
        const open = [...stream.batches, ...stream.held];
        const records = open.reduce((sum, batch) => sum + batch.records, 0);
        const bytes = open.reduce((sum, batch) => sum + batch.bytes, 0);
        assert.ok(records < stream.granted.records + largest.records || records === 0);
        assert.ok(bytes < stream.granted.bytes + largest.bytes || bytes === 0);
      }
    }),
    1_000,
  );
});

test("when all has arrived and all was given back, both ends know of the credit there was", () => {
  holds(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const stream = new Stream();
      for (const one of steps) run(stream, one);
      while (stream.batches.length + stream.held.length + stream.grants.length > 0) {
        stream.deliverBatch();
        stream.giveBack();
        stream.deliverGrant();
      }
      const { sender, receiver, granted } = stream;
      assert.deepEqual({ records: sender.records, bytes: sender.bytes }, granted);
      assert.deepEqual({ records: receiver.records, bytes: receiver.bytes }, granted);
    }),
    1_000,
  );
});

test("I5: a batch sent after the credit was spent, with none on its way, is refused", () => {
  holds(
    fc.property(fc.array(step, { maxLength: 60 }), cost, (steps, batch) => {
      const stream = new Stream();
      for (const one of steps) run(stream, one);
      while (stream.batches.length > 0) stream.deliverBatch();
      while (stream.grants.length > 0) stream.deliverGrant();
      fc.pre(!stream.sender.available);
      assert.throws(() => stream.receiver.receive(batch.records, batch.bytes), {
        code: "plugin.protocol_error",
        message: /without credit/,
      });
    }),
    300,
  );
});
