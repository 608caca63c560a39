import assert from "node:assert/strict";
import { test } from "node:test";
import type { LevelName } from "./log-level.ts";
import { LogLevels } from "./log-levels.ts";
import { createLogger } from "./logger.ts";

const clock = { nowMs: () => 7, elapsedMs: () => 7, sleep: async () => {} };

const inherited: { name: string; sets: [string, LevelName][]; of: string[]; level: LevelName }[] = [
  { name: "a name without a level follows root", sets: [], of: ["com.acme.A"], level: "INFO" },
  {
    name: "a level goes down to the names below",
    sets: [["com.acme", "DEBUG"]],
    of: ["com.acme.A"],
    level: "DEBUG",
  },
  {
    name: "a level does not go to a name that only begins alike",
    sets: [["com.acme", "DEBUG"]],
    of: ["com.acmeA"],
    level: "INFO",
  },
  {
    name: "the nearest name above counts",
    sets: [
      ["com", "TRACE"],
      ["com.acme", "ERROR"],
    ],
    of: ["com.acme.A"],
    level: "ERROR",
  },
  {
    name: "root in any case sets those that have a level too",
    sets: [
      ["com.acme", "DEBUG"],
      ["ROOT", "WARN"],
    ],
    of: ["com.acme.A"],
    level: "WARN",
  },
  {
    name: "of several names the first with a level counts",
    sets: [
      ["plugin.file", "ERROR"],
      ["connector.lines", "DEBUG"],
    ],
    of: ["connector.lines", "plugin.file"],
    level: "DEBUG",
  },
];

for (const { name, sets, of, level } of inherited) {
  test(name, () => {
    const levels = new LogLevels("INFO", clock);
    for (const [logger, to] of sets) levels.set(logger, to);
    assert.equal(levels.levelOf(of), level);
  });
}

test("setting a level tells whose level is another one now, and when", () => {
  const levels = new LogLevels("INFO", clock);
  assert.deepEqual(levels.set("a.b", "DEBUG"), ["a.b"]);
  assert.deepEqual(levels.set("a.b", "DEBUG"), []);
  assert.deepEqual(levels.set("a", "DEBUG"), ["a"]);
  assert.deepEqual(levels.set("a", "WARN"), ["a", "a.b"]);
  assert.deepEqual(levels.get("a.b"), { level: "WARN", lastModifiedMs: 7 });
  assert.deepEqual(levels.get("Root"), { level: "INFO", lastModifiedMs: null });
  assert.equal(levels.get("a.c"), undefined);
  // Nothing changed, and yet it has a level of its own from now on.
  assert.deepEqual(levels.set("x", "INFO"), []);
  assert.deepEqual(levels.get("x"), { level: "INFO", lastModifiedMs: null });
  assert.deepEqual([...levels.list().keys()], ["a", "a.b", "root", "x"]);
});

test("I5: there is an end to the names that can have a level", () => {
  const levels = new LogLevels("INFO", clock, 100);
  // One is root.
  for (let n = 1; n < 100; n += 1) levels.set(`n${n}.x`, "INFO");
  assert.equal(levels.set("one.more", "DEBUG"), undefined);
  assert.deepEqual(levels.set("n1.x", "DEBUG"), ["n1.x"]);
});

test("loggers get the level of what they are bound with, while they live", () => {
  const lines: string[] = [];
  const levels = new LogLevels("INFO");
  const root = createLogger({ levels, destination: { write: (line) => void lines.push(line) } });
  const part = root.child({ part: "worker" });
  const lines0 = part.child({ connector: "lines", task: 0 });
  const attempt = lines0.child({ attempt: 1 });
  const other = part.child({ connector: "other", task: 0, plugin: "file" });
  const written = () => {
    lines.length = 0;
    for (const logger of [root, part, lines0, attempt, other]) logger.debug("x");
    return lines.map((line) => {
      const { part, connector = part, attempt } = JSON.parse(line);
      return attempt === undefined ? connector : `${connector} attempt`;
    });
  };

  assert.deepEqual(written(), []);
  assert.deepEqual(levels.set("connector.lines", "DEBUG"), ["connector.lines"]);
  assert.deepEqual(written(), ["lines", "lines attempt"]);
  assert.deepEqual(levels.set("plugin.file", "TRACE"), ["plugin.file"]);
  assert.deepEqual(written(), ["lines", "lines attempt", "other"]);
  levels.set("connector", "INFO");
  assert.deepEqual(written(), []);
  // What Apache's worker calls this part, as a prefix.
  assert.deepEqual(levels.set("org.apache.kafka.connect.runtime", "DEBUG"), [
    "org.apache.kafka.connect.runtime",
    "org.apache.kafka.connect.runtime.Worker",
  ]);
  assert.deepEqual(written(), ["worker"]);
  assert.ok(levels.set("root", "DEBUG")?.includes("connector.other"));
  assert.deepEqual(written(), [undefined, "worker", "lines", "lines attempt", "other"]);
  levels.set("root", "OFF");
  assert.deepEqual(written(), []);
  // A logger made later has the level too.
  levels.set("connector.new", "DEBUG");
  part.child({ connector: "new" }).debug("y");
  assert.equal(lines.length, 1);
});

test("listeners hear of changes until they end it", () => {
  const levels = new LogLevels("INFO");
  let heard = 0;
  const end = levels.onChange(() => {
    heard += 1;
  });
  levels.set("a", "DEBUG");
  end();
  levels.set("a", "TRACE");
  assert.equal(heard, 1);
});
