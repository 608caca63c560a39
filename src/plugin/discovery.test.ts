import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { discoverPlugins } from "./discovery.ts";

async function pluginFolder(path: string, className: string): Promise<void> {
  await mkdir(path, { recursive: true });
  const classes = [{ class: className, kind: "sink" }];
  const manifest = { name: className, version: "1", command: ["node"], classes };
  await writeFile(join(path, "plugin.json"), JSON.stringify(manifest));
}

test("plugins are found in a folder's children and in the folder itself; the broken ones are listed", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "discovery-"));
  t.after(() => rm(root, { recursive: true }));
  await pluginFolder(join(root, "many", "one"), "a.One");
  await pluginFolder(join(root, "many", "two"), "a.Two");
  await pluginFolder(join(root, "single"), "a.Single");
  await mkdir(join(root, "many", "no-plugin"));
  await mkdir(join(root, "many", "broken"));
  await writeFile(join(root, "many", "broken", "plugin.json"), "{}");
  await mkdir(join(root, "many", "unreadable", "plugin.json"), { recursive: true });
  const catalog = await discoverPlugins([
    join(root, "many"),
    join(root, "single"),
    join(root, "single"),
    join(root, "nowhere"),
  ]);
  assert.deepEqual(
    catalog.classes.map(({ className }) => className),
    ["a.One", "a.Single", "a.Two"],
  );
  assert.equal(catalog.find("One")?.plugin.directory, join(root, "many", "one"));
  const reasons = new Map(catalog.unusable.map(({ path, reason }) => [path, reason]));
  assert.equal(reasons.size, 3);
  assert.equal(
    reasons.get(join(root, "nowhere")),
    "the plugin.path folder cannot be read: there is no such file or folder (ENOENT)",
  );
  assert.match(
    reasons.get(join(root, "many", "broken", "plugin.json")) ?? "",
    /^name is missing.*; version is missing/,
  );
  assert.equal(
    reasons.get(join(root, "many", "unreadable", "plugin.json")),
    "it cannot be read: it is a folder (EISDIR)",
  );
});
