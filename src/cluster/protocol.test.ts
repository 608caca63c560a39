import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RetriableError } from "../base/error.ts";
import { connectorName } from "../state/id.ts";
import {
  decodeAssignment,
  decodeMetadata,
  encodeAssignment,
  encodeMetadata,
  type GroupAssignment,
} from "./protocol.ts";

const { runs } = JSON.parse(
  readFileSync(new URL("../../test/goldens/connect-group.json", import.meta.url), "utf8"),
) as { runs: Record<string, Record<string, string>> };

function writtenAgain(name: string, bytes: Uint8Array): Uint8Array {
  if (name.startsWith("metadata-")) return encodeMetadata(decodeMetadata(bytes));
  return encodeAssignment(decodeAssignment(bytes));
}

for (const [run, payloads] of Object.entries(runs)) {
  test(`what workers told each other is read, and written again with the same bytes: ${run}`, () => {
    assert.ok(Object.keys(payloads).length > 10);
    for (const [name, hex] of Object.entries(payloads)) {
      const again = Buffer.from(writtenAgain(name, Buffer.from(hex, "hex"))).toString("hex");
      assert.equal(again, hex, name);
    }
  });
}

const assignment: GroupAssignment = {
  version: 1,
  error: "config-mismatch",
  leader: "a",
  leaderUrl: "http://ä:1/",
  configOffset: 7,
  assigned: [{ connector: connectorName("c-1"), instances: [-1, 0, 12] }],
  revoked: [],
  delayMs: 300_000,
};

test("level 0 says neither what runs nor what is revoked", () => {
  const bytes = encodeAssignment({ ...assignment, version: 0 });
  assert.deepEqual(decodeAssignment(bytes), { ...assignment, version: 0, delayMs: 0 });
  const metadata = { version: 0, url: "http://a:1/", configOffset: -1, running: assignment };
  assert.deepEqual(decodeMetadata(encodeMetadata(metadata)), { ...metadata, running: null });
});

test("what a newer worker adds behind is passed over", () => {
  const bytes = Buffer.concat([encodeAssignment({ ...assignment, version: 9 }), Buffer.alloc(5)]);
  assert.deepEqual(decodeAssignment(bytes), { ...assignment, version: 9 });
});

test("lists that are null are empty", () => {
  const bytes = Buffer.from(encodeAssignment({ ...assignment, assigned: [] }));
  // Before the counts of both lists and the delay.
  bytes.writeInt32BE(-1, bytes.length - 12);
  bytes.writeInt32BE(-1, bytes.length - 8);
  assert.deepEqual(decodeAssignment(bytes), { ...assignment, assigned: [] });
});

test("bytes that were cut or spoiled are refused, and no count is believed beyond them", () => {
  const whole = Buffer.from(encodeMetadata({ ...assignment, url: "u", running: assignment }));
  // A level-0 worker's metadata ends before what runs.
  const ends = new Set([2 + 2 + 1 + 8]);
  for (let length = 0; length < whole.length; length += 1) {
    if (ends.has(length)) continue;
    assert.throws(() => decodeMetadata(whole.subarray(0, length)), RetriableError, `${length}`);
  }
  const bytes = Buffer.from(encodeAssignment({ ...assignment, assigned: [] }));
  bytes.writeInt32BE(0x7fff_ffff, bytes.length - 12);
  assert.throws(() => decodeAssignment(bytes), /cannot be read at byte \d+ of \d+/);
});
