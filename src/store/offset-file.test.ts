/** The offset file of Apache's standalone worker, as Java wrote it and as we write it. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { openFileLog } from "./file-log.ts";
import { decodeOffsetFile, encodeOffsetFile } from "./offset-file.ts";

/** Written by Java 17: {k0=v0, k1=null, k2=v2}. */
const byJava =
  "aced0005737200116a6176612e7574696c2e486173684d61700507dac1c31660d103000246000a6c6f6164466163746f" +
  "724900097468726573686f6c6478703f4000000000000c77080000001000000003757200025b42acf317f8060854e002" +
  "00007870000000026b307571007e00020000000276307571007e0002000000026b31707571007e0002000000026b3275" +
  "71007e000200000002763278";

const texts = (bytes: Uint8Array) =>
  decodeOffsetFile(bytes, "offsets").map(({ key, value }) => [
    `${Buffer.from(key)}`,
    `${Buffer.from(value)}`,
  ]);
const entry = (key: string, value: string) => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
});

test("a file of Java's is read, and written again to the byte when nothing in it was null", () => {
  const bytes = Buffer.from(byJava, "hex");
  assert.deepEqual(texts(bytes), [
    ["k0", "v0"],
    ["k2", "v2"],
  ]);
  const two = encodeOffsetFile([entry("k0", "v0"), entry("k2", "v2")]);
  const withoutNull = byJava
    .replace("7571007e0002000000026b3170", "")
    .replace("1000000003", "1000000002");
  assert.equal(two.toString("hex"), withoutNull);
});

test("what is written is read back, whatever the bytes are", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.array(fc.tuple(bytes, bytes), { maxLength: 60 }), (pairs) => {
      const entries = pairs.map(([key, value]) => ({ key, value }));
      assert.deepEqual(decodeOffsetFile(encodeOffsetFile(entries), "offsets"), entries);
    }),
    { numRuns: 50 },
  );
});

test("a file that is cut off or of another kind is refused; it never hangs or is half read", () => {
  const whole = encodeOffsetFile([entry("a", "1"), entry("b", "2")]);
  for (let size = 1; size < whole.length; size += 1) {
    assert.throws(() => decodeOffsetFile(whole.subarray(0, size), "offsets"), {
      code: "config.file_invalid",
      message: /^cannot read source offsets from offsets: it /,
    });
  }
  assert.throws(
    () => decodeOffsetFile(Buffer.from("plain text"), "offsets"),
    /it is no Java object/,
  );
  assert.deepEqual(decodeOffsetFile(new Uint8Array(), "offsets"), []);
});

test("the log tells what the file holds, keeps the newest of each key and survives a restart", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "offset-file-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "connect.offsets");
  const told: string[] = [];
  const open = () =>
    openFileLog({
      path,
      pathKey: "offset.storage.file.filename",
      topic: "offsets",
      partitionCount: 1,
      onRecord: (key, value) =>
        told.push(`${Buffer.from(key ?? [])}=${value && Buffer.from(value)}`),
    });
  const log = await open();
  const append = (key: string, value: string | null) =>
    log.append(Buffer.from(key), value === null ? null : Buffer.from(value));
  await Promise.all([append("a", "1"), append("b", "1"), append("a", "2"), append("c", "1")]);
  await append("b", null);
  assert.deepEqual(told.splice(0), ["a=1", "b=1", "a=2", "c=1", "b=null"]);
  await log.close();
  await assert.rejects(append("d", "1"), { code: "kafka.topic_log_failed" });
  const again = await open();
  assert.deepEqual(told.splice(0).sort(), ["a=2", "c=1"]);
  await again.close();
  assert.deepEqual(await readdir(folder), ["connect.offsets"]);
  assert.deepEqual(texts(await readFile(path)).sort(), [
    ["a", "2"],
    ["c", "1"],
  ]);
});

test("a folder that is not there and a file of another kind are told with the worker's key", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "offset-file-"));
  t.after(() => rm(folder, { recursive: true }));
  const options = {
    pathKey: "offset.storage.file.filename",
    topic: "o",
    partitionCount: 1,
    onRecord() {},
  };
  await assert.rejects(openFileLog({ ...options, path: join(folder, "none", "file") }), {
    code: "config.file_unreadable",
    message: /offset\.storage\.file\.filename/,
  });
  await writeFile(join(folder, "other"), "{}");
  await assert.rejects(openFileLog({ ...options, path: join(folder, "other") }), {
    code: "config.file_invalid",
  });
});
