import assert from "node:assert/strict";
import { test } from "node:test";
import { WireSecrets } from "./wire-secrets.ts";

test("a secret is for one use unless it is reusable, and for none once it is void", () => {
  const secrets = new WireSecrets<string>();
  const once = secrets.issue("once");
  const often = secrets.issue("often", { isReusable: true });
  assert.notEqual(once.secret, often.secret);
  assert.equal(Buffer.from(often.secret, "base64url").length, 32);
  assert.deepEqual([secrets.take(once.secret), secrets.take(once.secret)], ["once", undefined]);
  assert.deepEqual([secrets.take(often.secret), secrets.take(often.secret)], ["often", "often"]);
  assert.equal(secrets.take(`${often.secret.slice(0, -1)}-`), undefined);
  often.void();
  assert.equal(secrets.take(often.secret), undefined);
  assert.equal(secrets.size, 0);
});
