import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestKey } from "./nearest-key.ts";

const known = ["plugin.path", "listeners", "offset.flush.interval.ms", "offset.flush.timeout.ms"];

const cases: { key: string; meant: string | undefined }[] = [
  { key: "plugin.paht", meant: "plugin.path" },
  { key: "plugin.pth", meant: "plugin.path" },
  { key: "Plugin.Path", meant: "plugin.path" },
  { key: "listener", meant: "listeners" },
  { key: "ofset.flush.interval.ms", meant: "offset.flush.interval.ms" },
  { key: "offset.flush.timout.mss", meant: "offset.flush.timeout.ms" },
  { key: "offset.flush", meant: undefined },
  { key: "something.else", meant: undefined },
  { key: "", meant: undefined },
];

for (const { key, meant } of cases) {
  test(`"${key}" ${meant === undefined ? "means nothing known" : `means ${meant}`}`, () => {
    assert.equal(nearestKey(key, known), meant);
  });
}
