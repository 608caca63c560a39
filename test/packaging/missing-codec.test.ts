/** An installation without optional packages: what needs one says which, the rest works. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { repository } from "../harness/host-process.ts";

const packages = {
  snappy: "snappy",
  lz4: "lz4-napi",
  zstd: "@toondepauw/node-zstd",
};

const program = `
  import Module from "node:module";
  const { _resolveFilename: resolve } = Module;
  const hidden = new Set(${JSON.stringify([...Object.values(packages), "@node-rs/crc32"])});
  Module._resolveFilename = (name, ...rest) => {
    if (hidden.has(name)) throw new Error("Cannot find native binding");
    return resolve(name, ...rest);
  };
  const from = (file) => import(${JSON.stringify(pathToFileURL(join(repository, "dist/batch/")).href)} + file);
  const { compressionOf } = await from("compression.js");
  const { BatchBuilder } = await from("encode.js");
  const { openBatches } = await from("open-batches.js");
  const { newRecordSlice } = await from("../record/record-slice.js");
  const builder = new BatchBuilder();
  for (let n = 0; n < 5_000; n++) builder.append(newRecordSlice(), n);
  const options = { source: "orders-3", firstOffset: 0 };
  const told = {};
  for (const codec of ["gzip", "snappy", "lz4", "zstd"]) {
    const attributes = ["none", "gzip", "snappy", "lz4", "zstd"].indexOf(codec);
    try {
      await builder.compress(compressionOf({ "compression.type": codec }));
      told[codec] = (await openBatches(builder.finish(0), options)).recordCount;
    } catch ({ code, message, cause, hint }) {
      const other = new BatchBuilder();
      other.append(newRecordSlice(), 0);
      const reading = await openBatches(other.finish(9, { attributes }), options).catch((error) => error);
      told[codec] = { code, message, cause: cause.message, hint, reading: reading.message };
    }
  }
  console.log(JSON.stringify(told));`;

test("gzip and checksums work without native packages, and the other codecs name theirs", () => {
  const args = ["--input-type=module", "--eval", program];
  const told = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  assert.equal(told.gzip, 5_000);
  for (const [codec, name] of Object.entries(packages)) {
    const missing = `the package ${name} is not installed for this platform`;
    assert.deepEqual(told[codec], {
      code: "batch.codec_missing",
      message: `cannot use ${codec}: ${missing}`,
      cause: "Cannot find native binding",
      hint: "Install the host with its optional packages (no --omit=optional), or use gzip or none.",
      reading: `cannot decompress the record batch at offset 9 of orders-3 (${codec}): ${missing}`,
    });
  }
});
