import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate } from "node:timers/promises";
import { codecId, codecOf, compress, compressionOf, decompress } from "./compression.ts";
import { crc32c, crc32cInScript } from "./crc32c.ts";
import { gzipCodec } from "./gzip.ts";
import { lz4Codec } from "./lz4.ts";
import { NativePackage } from "./native-package.ts";
import { snappyCodec } from "./snappy.ts";
import { zstdCodec } from "./zstd.ts";

for (const c of [
  { config: {}, expect: undefined },
  { config: { "compression.type": "none", "compression.gzip.level": "9" }, expect: undefined },
  { config: { "compression.type": "snappy" }, expect: { codec: "snappy", level: undefined } },
  {
    config: { "compression.type": "gzip", "compression.gzip.level": "-1" },
    expect: { codec: "gzip", level: -1 },
  },
  {
    config: { "compression.type": "zstd", "compression.zstd.level": "-5" },
    expect: { codec: "zstd", level: -5 },
  },
  {
    config: { "compression.type": "lz4", "compression.zstd.level": "99" },
    expect: { codec: "lz4", level: undefined },
  },
]) {
  test(`the config ${JSON.stringify(c.config)} is understood`, () => {
    assert.deepEqual(compressionOf(c.config as Record<string, string>), c.expect);
  });
}

for (const c of [
  {
    config: { "compression.type": "brotli" },
    expect:
      "Invalid value brotli for configuration compression.type: String must be one of: none, gzip, snappy, lz4, zstd",
  },
  {
    config: { "compression.type": "gzip", "compression.gzip.level": "0" },
    expect:
      "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
  },
  {
    config: { "compression.type": "lz4", "compression.lz4.level": "18" },
    expect:
      "Invalid value 18 for configuration compression.lz4.level: Value must be between 1 and 17",
  },
  {
    config: { "compression.type": "zstd", "compression.zstd.level": "fast" },
    expect: "Invalid value fast for configuration compression.zstd.level: Not a number of type INT",
  },
]) {
  test(`the config ${JSON.stringify(c.config)} is refused`, () => {
    const message = c.expect;
    assert.throws(() => compressionOf(c.config as Record<string, string>), {
      name: "ConfigError",
      message,
    });
  });
}

test("a level changes what gzip and zstd make", () => {
  const text = Buffer.from(Array.from({ length: 900 }, (_, n) => `user ${n * n} `).join(""));
  for (const [codec, low, high] of [
    [gzipCodec, 1, 9],
    [zstdCodec, -50, 19],
  ] as const) {
    const [fast, small] = [codec.compress(text, low), codec.compress(text, high)];
    assert.ok(small.length < fast.length, `${codec.name}: ${small.length} of ${fast.length}`);
  }
});

// What our own codecs do not write.
for (const c of [
  {
    name: "a snappy block without a frame",
    codec: snappyCodec,
    hex: "051068656c6c6f",
  },
  {
    name: "a snappy frame of several blocks",
    codec: snappyCodec,
    hex: `82534e41505059000000000100000001${"00000005030868656c"}${"00000004" + "02046c6f"}`,
  },
  {
    name: "an lz4 frame that states its size and holds a block as it is",
    codec: lz4Codec,
    hex: "04224d1868400500000000000000610500008068656c6c6f00000000",
  },
]) {
  test(`${c.name} is read`, async () => {
    const payload = Buffer.from(c.hex, "hex");
    assert.ok(c.codec.expectedSize(payload, 100) >= 5);
    assert.equal(Buffer.from(c.codec.decompress(payload, 100)).toString(), "hello");
    assert.equal(Buffer.from(await c.codec.decompressInThread(payload, 100)).toString(), "hello");
  });
}

test("an lz4 frame has the blocks that Kafka takes, and says so in its head", () => {
  const frame = lz4Codec.compress(Buffer.from("hello hello hello hello"), undefined);
  assert.equal(Buffer.from(frame).readUInt32LE(0), 0x184d2204);
  assert.equal(frame[4]! & 0xe0, 0x60, "version 1, independent blocks");
});

for (const codec of [gzipCodec, snappyCodec, lz4Codec, zstdCodec]) {
  test(`${codec.name} does small work at once and large work while others go on`, async () => {
    const options = { codec, bytesMax: 10_000_000, what: "it" };
    const small = compress(new Uint8Array(1_000), { codec: codec.name });
    assert.ok(small instanceof Uint8Array);
    assert.ok(decompress(small, options).done instanceof Uint8Array);
    const text = Buffer.from(
      Array.from({ length: 200_000 }, (_, n) => `user ${(n * n) % 65_537} `).join(""),
    );
    const large = await whileOthersGoOn(() => compress(text, { codec: codec.name }));
    assert.ok(decompress(large, options).expectedBytes > 500_000);
    const back = await whileOthersGoOn(() => decompress(large, options).done);
    assert.equal(Buffer.compare(back, text), 0);
    assert.equal(codecOf(codecId({ codec: codec.name })), codec);
  });
}

/** On a busy machine the thread may be done before our next turn comes; not every time. */
async function whileOthersGoOn(
  work: () => Uint8Array | Promise<Uint8Array>,
  triesLeft = 50,
): Promise<Uint8Array> {
  const working = work();
  assert.ok(working instanceof Promise);
  let turns = 0;
  let isDone = false;
  const others = (async () => {
    for (; !isDone; turns++) await setImmediate();
  })();
  const result = await working.finally(() => {
    isDone = true;
  });
  await others;
  if (turns > 1) return result;
  assert.ok(triesLeft > 0, "the event loop stood still");
  return whileOthersGoOn(work, triesLeft - 1);
}

test("native code and script agree on every checksum, from any place", () => {
  const bytes = new Uint8Array(5_000).map((_, n) => n * 31 + (n >> 3));
  for (const size of [0, 1, 7, 8, 1_023, 1_024, 1_025, 4_096, 4_990]) {
    for (const start of [0, 1, 7, 10]) {
      const end = Math.min(bytes.length, start + size);
      assert.equal(crc32c(bytes, start, end), crc32cInScript(bytes, start, end));
    }
  }
});

test("a package that is not installed is asked for once, and its codec says which it is", () => {
  let asked = 0;
  const gone = new NativePackage("snappy", () => {
    asked += 1;
    throw new Error("Cannot find native binding");
  });
  assert.equal(gone.getIfAny(), undefined);
  for (let n = 0; n < 2; n++) assert.throws(() => gone.get(), /Cannot find native binding/);
  assert.equal(asked, 1);
});
