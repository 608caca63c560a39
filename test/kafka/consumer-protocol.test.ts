/** Our bytes of the consumer protocol are those that Apache's consumers wrote. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../src/kafka/group/consumer-protocol.ts";
import { holds } from "../harness/property.ts";

const file = new URL("../goldens/consumer-protocol.json", import.meta.url);
const { payloads } = JSON.parse(await readFile(file, "utf8")) as {
  payloads: Record<string, { hex: string }>;
};

for (const [name, { hex }] of Object.entries(payloads)) {
  test(`${name} comes out as it was recorded`, () => {
    const bytes = Buffer.from(hex, "hex");
    const again = name.startsWith("subscription")
      ? encodeSubscription(decodeSubscription(bytes))
      : encodeAssignment(decodeAssignment(bytes));
    assert.equal(Buffer.from(again).toString("hex"), hex);
  });
}

test("a recorded subscription says what its member wants and had", () => {
  const { userData, ...rest } = decodeSubscription(
    Buffer.from(payloads["subscription-4"]!.hex, "hex"),
  );
  assert.deepEqual(rest, {
    version: 3,
    topics: ["mix-z"],
    owned: [],
    generation: 1,
    rackId: null,
  });
  assert.equal(Buffer.from(userData!).toString("hex"), "ffffffff");
});

test("a member that got no bytes at all reads nothing", () => {
  assert.deepEqual(decodeAssignment(new Uint8Array()).partitions, []);
});

const places = fc
  .dictionary(fc.string({ minLength: 1 }), fc.uniqueArray(fc.nat(), { minLength: 1 }))
  .map((all) =>
    Object.entries(all).flatMap(([topic, each]) => each.map((partition) => ({ topic, partition }))),
  );

test("every subscription comes back, less what its version cannot say", () => {
  holds(
    fc.property(
      fc.record({
        version: fc.integer({ min: 0, max: 3 }),
        topics: fc.array(fc.string()),
        userData: fc.option(fc.uint8Array()),
        owned: places,
        generation: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
        rackId: fc.option(fc.string()),
      }),
      (from) => {
        const { userData, ...rest } = decodeSubscription(encodeSubscription(from));
        assert.deepEqual(userData && [...userData], from.userData && [...from.userData]);
        assert.deepEqual(rest, {
          version: from.version,
          topics: from.topics,
          owned: from.version >= 1 ? from.owned : [],
          generation: from.version >= 2 ? from.generation : -1,
          rackId: from.version >= 3 ? from.rackId : null,
        });
      },
    ),
    200,
  );
});

test("bytes of another kind are refused instead of believed", () => {
  const shortened = Buffer.from(payloads["subscription-1"]!.hex, "hex").subarray(0, 9);
  assert.throws(() => decodeSubscription(shortened), { code: "kafka.answer_malformed" });
});
