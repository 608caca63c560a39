import assert from "node:assert/strict";
import test from "node:test";
import { countExpired } from "./retention.ts";

const closed = [
  { sizeBytes: 100, lastWriteMs: 1_000 },
  { sizeBytes: 50, lastWriteMs: 2_000 },
  { sizeBytes: 100, lastWriteMs: 3_000 },
];

for (const c of [
  { name: "nothing without limits", ms: -1, bytes: -1, expect: 0 },
  { name: "what was last written to before the time", ms: 1_500, bytes: -1, expect: 2 },
  { name: "everything when all is old", ms: 0, bytes: -1, expect: 3 },
  { name: "nothing that is as old as allowed", ms: 3_000, bytes: -1, expect: 0 },
  { name: "the oldest until the rest fits", ms: -1, bytes: 200, expect: 1 },
  { name: "nothing that would leave less than the limit", ms: -1, bytes: 201, expect: 0 },
  { name: "by whichever limit says more", ms: 1_500, bytes: 200, expect: 2 },
  { name: "all closed segments at a limit of zero", ms: -1, bytes: 0, expect: 3 },
]) {
  test(`retention deletes ${c.name}`, () => {
    const config = {
      compacted: false,
      deleting: true,
      retentionMs: c.ms,
      retentionBytes: c.bytes,
      segmentBytes: 100,
      deleteRetentionMs: 0,
    };
    const options = { totalBytes: 300, nowMs: 4_000, config };
    assert.equal(countExpired(closed, options), c.expect);
  });
}
