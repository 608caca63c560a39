import assert from "node:assert/strict";
import { test } from "node:test";
import { nullForm } from "../record/columns.ts";
import { logicalName } from "../record/logical.ts";
import { newSchema } from "../record/schema.ts";
import { Tagged } from "../record/value.ts";
import type { SinkPiece } from "./converter.ts";
import { FormWriter } from "./form-writer.ts";

const schema = newSchema("bytes", {
  name: logicalName.decimal,
  parameters: new Map([["scale", "2"]]),
});

function written(unscaled: bigint, scale: number): string {
  const out: SinkPiece = { form: nullForm, bytes: Buffer.alloc(0), start: -1, end: -1 };
  new FormWriter().write({ schema, value: new Tagged("decimal", { unscaled, scale }) }, out);
  return Buffer.from(out.bytes.subarray(out.start, out.end)).toString();
}

test("a decimal is written with the scale of its schema, as where no transform has read it", () => {
  assert.equal(written(150n, 2), '"AJY="');
  assert.equal(written(15n, 1), '"AJY="');
  assert.equal(written(1_500n, 3), '"AJY="');
});

test("a decimal with more digits than its schema has room for is refused", () => {
  assert.throws(() => written(1_501n, 3), /Schema has scale 2, value has scale 3/);
});
