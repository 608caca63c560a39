/** Needs no Go: the messages were made of the contract as it is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { goContractHash, goHashFile } from "./harness/go-contract-hash.ts";

test("the Go messages were generated from the contract as it is", () => {
  const made = readFileSync(goHashFile, "utf8").trim();
  assert.equal(made, goContractHash(), "run npm run generate:go and commit it");
});
