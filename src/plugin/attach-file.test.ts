import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AttachFile, connectWords } from "./attach-file.ts";

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "attach-file-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("the newest host's file counts, and only that host takes it away", async (t) => {
  const directory = await folder(t);
  const first = await AttachFile.write(directory, "a", "first");
  const second = await AttachFile.write(directory, "a", "second");
  assert.equal(first.path, second.path);
  first.remove();
  assert.equal(await readFile(second.path, "utf8"), "second\n");
  second.remove();
  second.remove();
  assert.deepEqual(await readdir(directory), []);
});

test("a folder that others may write to is refused, and so is a file in its place", async (t) => {
  const directory = await folder(t);
  await chmod(directory, 0o777);
  await assert.rejects(AttachFile.write(directory, "a", "x"), {
    code: "plugin.attach_unusable",
    message: `cannot tell attached plugins by files in ${directory} where to dial: others may write to it`,
    hint: "set plugin.attach.dir to a folder of the host's own",
  });
  await chmod(directory, 0o700);
  await writeFile(join(directory, "file"), "");
  await assert.rejects(AttachFile.write(join(directory, "file", "b"), "a", "x"), {
    code: "plugin.attach_unusable",
  });
  assert.deepEqual(await readdir(directory), ["file"]);
});

for (const { path, words } of [
  { path: "/run/a-b_c.1/x.json", words: "BULKHEAD_CONNECT=/run/a-b_c.1/x.json" },
  { path: "/my files/it's.json", words: "BULKHEAD_CONNECT='/my files/it'\\''s.json'" },
]) {
  test(`a shell reads ${words} as it is meant`, () => assert.equal(connectWords(path), words));
}
