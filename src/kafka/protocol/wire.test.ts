/** The fields of Kafka's protocol, written and read back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

const written = (writer: WireWriter) => Buffer.concat(writer.parts());

test("every kind of field comes back, and the size is known before", () => {
  const writer = new WireWriter(4);
  writer.int8(-3);
  writer.bool(true);
  writer.int16(-2);
  writer.int32(-70_000);
  writer.int64(2 ** 45 + 1);
  writer.unsignedVarint(300);
  writer.string("topic ä");
  writer.string(null);
  writer.compactString("");
  writer.compactString(null);
  writer.bytes(Uint8Array.of(1, 2));
  writer.bytes(null);
  writer.compactBytes(null);
  writer.array([5, 6], (item) => writer.int32(item));
  writer.compactArray(["a"], (item) => writer.compactString(item));
  writer.noTags();
  const size = writer.sizeBytes;
  const bytes = written(writer);
  assert.equal(bytes.length, size);
  const reader = new WireReader(bytes);
  assert.deepEqual([reader.int8(), reader.bool(), reader.int16()], [-3, true, -2]);
  assert.deepEqual([reader.int32(), reader.int64()], [-70_000, 2 ** 45 + 1]);
  assert.equal(reader.unsignedVarint(), 300);
  assert.deepEqual([reader.string(), reader.nullableString()], ["topic ä", null]);
  assert.deepEqual([reader.compactString(), reader.compactNullableString()], ["", null]);
  assert.deepEqual([...reader.bytes()], [1, 2]);
  assert.deepEqual([reader.nullableBytes(), reader.compactNullableBytes()], [null, null]);
  assert.deepEqual(
    reader.array(() => reader.int32()),
    [5, 6],
  );
  assert.deepEqual(
    reader.compactArray(() => reader.compactString()),
    ["a"],
  );
  reader.skipTags();
  assert.equal(reader.leftBytes, 0);
});

test("a large byte field is not copied and stands in its place", () => {
  const writer = new WireWriter();
  const large = new Uint8Array(5_000).fill(7);
  writer.int16(1);
  writer.bytes(large);
  writer.int16(2);
  assert.ok(writer.parts().includes(large));
  const reader = new WireReader(written(writer));
  assert.equal(reader.int16(), 1);
  assert.deepEqual(Buffer.from(reader.bytes()), Buffer.from(large));
  assert.equal(reader.int16(), 2);
});

for (const { name, bytes, read } of [
  { name: "a field", bytes: [0, 0], read: (reader: WireReader) => reader.int32() },
  { name: "a string", bytes: [0, 9, 65], read: (reader: WireReader) => reader.string() },
  {
    name: "an array",
    bytes: [127, 255, 255, 255, 0],
    read: (reader: WireReader) => reader.array(() => reader.int8()),
  },
  {
    name: "a varint",
    bytes: [255, 255, 255, 255, 255, 1],
    read: (reader: WireReader) => reader.unsignedVarint(),
  },
]) {
  test(`I5: ${name} that claims more than there is ends the answer`, () => {
    assert.throws(() => read(new WireReader(Uint8Array.from(bytes))), {
      code: "kafka.answer_malformed",
    });
  });
}
