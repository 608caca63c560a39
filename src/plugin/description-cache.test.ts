import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger } from "../observe/logger.ts";
import { DescriptionCache } from "./description-cache.ts";

const digest = "a".repeat(64);
const classes = [{ class: "a.One", kind: "sink" }];
const text = JSON.stringify({ name: "one", version: "1", command: ["/else/where"], classes });

async function folder(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "description-cache-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return join(root, "below", "cache");
}

test("what is written is there for the next host, for this user only, and nothing half-written stays", async (t) => {
  const directory = await folder(t);
  await new DescriptionCache(directory, silentLogger()).write(digest, text);
  const [name = "", ...others] = await readdir(directory);
  assert.deepEqual(others, []);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
  const kept = await new DescriptionCache(directory, silentLogger()).read(digest, "/plugins/one");
  assert.equal(kept?.name, "one");
  // Whatever the file says, it is the program that is asked for.
  assert.deepEqual(kept?.command, ["/plugins/one"]);
  assert.equal(kept?.directory, "/plugins");
  assert.equal(kept?.classes[0]?.plugin, kept);
});

for (const broken of ["", "{", "[]", JSON.stringify({ name: "one", version: "1", classes: [] })]) {
  test(`a kept ${JSON.stringify(broken)} counts as nothing and is replaced`, async (t) => {
    const directory = await folder(t);
    await new DescriptionCache(directory, silentLogger()).write(digest, text);
    const [name = ""] = await readdir(directory);
    await writeFile(join(directory, name), broken);
    const cache = new DescriptionCache(directory, silentLogger());
    assert.equal(await cache.read(digest, "/plugins/one"), undefined);
    await cache.write(digest, text);
    assert.equal(await readFile(join(directory, name), "utf8"), text);
    assert.equal((await cache.read(digest, "/plugins/one"))?.name, "one");
  });
}

test("where nothing can be written it says so once and remembers by itself", async (t) => {
  const directory = await folder(t);
  const warnings: unknown[] = [];
  const logger = { ...silentLogger(), warn: (...words: unknown[]) => warnings.push(words) };
  const file = join(directory, "..", "..", "file");
  await writeFile(file, "in the way");
  const cache = new DescriptionCache(join(file, "cache"), logger as never);
  await cache.write(digest, text);
  await cache.write("b".repeat(64), text);
  assert.equal(warnings.length, 1);
  assert.match(String((warnings[0] as unknown[])[1]), /cannot be kept.*not a (folder|directory)/);
  assert.equal((await cache.read(digest, "/plugins/one"))?.name, "one");
});

test("the folder keeps a thousand descriptions, the newest, and what is not its own", async (t) => {
  const directory = await folder(t);
  const cache = new DescriptionCache(directory, silentLogger());
  await cache.write(digest, text);
  const [name = ""] = await readdir(directory);
  const suffix = name.slice(64);
  await writeFile(join(directory, "note.txt"), "");
  for (let i = 0; i < 1_000; i += 1) {
    await writeFile(join(directory, `${String(i).padStart(64, "0")}${suffix}`), text);
  }
  await utimes(join(directory, `${"0".repeat(64)}${suffix}`), 1, 1);
  await cache.write("c".repeat(64), text);
  const names = await readdir(directory);
  assert.ok(names.includes("note.txt"));
  assert.ok(names.includes(`${"c".repeat(64)}${suffix}`));
  assert.ok(!names.includes(`${"0".repeat(64)}${suffix}`));
  assert.ok(names.length <= 1_001, `${names.length} files`);
});
