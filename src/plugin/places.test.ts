import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "./places.ts";

const plugin = { name: "p", version: "1", directory: "/p", command: ["p"], classes: [] };
const exit = { text: "it was killed", at: "2026-01-01T00:00:00.000Z" };

test("a place remembers what was in it: who, how often, and how it ended", () => {
  const places = new Places(() => true);
  const place = places.enter("a", "connector", plugin);
  place.starts += 1;
  assert.deepEqual(places.empty(), []);
  places.leave(place, exit, ["alpha"]);
  const [empty] = places.empty();
  assert.deepEqual([empty?.starts, empty?.lastExit, empty?.connectors], [1, exit, ["alpha"]]);
  assert.equal(places.enter("a", "connector", plugin), place);
  assert.deepEqual(places.empty(), []);
  places.leave(place, null, ["alpha"]);
  assert.deepEqual(place.lastExit, exit);
});

test("the places of a connector that is gone are forgotten, and a helper's that was never in trouble", () => {
  const connectors = new Set(["alpha", "beta"]);
  const places = new Places((name) => connectors.has(name));
  places.leave(places.enter("a", "connector", plugin), exit, ["alpha"]);
  places.leave(places.enter("ab", "connector", plugin), exit, ["alpha", "beta"]);
  places.leave(places.enter("well", "helper", plugin), null, []);
  places.leave(places.enter("ill", "helper", plugin), exit, []);
  const keys = () => places.empty().map(({ key }) => key);
  assert.deepEqual(keys(), ["a", "ab", "ill"]);
  connectors.delete("alpha");
  assert.deepEqual(keys(), ["ab", "ill"]);
});

test("I5: the oldest empty places are forgotten, and none where somebody lives", () => {
  const places = new Places(() => true);
  const lived = places.enter("lived in", "connector", plugin);
  for (let n = 0; n < 1_100; n += 1) {
    places.leave(places.enter(`${n}`, "connector", plugin), exit, ["alpha"]);
  }
  const keys = places.empty().map(({ key }) => key);
  assert.equal(keys.length, 1_000);
  assert.equal(keys[0], "100");
  assert.equal(places.enter("lived in", "connector", plugin), lived);
});
