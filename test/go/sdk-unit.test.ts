/** The Go SDK's own tests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { goMissing, runGo } from "../harness/go.ts";

const missing = await goMissing();

test("the tests of the Go SDK pass, and go vet has nothing to say", {
  skip: missing ?? false,
}, async () => {
  const printed = await runGo(["test", "-count=1", "./..."]).catch((error) => {
    assert.fail(`${error.stdout}\n${error.stderr}`);
  });
  assert.match(printed, /^ok\s+bulkhead\/sdk\/go\s/m);
});
