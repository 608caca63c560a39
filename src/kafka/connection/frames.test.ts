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

/** As a socket does: it reads so much at most, and into the room it was given. */
function read(reader: FrameReader, stream: Uint8Array, chunkBytes: number): void {
  for (let at = 0; at < stream.length; ) {
    const room = reader.room();
    const chunk = stream.subarray(at, at + Math.min(chunkBytes, room.length));
    room.set(chunk);
    reader.arrived(room, chunk.length);
    at += chunk.length;
  }
}

for (const chunkBytes of [1, 2, 3, 5, 7, 64, 1_000, 100_000]) {
  test(`frames come whole and in order from reads of ${chunkBytes} bytes`, () => {
    const bodies = [4, 5, 300, 4, 70_000, 9].map((size, n) => Buffer.alloc(size, n + 1));
    const got: Buffer[] = [];
    const reader = new FrameReader({
      memory: (size) => Buffer.alloc(size + 3),
      frame: (memory, size) => got.push(Buffer.from(memory.subarray(0, size))),
    });
    read(reader, Buffer.concat(bodies.map(framed)), chunkBytes);
    assert.deepEqual(got, bodies);
  });
}

test("the rest of a frame that has begun is read into its memory, and no more than that", () => {
  const memory = Buffer.alloc(100);
  const frames: [Uint8Array, number][] = [];
  const reader = new FrameReader({
    memory: () => memory,
    frame: (bytes, size) => frames.push([bytes, size]),
  });
  read(reader, framed(Buffer.alloc(50, 7)).subarray(0, 20), 100);
  const room = reader.room();
  assert.equal(room.buffer, memory.buffer);
  assert.deepEqual([room.byteOffset - memory.byteOffset, room.length], [16, 34]);
  room.fill(8);
  reader.arrived(room, 34);
  assert.deepEqual(frames, [[memory, 50]]);
  assert.deepEqual([...new Set(memory.subarray(0, 50))], [7, 8]);
  assert.notEqual(reader.room().buffer, memory.buffer);
});

for (const { name, bytes } of [
  { name: "HTTP", bytes: Buffer.from("HTTP/1.1 400 Bad Request\r\n") },
  { name: "a TLS alert", bytes: Buffer.from("15030300020246", "hex") },
  { name: "a negative size", bytes: Buffer.from("ffffffff00", "hex") },
  { name: "a size below a correlation id", bytes: Buffer.from("0000000300", "hex") },
]) {
  test(`I5: ${name} is no frame, and nothing is allocated for it`, () => {
    const fail = () => assert.fail("a frame");
    const reader = new FrameReader({ memory: fail, frame: fail });
    assert.throws(() => read(reader, bytes, 100), { code: "kafka.answer_malformed" });
  });
}

test("the header of a request has its size, its client and, where flexible, its tags", () => {
  const header = { key: 3, version: 7, correlationId: 9, clientId: Buffer.from("ab") };
  const plain = frameHeader({ ...header, isFlexible: false, bodyBytes: 5 });
  assert.equal(Buffer.from(plain).toString("hex"), "0000001100030007000000090002" + "6162");
  const flexible = frameHeader({ ...header, isFlexible: true, bodyBytes: 5 });
  assert.equal(Buffer.from(flexible).toString("hex"), "0000001200030007000000090002" + "616200");
});
