import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errnoWords } from "./errno.ts";

test("what the system refuses is told in words, with its number", () => {
  const refusals: [path: string, words: string][] = [
    ["/nowhere/at/all", "there is no such file or folder (ENOENT)"],
    ["/", "it is a folder (EISDIR)"],
    [`${import.meta.filename}/below`, "a part of its path is not a folder (ENOTDIR)"],
  ];
  for (const [path, words] of refusals) {
    try {
      readFileSync(path);
      assert.fail(`${path} was read`);
    } catch (error) {
      assert.equal(errnoWords(error), words);
    }
  }
});

test("an error without a number has no words", () => {
  for (const error of [new Error("broken"), "text", null, undefined, { code: "constructor" }]) {
    assert.equal(errnoWords(error), undefined);
  }
});
