import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVersionWish } from "../config/version-range.ts";
import { createCatalog, withoutTwins } from "./catalog.ts";
import type { PluginClass, PluginKind } from "./plugin.ts";

function pluginClass(className: string, kind: PluginKind, version = "1.0", aliases: string[] = []) {
  const plugin = { name: "p", version, directory: "/p", command: ["node"], classes: [] };
  const rest = { config: [], taskClass: className, documentationUrl: "", validates: false };
  return { className, kind, version, aliases, plugin, ...rest } satisfies PluginClass;
}

const catalog = createCatalog(
  [
    pluginClass("org.a.FileStreamSourceConnector", "source", "1.0", ["file-source"]),
    pluginClass("org.a.FileStreamSinkConnector", "sink", "1.9"),
    pluginClass("org.a.FileStreamSinkConnector", "sink", "1.10"),
    pluginClass("org.a.JsonConverter", "converter"),
    pluginClass("org.a.InsertField$Value", "transformation"),
    pluginClass("org.a.MaskField$Value", "transformation"),
    pluginClass("org.a.RegexRouter", "transformation"),
    pluginClass("org.b.Twin", "source"),
    pluginClass("org.c.Twin", "sink"),
    pluginClass("plain", "sink"),
  ],
  [],
);

for (const { name, expect } of [
  { name: "org.a.FileStreamSourceConnector", expect: "org.a.FileStreamSourceConnector" },
  { name: "FileStreamSourceConnector", expect: "org.a.FileStreamSourceConnector" },
  { name: "FileStreamSource", expect: "org.a.FileStreamSourceConnector" },
  { name: "file-source", expect: "org.a.FileStreamSourceConnector" },
  { name: "FileStreamSink", expect: "org.a.FileStreamSinkConnector" },
  { name: "Json", expect: "org.a.JsonConverter" },
  { name: "RegexRouter", expect: "org.a.RegexRouter" },
  { name: "org.a.InsertField$Value", expect: "org.a.InsertField$Value" },
  { name: "Value", expect: undefined },
  { name: "Twin", expect: undefined },
  { name: "org.b.Twin", expect: "org.b.Twin" },
  { name: "plain", expect: "plain" },
  { name: "filestreamsource", expect: undefined },
  { name: "", expect: undefined },
]) {
  test(`"${name}" finds ${expect ?? "nothing"}`, () => {
    assert.equal(catalog.find(name)?.className, expect);
  });
}

test("a class of another kind is not found", () => {
  assert.equal(catalog.find("FileStreamSink", ["source"]), undefined);
  assert.equal(catalog.find("FileStreamSink", ["source", "sink"])?.kind, "sink");
});

test("of several versions the newest is found, all are listed", () => {
  assert.equal(catalog.find("FileStreamSink")?.version, "1.10");
  const versions = catalog.classes.filter(({ className }) => className.includes("Sink"));
  assert.deepEqual(
    versions.map(({ version }) => version),
    ["1.10", "1.9"],
  );
});

test("classes are listed by kind as Connect lists them, then by name", () => {
  assert.deepEqual(
    catalog.classes.map(({ kind, className }) => `${kind} ${className}`),
    [
      "sink org.a.FileStreamSinkConnector",
      "sink org.a.FileStreamSinkConnector",
      "sink org.c.Twin",
      "sink plain",
      "source org.a.FileStreamSourceConnector",
      "source org.b.Twin",
      "transformation org.a.InsertField$Value",
      "transformation org.a.MaskField$Value",
      "transformation org.a.RegexRouter",
      "converter org.a.JsonConverter",
    ],
  );
});

test("the newest version that meets a wish is found, and all of a name are told", () => {
  const wish = (text: string) => parseVersionWish(text);
  assert.equal(catalog.find("FileStreamSink", ["sink"], wish("1.9"))?.version, "1.9");
  assert.equal(catalog.find("FileStreamSink", ["sink"], wish("[1.0,2.0)"))?.version, "1.10");
  assert.equal(catalog.find("FileStreamSink", ["sink"], wish("[2.0,)")), undefined);
  assert.deepEqual(
    catalog.versions("FileStreamSink").map(({ version }) => version),
    ["1.10", "1.9"],
  );
  assert.deepEqual(catalog.versions("FileStreamSink", ["source"]), []);
  assert.deepEqual(catalog.versions("Twin"), []);
});

test("of a class that is there twice in one version the first counts, and the other is told", () => {
  const first = [pluginClass("a.A", "sink"), pluginClass("a.B", "sink", "2")];
  const second = [pluginClass("a.A", "sink"), pluginClass("a.A", "sink", "1.1")];
  const found = withoutTwins([
    { path: "/one", classes: first },
    { path: "/two", classes: second },
  ]);
  assert.deepEqual(found.classes, [...first, second[1]]);
  assert.deepEqual(found.unusable, [
    { path: "/two", reason: "class a.A 1.0 is in /one already, which is the one that is used" },
  ]);
});
