import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ReplySchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { ReplyParts } from "./reply-parts.ts";

const mib = 1_024 * 1_024;

function part(more: boolean, kind: MessageInitShape<typeof ReplySchema>["kind"] = configs("x")) {
  return create(ReplySchema, { id: 1n, more, kind: kind as never });
}

function configs(name: string) {
  return { case: "taskConfigs" as const, value: { configs: [{ config: { name } }] } };
}

test("a reply in parts is one reply", () => {
  const parts = new ReplyParts();
  assert.equal(parts.join(part(true, configs("a")), 10), "more");
  assert.equal(parts.join(part(true, configs("b")), 10), "more");
  const whole = parts.join(part(false, configs("c")), 10);
  assert.ok(whole !== "more" && whole.kind.case === "taskConfigs");
  assert.deepEqual(
    whole.kind.value.configs.map(({ config }) => config["name"]),
    ["a", "b", "c"],
  );
});

test("a failure at the end is all that counts; a part of another kind is refused", () => {
  const parts = new ReplyParts();
  parts.join(part(true), 10);
  const other = part(false, { case: "startTask", value: {} });
  assert.throws(() => parts.join(other, 10), /a part of kind startTask/);
  const failed = part(false, { case: "failure", value: { text: "no" } });
  assert.equal(parts.join(failed, 10), failed);
});

for (const { name, count, bytes, expect } of [
  { name: "1,001 parts", count: 1_000, bytes: 10, expect: /more than 1000 parts/ },
  { name: "65 MiB", count: 16, bytes: 4 * mib, expect: /more than 67108864 bytes/ },
]) {
  test(`I5: a reply of ${name} breaks the contract`, () => {
    const parts = new ReplyParts();
    for (let n = 0; n < count; n += 1) parts.join(part(true), bytes);
    assert.throws(() => parts.join(part(true), bytes), {
      code: "plugin.protocol_error",
      message: expect,
    });
  });
}
