import assert from "node:assert/strict";
import { test } from "node:test";
import { openHostLog } from "./host-log.ts";
import { levelOfDelay } from "./log-level.ts";
import { ungated } from "./logger.ts";

async function captured(format: "auto" | "pretty" = "auto") {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, ...(await openHostLog({ destination, format })) };
}

test("each line goes to the log, and to the rings of the connectors that it is about", async () => {
  const { lines, logger, rings } = await captured();
  logger.info("about nobody");
  logger.child({ connector: "a" }).child({ task: 0 }).warn("bound");
  logger.child({ connectors: ["a", "b,c"], pid: 1 }).info("shared");
  logger.child({ connector: "a" }).info({ connector: "d" }, "said in the line");
  const kept = (connector: string) => {
    const ring = rings.of(connector);
    return Array.from({ length: ring.nextSeq - 1 }, (_, n) => ring.line(n + 1)?.text);
  };
  assert.equal(lines.length, 4);
  assert.deepEqual(kept("a"), [lines[1], lines[2]]);
  assert.deepEqual(kept("b,c"), [lines[2]]);
  assert.deepEqual(kept("d"), [lines[3]]);
  assert.equal(rings.of("a").line(1)?.severity, 40);
});

test("a line that is not logged is not kept", async () => {
  const { logger, rings } = await captured();
  logger.child({ connector: "a" }).debug("too quiet");
  assert.equal(rings.of("a").nextSeq, 1);
});

test("an ungated logger writes whatever it is given, and so do its children", async () => {
  const { lines, levels, logger } = await captured();
  const open = ungated(logger.child({ plugin: "file" }));
  const bound = open.child({ connector: "a" });
  levels.set("root", "ERROR");
  levels.set("connector", "OFF");
  open.trace("one");
  bound.debug("two");
  assert.equal(lines.length, 2);
});

test("lines for people have the time, the level, the text and what it is about", async () => {
  const { lines, logger } = await captured("pretty");
  logger.child({ connector: "a", task: 0 }).warn({ delayMs: 5 }, "trying again");
  assert.match(
    lines.join(""),
    /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] WARN: trying again \{"connector":"a","task":0,"delayMs":5\}\n$/,
  );
});

const delays: [delayMs: number, level: string][] = [
  [250, "debug"],
  [1_000, "info"],
  [60_000, "warn"],
];

for (const [delayMs, level] of delays) {
  test(`what is tried again after ${delayMs} ms is told as ${level}`, () =>
    assert.equal(levelOfDelay(delayMs), level));
}
