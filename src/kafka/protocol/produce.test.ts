/** Produce and InitProducerId against bytes written out by hand from the protocol guide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { initProducerId } from "./init-producer-id.ts";
import { produce } from "./produce.ts";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("a Produce request holds one batch of each partition", () => {
  const to = new WireWriter();
  const topics = [{ topic: "ab", partitions: [{ partition: 3, batch: Uint8Array.of(7, 8) }] }];
  produce.write(to, { transactionalId: null, acks: -1, timeoutMs: 30_000, topics }, 8);
  assert.deepEqual(
    Buffer.concat(to.parts()),
    hex("ffff ffff 00007530 00000001 0002 6162 00000001 00000003 00000002 0708"),
  );
});

const answered = "00000001 0002 6162 00000001 00000003";
const place = "0000000000000009 ffffffffffffffff 0000000000000000";
const throttled = "00000005";

for (const { name, version, bytes, expect } of [
  {
    name: "version 7 gives a number only",
    version: 7,
    bytes: `${answered} 0006 ${place} ${throttled}`,
    expect: { errorCode: 6, errorMessage: null },
  },
  {
    name: "version 8 gives the broker's text",
    version: 8,
    bytes: `${answered} 0057 ${place} 00000000 0002 6e6f ${throttled}`,
    expect: { errorCode: 87, errorMessage: "no" },
  },
  {
    name: "version 8 says which record is at fault",
    version: 8,
    bytes: `${answered} 0057 ${place} 00000001 00000004 0003 6f6c64 0002 6e6f ${throttled}`,
    expect: { errorCode: 87, errorMessage: "record 4: old" },
  },
]) {
  test(`an answer to Produce: ${name}`, () => {
    const from = new WireReader(hex(bytes));
    const answer = produce.read(from, version);
    const partition = { partition: 3, baseOffset: 9, logAppendTimeMs: -1, ...expect };
    assert.deepEqual(answer, { topics: [{ topic: "ab", partitions: [partition] }], throttleMs: 5 });
    assert.equal(from.leftBytes, 0);
  });
}

test("InitProducerId asks without a transactional id and reads id and epoch", () => {
  const to = new WireWriter();
  initProducerId.write(to, { transactionalId: null, transactionTimeoutMs: 60_000 }, 1);
  assert.deepEqual(Buffer.concat(to.parts()), hex("ffff 0000ea60"));
  const from = new WireReader(hex("00000000 0000 00000000000007d0 0003"));
  assert.deepEqual(initProducerId.read(from, 1), {
    errorCode: 0,
    producerId: 2_000,
    producerEpoch: 3,
  });
});
