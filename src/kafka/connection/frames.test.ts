/** Frames out of whatever pieces a socket brings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameReader, frameHeader } from "./frames.ts";

const framed = (body: Uint8Array) => {
  const bytes = Buffer.alloc(4 + body.length);
  bytes.writeInt32BE(body.length);
  bytes.set(body, 4);
  return bytes;
};

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 1_000, 100_000]) {
  test(`frames come whole and in order from chunks of ${chunkBytes} bytes`, () => {
    const bodies = [4, 5, 300, 4, 70_000, 9].map((size, n) => Buffer.alloc(size, n + 1));
    const stream = Buffer.concat(bodies.map(framed));
    const got: Buffer[] = [];
    const reader = new FrameReader((bytes, start, end) => {
      got.push(Buffer.from(bytes.subarray(start, end)));
    });
    for (let at = 0; at < stream.length; at += chunkBytes) {
      reader.push(stream.subarray(at, at + chunkBytes));
    }
    assert.deepEqual(got, bodies);
  });
}

test("a frame that came whole is not copied, one in pieces is gathered once", () => {
  const whole = framed(Buffer.alloc(50, 7));
  const got: { bytes: Uint8Array; start: number; end: number }[] = [];
  const reader = new FrameReader((bytes, start, end) => got.push({ bytes, start, end }));
  reader.push(whole);
  reader.push(whole.subarray(0, 20));
  reader.push(whole.subarray(20));
  assert.equal(got[0]!.bytes, whole);
  assert.equal(got[1]!.bytes.byteLength, 50);
  assert.equal(got[1]!.bytes.buffer.byteLength, 50);
});

for (const { name, bytes } of [
  { name: "HTTP", bytes: Buffer.from("HTTP/1.1 400 Bad Request\r\n") },
  { name: "a TLS alert", bytes: Buffer.from("15030300020246", "hex") },
  { name: "a negative size", bytes: Buffer.from("ffffffff00", "hex") },
  { name: "a size below a correlation id", bytes: Buffer.from("0000000300", "hex") },
]) {
  test(`I5: ${name} is no frame, and nothing is allocated for it`, () => {
    const reader = new FrameReader(() => assert.fail("a frame"));
    assert.throws(() => reader.push(bytes), { code: "kafka.answer_malformed" });
  });
}

test("the header of a request has its size, its client and, where flexible, its tags", () => {
  const header = { key: 3, version: 7, correlationId: 9, clientId: Buffer.from("ab") };
  const plain = frameHeader({ ...header, isFlexible: false, bodyBytes: 5 });
  assert.equal(Buffer.from(plain).toString("hex"), "0000001100030007000000090002" + "6162");
  const flexible = frameHeader({ ...header, isFlexible: true, bodyBytes: 5 });
  assert.equal(Buffer.from(flexible).toString("hex"), "0000001200030007000000090002" + "616200");
});
