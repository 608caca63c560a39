import assert from "node:assert/strict";
import test from "node:test";
import { assignRange } from "./assign-range.ts";

for (const c of [
  {
    name: "one member gets everything",
    members: { a: ["x", "y"] },
    counts: { x: 2, y: 1 },
    expect: { a: ["x0", "x1", "y0"] },
  },
  {
    name: "the first members get one more where it does not come out even",
    members: { a: ["x"], b: ["x"], c: ["x"] },
    counts: { x: 8 },
    expect: { a: ["x0", "x1", "x2"], b: ["x3", "x4", "x5"], c: ["x6", "x7"] },
  },
  {
    name: "a member without a share gets nothing",
    members: { a: ["x"], b: ["x"] },
    counts: { x: 1 },
    expect: { a: ["x0"], b: [] },
  },
  {
    name: "only those who want a topic get of it",
    members: { a: ["x"], b: ["x", "y"] },
    counts: { x: 2, y: 2 },
    expect: { a: ["x0"], b: ["x1", "y0", "y1"] },
  },
]) {
  test(c.name, () => {
    const subscriptions = Object.entries(c.members).map(([memberId, topics]) => ({
      memberId,
      topics,
    }));
    const counts = Object.entries(c.counts).filter(([, count]) => count !== undefined);
    const assignment = assignRange(subscriptions.reverse(), new Map(counts as [string, number][]));
    const found = [...assignment].map(([memberId, partitions]): [string, string[]] => {
      return [memberId, partitions.map(({ topic, partition }) => `${topic}${partition}`)];
    });
    assert.deepEqual(Object.fromEntries(found), c.expect);
  });
}
