/** The worked example of proto/README.md is what the contract's own code says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { SourceTaskMessageSchema } from "../src/plugin/gen/bulkhead/plugin/v1/source_pb.ts";

const document = readFileSync(new URL("../proto/README.md", import.meta.url), "utf8");

test("the example in bytes decodes to the batch that it describes", () => {
  const block = /```hex\n([^`]*)```/.exec(document)?.[1] ?? "";
  // Bytes stand in pairs before the remark, which two blanks set off.
  const bytes = block.split("\n").flatMap((line) => {
    const [pairs = ""] = line.trim().split(/ {2,}/);
    return pairs.match(/\b[0-9a-f]{2}\b/g) ?? [];
  });
  const message = fromBinary(SourceTaskMessageSchema, Buffer.from(bytes.join(""), "hex"));
  assert.equal(message.kind.case, "records");
  if (message.kind.case !== "records") return;
  const { batchSeq, columns, pollEnd } = message.kind.value;
  assert.equal(batchSeq, 1n);
  assert.equal(pollEnd, true);
  assert.equal(columns?.count, 2);
  assert.equal(Buffer.from(columns.arena).toString(), "hellok1hi");
  assert.deepEqual(columns.keySizes, [0, 3]);
  assert.deepEqual(columns.valueSizes, [6, 3]);
  assert.deepEqual(columns.keyForms, [0, 1]);
  assert.deepEqual(columns.timestamps, [1_700_000_000_000n, 5n]);
  assert.equal(Buffer.from(columns.offsetArena).toString(), '{"n":1}{"n":2}');
  const cost = columns.arena.length + columns.offsetArena.length + 64 * columns.count + 4_096;
  assert.ok(document.includes(`${cost.toLocaleString("en-US")} bytes of credit`));
});
