import assert from "node:assert/strict";
import { test } from "node:test";
import type { LevelName } from "../observe/log-level.ts";
import { LogLevels } from "../observe/log-levels.ts";
import { pluginLevels } from "./plugin-levels.ts";

const cases: {
  name: string;
  sets: [string, LevelName][];
  connectors: string[];
  told: Record<string, string>;
}[] = [
  {
    name: "the root's level where nothing is set",
    sets: [],
    connectors: ["a"],
    told: { "": "info" },
  },
  {
    name: "the level of its connector",
    sets: [["connector.a", "DEBUG"]],
    connectors: ["a"],
    told: { "": "debug" },
  },
  {
    name: "the most talkative level of those who share it",
    sets: [
      ["connector.a", "ERROR"],
      ["connector.b", "TRACE"],
    ],
    connectors: ["a", "b", "c"],
    told: { "": "trace" },
  },
  {
    name: "the plugin's level, where a connector has none",
    sets: [
      ["plugin.file", "DEBUG"],
      ["connector.a", "WARN"],
    ],
    connectors: ["a", "b"],
    told: { "": "debug" },
  },
  {
    name: "the plugin's level while nobody lives in it",
    sets: [["plugin.file", "OFF"]],
    connectors: [""],
    told: { "": "silent" },
  },
  {
    name: "the names of its own code, and no names of the host's",
    sets: [
      ["com.acme", "ALL"],
      ["bulkhead.rest", "TRACE"],
      ["connector.other", "TRACE"],
    ],
    connectors: ["a"],
    told: { "": "info", "com.acme": "trace" },
  },
];

for (const { name, sets, connectors, told } of cases) {
  test(`a process is told ${name}`, () => {
    const levels = new LogLevels("INFO");
    for (const [logger, level] of sets) levels.set(logger, level);
    assert.deepEqual(Object.fromEntries(pluginLevels(levels, "file", connectors)), told);
  });
}
