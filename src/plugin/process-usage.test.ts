import assert from "node:assert/strict";
import { test } from "node:test";
import {
  hasProc,
  membersOf,
  parseCpuMs,
  parsePlace,
  parseRss,
  readTreeRss,
  readUsage,
} from "./process-usage.ts";

const stat =
  "4711 (a) S ) x) S 4700 4705 4690 0 -1 4194304 9 0 0 0 250 75 0 0 20 0 11 0 88 1064046592 15000 1";

test("a place among processes is read, whatever the program's name", () => {
  assert.deepEqual(parsePlace(stat), { pid: 4711, parent: 4700, group: 4705, session: 4690 });
  assert.equal(parsePlace("nonsense"), undefined);
});

test("CPU time is user and system time together", () => assert.equal(parseCpuMs(stat), 3_250));

test("resident memory is in bytes, and a zombie has none", () => {
  assert.equal(
    parseRss("Name:\tnode\nVmPeak:\t 90 kB\nVmRSS:\t    2048 kB\nThreads:\t1\n"),
    2_097_152,
  );
  assert.equal(parseRss("Name:\tnode\nState:\tZ (zombie)\n"), 0);
});

const place = (pid: number, parent: number, group = pid, session = pid) => ({
  pid,
  parent,
  group,
  session,
});

for (const { name, places, expect } of [
  { name: "itself", places: [place(10, 1), place(20, 1)], expect: [10] },
  {
    name: "children of children, also in groups of their own",
    places: [place(12, 11), place(11, 10), place(10, 1), place(20, 1), place(21, 20)],
    expect: [10, 11, 12],
  },
  {
    name: "an orphan of its group or session, with its children",
    places: [place(10, 1), place(11, 1, 10), place(12, 1, 12, 10), place(13, 12), place(20, 1)],
    expect: [10, 11, 12, 13],
  },
  { name: "nobody once all are gone", places: [place(20, 1)], expect: [] },
]) {
  test(`to the tree of a process belongs ${name}`, () => {
    assert.deepEqual(
      membersOf(10, places).sort((a, b) => a - b),
      expect,
    );
  });
}

test("this process uses what Node says that it uses", {
  skip: !hasProc() && "needs /proc",
}, async () => {
  const usage = readUsage(process.pid);
  const rss = process.memoryUsage.rss();
  assert.ok(usage !== undefined && Math.abs(usage.rssBytes - rss) < 32 * 1_024 * 1_024);
  const { user, system } = process.cpuUsage();
  assert.ok(Math.abs(usage.cpuMs - (user + system) / 1_000) < 1_000);
  const tree = await readTreeRss([process.pid, 2 ** 22 + 1]);
  assert.ok((tree.get(process.pid) ?? 0) >= rss / 2);
  assert.equal(tree.get(2 ** 22 + 1), 0);
});
