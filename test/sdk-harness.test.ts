/** The SDK's test harness as a plugin's author has it: from the package, beside the SDK itself. */
import assert from "node:assert/strict";
import { test } from "node:test";

const dist = "../sdk/typescript/dist/";

test("the built harness runs what the built SDK made, and knows its errors", async (t) => {
  const sdk = (await import(`${dist}bundle.js`)) as typeof import("../sdk/typescript/src/index.ts");
  const built = (await import(
    `${dist}harness-bundle.js`
  )) as typeof import("../sdk/typescript/src/harness/harness.ts");
  let lives = 0;
  const made = sdk.source({
    class: "test.Flaky",
    async *read() {
      lives += 1;
      if (lives === 1) throw new sdk.RetriableError("not yet", { retryAfterMs: 60_000 });
      yield { topic: "t", value: "at last" };
    },
  });
  const task = await built.harness(made);
  t.after(() => task.stop());
  const reading = task.read(1);
  while (task.clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  task.clock.advance(60_000);
  assert.equal((await reading)[0]?.value, "at last");
});
