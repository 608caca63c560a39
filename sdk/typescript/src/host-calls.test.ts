import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AnswerSchema, type CallSchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { HostCalls } from "./host-calls.ts";

/** A host that answers when the test says so. */
function asking(timeoutMs?: number) {
  const asked: { id: bigint; partitions: string[] }[] = [];
  const calls = new HostCalls((call: MessageInitShape<typeof CallSchema>) => {
    assert.ok(call.id !== undefined && call.kind?.case === "readOffsets");
    asked.push({ id: call.id, partitions: call.kind.value.partitions ?? [] });
  }, timeoutMs);
  const answer = (id: bigint, numbers: readonly (number | null)[], more = false) => {
    const offsets = numbers.map((n) => (n === null ? {} : { offset: `{"n":${n}}` }));
    const kind = { case: "readOffsets", value: { offsets } } as const;
    calls.answer(create(AnswerSchema, { id, more, kind }));
  };
  const fail = (id: bigint, text: string) => {
    const kind = { case: "failure", value: { text } } as const;
    calls.answer(create(AnswerSchema, { id, kind }));
  };
  return { calls, asked, answer, fail, reader: calls.offsets("c", 0) };
}

const partitions = (count: number) => Array.from({ length: count }, (_, p) => ({ p }));

test("an answer in parts is joined, each offset with the partition it was asked for", async () => {
  const { asked, answer, reader } = asking();
  const first = reader.offsets(partitions(5));
  const second = reader.offsets(partitions(2));
  answer(1n, [0, 1], true);
  answer(2n, [10], true);
  answer(1n, [], true);
  answer(1n, [null, 3], true);
  answer(2n, [11]);
  answer(1n, [4]);
  assert.deepEqual(await first, [{ n: 0 }, { n: 1 }, null, { n: 3 }, { n: 4 }]);
  assert.deepEqual(await second, [{ n: 10 }, { n: 11 }]);
  assert.equal(asked.length, 2);
});

test("more partitions than one call takes are asked for one call after the other", async () => {
  const { asked, answer, reader } = asking();
  const read = reader.offsets(partitions(1_001));
  answer(
    1n,
    Array.from({ length: 1_000 }, (_, n) => n),
  );
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  answer(2n, [1_000]);
  const found = await read;
  assert.deepEqual(
    found,
    Array.from({ length: 1_001 }, (_, n) => ({ n })),
  );
});

const wrong: { name: string; parts: number[][]; says: RegExp }[] = [
  { name: "too few", parts: [[1], [2]], says: /the offsets of c: .* 2 offsets for 3 partitions$/ },
  { name: "no", parts: [[]], says: / 0 offsets for 3 partitions$/ },
  { name: "too many", parts: [[1, 2], [3, 4], []], says: / 4 offsets for 3 partitions$/ },
];

for (const { name, parts, says } of wrong) {
  test(`an answer with ${name} offsets is refused whole`, async () => {
    const { answer, reader } = asking();
    const read = reader.offsets(partitions(3));
    parts.forEach((part, at) => {
      answer(1n, part, at < parts.length - 1);
    });
    await assert.rejects(read, says);
  });
}

test("a failure is the reason", async () => {
  const { answer, fail, reader } = asking();
  const read = reader.offsets(partitions(2));
  answer(1n, [1], true);
  fail(1n, "the store is away");
  await assert.rejects(read, /^Error: cannot read the offsets of c: the store is away$/);
});

test("no more than 64 calls are open, the others go in the order they came", async () => {
  const { asked, answer, reader } = asking();
  const reads = Array.from({ length: 70 }, (_, p) => reader.offset({ p }));
  assert.equal(asked.length, 64);
  answer(7n, [7], true);
  assert.equal(asked.length, 64, "a part is not the answer");
  answer(7n, []);
  assert.equal(asked.length, 65);
  // One that comes just then has to queue behind those that wait.
  const late = reader.offset({ p: 70 });
  for (let id = 1n; id <= 71n; id += 1n) if (id !== 7n) answer(id, [Number(id)]);
  await Promise.all([...reads, late]);
  assert.deepEqual(
    asked.map((one) => one.partitions),
    partitions(71).map((one) => [JSON.stringify(one)]),
  );
});

test("a call without an answer is rejected in time and holds its place until the answer", async () => {
  const { asked, answer, reader } = asking(20);
  const reads = Array.from({ length: 65 }, (_, p) => reader.offset({ p }));
  const ends = await Promise.allSettled(reads);
  for (const end of ends) {
    const reason = end.status === "rejected" ? String(end.reason) : end.status;
    assert.equal(reason, "Error: cannot read the offsets of c: the host has not answered in 20 ms");
  }
  assert.equal(asked.length, 64, "the one that waited is not asked any more");
  const next = reader.offset({ p: 65 });
  assert.equal(asked.length, 64);
  answer(1n, [1]);
  assert.equal(asked.length, 65);
  answer(65n, [65]);
  assert.deepEqual(await next, { n: 65 });
});

test("the end of the session rejects what is open, what waits and what comes later", async () => {
  const { calls, reader } = asking();
  const reads = Array.from({ length: 65 }, (_, p) => reader.offset({ p }));
  calls.close("the host has gone");
  reads.push(reader.offset({ p: 65 }));
  for (const end of await Promise.allSettled(reads)) {
    assert.match(String(end.status === "rejected" && end.reason), /: the host has gone$/);
  }
});
