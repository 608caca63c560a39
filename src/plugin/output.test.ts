import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Clock, systemClock } from "../base/clock.ts";
import type { LevelName } from "../observe/log-level.ts";
import { logLevelsFrom } from "../observe/log-levels.ts";
import { createLogger } from "../observe/logger.ts";
import { LogBatchSchema, LogLevel } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { LineReader, printable } from "./line-reader.ts";
import { LineBudget, PluginOutput } from "./output.ts";

for (const { name, chunks, expect } of [
  { name: "one chunk of two lines", chunks: ["a\nb\n"], expect: ["a", "b"] },
  { name: "a line in three chunks", chunks: ["a", "b", "c\n"], expect: ["abc"] },
  { name: "a last line without an end", chunks: ["a\nb"], expect: ["a", "b"] },
  { name: "an empty line", chunks: ["\n\n"], expect: ["", ""] },
  { name: "Windows line ends", chunks: ["a\r\nb\r", "\n"], expect: ["a", "b"] },
  {
    name: "a line over the bound",
    chunks: ["12345678", "9", "0\nz\n"],
    expect: ["12345678 … (2 more bytes)", "z"],
  },
  { name: "a line exactly at the bound", chunks: ["12345678\n"], expect: ["12345678"] },
]) {
  test(`${name} gives ${expect.length} lines`, () => {
    const lines: string[] = [];
    const reader = new LineReader(8, (line) => lines.push(line));
    for (const chunk of chunks) reader.push(Buffer.from(chunk));
    reader.end();
    assert.deepEqual(lines, expect);
  });
}

test("control characters become text, tabs and other scripts stay", () => {
  assert.equal(printable("a\tä\u001b[2J\rx\u2028"), "a\tä\\u001b[2J\\u000dx\\u2028");
});

test("I5: a flood passes by its rate, and what was dropped is counted once", () => {
  let nowMs = 0;
  const clock = { elapsedMs: () => nowMs } as Clock;
  const budget = new LineBudget(clock, 1_000, 20);
  const passed = (lines: number) =>
    Array.from({ length: lines }, () => budget.take()).filter(Boolean).length;
  assert.equal(passed(100), 20);
  assert.equal(budget.takeDropped(), 80);
  assert.equal(budget.takeDropped(), 0);
  nowMs = 5;
  assert.equal(passed(100), 5);
  nowMs = 60_000;
  assert.equal(passed(100), 20);
});

const judged: { name: string; sets: [string, LevelName][]; written: string[] }[] = [
  { name: "root's level", sets: [], written: ["a info", "b info", "x info"] },
  {
    name: "its connector's level",
    sets: [
      ["connector.a", "DEBUG"],
      ["connector.b", "ERROR"],
    ],
    written: ["a debug", "a info", "x debug", "x info"],
  },
  {
    name: "the level of its own logger before all others",
    sets: [
      ["com.acme", "DEBUG"],
      ["connector.a", "OFF"],
      ["plugin.raw", "OFF"],
    ],
    written: ["a debug", "a info", "b debug", "b info", "x debug", "x info"],
  },
];

for (const { name, sets, written } of judged) {
  test(`a line of a plugin that others share is judged by ${name}`, () => {
    const lines: string[] = [];
    const levels = logLevelsFrom("info");
    for (const [logger, level] of sets) levels.set(logger, level);
    const output = new PluginOutput({
      logger: createLogger({ levels, destination: { write: (line) => void lines.push(line) } }),
      levels,
      clock: systemClock,
      plugin: "raw",
      connectors: () => ["a", "b"],
    });
    output.capture(1, Readable.from([]), Readable.from([]));
    // x does not live in this process: the line is of those who do.
    const entries = ["a", "b", "x"].flatMap((connector) =>
      [LogLevel.DEBUG, LogLevel.INFO].map((level) => ({
        connector,
        level,
        logger: "com.acme.Reader",
        text: `${connector} ${level === LogLevel.DEBUG ? "debug" : "info"}`,
      })),
    );
    output.take(create(LogBatchSchema, { entries }));
    output.end();
    const said = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      said.map(({ msg }) => msg),
      written,
    );
    for (const { msg, connector, connectors } of said) {
      if (msg.startsWith("x")) assert.deepEqual(connectors, ["a", "b"]);
      else assert.equal(connector, msg.slice(0, 1));
    }
  });
}
