/** No clause is without a plugin that breaks it, and none of those breaks goes untried. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { clauses } from "../../src/conformance/clauses.ts";
import { repository } from "../harness/host-process.ts";

const ids = clauses.map((one) => one.id);

test("no two clauses have the same id", () => {
  assert.deepEqual([...new Set(ids)], ids);
});

test("the fixture breaks every clause, and nothing that is none", () => {
  const folder = join(repository, "test", "fixtures", "broken-plugin");
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  const code = files.join("\n");
  assert.deepEqual(
    ids.filter((id) => !code.includes(`"${id}"`)),
    [],
  );
  const broken = [...code.matchAll(/\bbreaks\(\s*"([^"]+)"/g)].map(([, id]) => id ?? "");
  assert.ok(broken.length > 100, "its breaks are not spelled as this test reads them");
  assert.deepEqual(
    broken.filter((id) => !ids.includes(id)),
    [],
  );
});

test("a suite tries the breaks of every scope that clauses have", () => {
  const folder = join(repository, "test", "conformance");
  const suites = readdirSync(folder).filter((name) => /^broken-.*\.test\.ts$/.test(name));
  const tried = suites.flatMap((name) => {
    const call = /testBreaks\(\[(.*?)\]\)/s.exec(readFileSync(join(folder, name), "utf8"));
    return [...(call?.[1] ?? "").matchAll(/"(\w+)"/g)].map(([, scope]) => scope);
  });
  assert.deepEqual(tried.sort(), [...new Set(clauses.map((one) => one.of))].sort());
});
