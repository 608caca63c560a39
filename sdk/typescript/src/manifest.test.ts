import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findProgram } from "./manifest.ts";

test("a program is named after its package, also when it is started by a link, else after its file", async (t) => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "program-")));
  t.after(() => rm(root, { recursive: true }));
  await mkdir(join(root, "package", "dist"), { recursive: true });
  const named = { name: "@acme/plugin-tables", version: "1.2.3" };
  await writeFile(join(root, "package", "package.json"), JSON.stringify(named));
  const script = join(root, "package", "dist", "main.js");
  await writeFile(script, "");
  await symlink(script, join(root, "link"));
  await writeFile(join(root, "ticker.mjs"), "");
  const expected = { name: "tables", version: "1.2.3", command: ["node", "dist/main.js"] };
  assert.deepEqual(findProgram(script), expected);
  assert.deepEqual(findProgram(join(root, "link")), expected);
  assert.deepEqual(findProgram(join(root, "ticker.mjs")), {
    name: "ticker",
    version: "0.0.0",
    command: ["node", join(root, "ticker.mjs")],
  });
});
