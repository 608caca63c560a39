import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../base/error.ts";
import {
  isMacAlgorithm,
  type KeySettings,
  needsNewKey,
  newSessionKey,
  type SignedRequest,
  sign,
  signatureHeaders,
  verify,
} from "./session-key.ts";

/** What Apache's worker sent to a leader, with the key of the config topic. */
const recorded = {
  key: {
    key: "ZJopd3OBP8i9Zumm8U+kdKbK8VIBAhaSSbLEu2GU5j4=",
    algorithm: "HmacSHA256",
    createdMs: 1_795_346_602_191,
  },
  body: Buffer.from(
    '[{"connector.class":"org.apache.kafka.connect.file.FileStreamSourceConnector","file":"/var/tmp/in.txt","task.class":"org.apache.kafka.connect.file.FileStreamSourceTask","tasks.max":"1","name":"src-c","topic":"mix-c"}]',
  ),
  signature: "C7LhQAlIVge6TDppLnR6UHua7F22zP3edHYr+yDUSJc=",
};
const { key, body, signature } = recorded;
const settings: KeySettings = { algorithm: "HmacSHA256", sizeBits: null, ttlMs: 3_600_000 };

test("a request is signed as Apache's worker signs it, and its own is accepted", () => {
  assert.deepEqual(sign(body, key, "HmacSHA256"), {
    "X-Connect-Authorization": signature,
    "X-Connect-Request-Signature-Algorithm": "HmacSHA256",
  });
  verify({ body, signature, algorithm: "HmacSHA256" }, key, ["HmacSHA256"]);
});

test("a request without a body is signed as no bytes", () => {
  const { [signatureHeaders.signature]: empty } = sign(new Uint8Array(), key, "HmacSHA256");
  verify({ body: new Uint8Array(), signature: empty, algorithm: "HmacSHA256" }, key, [
    "HmacSHA256",
  ]);
});

const refusals: {
  name: string;
  change: Partial<SignedRequest>;
  noKey?: boolean;
  status: number;
  says: string | RegExp;
}[] = [
  {
    name: "no signature",
    change: { signature: undefined },
    status: 400,
    says: "Internal request missing required signature",
  },
  {
    name: "no algorithm",
    change: { algorithm: undefined },
    status: 400,
    says: "Internal request missing required signature",
  },
  {
    name: "another body",
    change: { body: Buffer.from("[]") },
    status: 403,
    says: "Internal request contained invalid signature.",
  },
  {
    name: "a signature that was cut",
    change: { signature: signature.slice(0, 20) },
    status: 403,
    says: "Internal request contained invalid signature.",
  },
  {
    name: "an unknown algorithm",
    change: { algorithm: "HmacSHA999" },
    status: 400,
    says: "Algorithm HmacSHA999 not available",
  },
  {
    name: "an algorithm that is not allowed",
    change: { algorithm: "HmacMD5" },
    status: 400,
    says: /^This worker does not support the 'HmacMD5' key signing algorithm used by other workers\. This worker is currently configured to use: \[HmacSHA256\]\. Check /,
  },
  {
    name: "what is not base64",
    change: { signature: "100%" },
    status: 400,
    says: "Illegal base64 character 25",
  },
  {
    name: "a request before a key was read",
    change: {},
    noKey: true,
    status: 503,
    says: /^This worker is still starting up and has not been able to read a session key/,
  },
];

for (const { name, change, noKey = false, status, says } of refusals) {
  test(`refused in Connect's words: ${name}`, () => {
    const request = { body, signature, algorithm: "HmacSHA256", ...change };
    assert.throws(
      () => verify(request, noKey ? undefined : key, ["HmacSHA256"]),
      (error) => {
        assert.ok(error instanceof RequestError);
        assert.equal(error.status, status);
        if (typeof says === "string") assert.equal(error.message, says);
        else assert.match(error.message, says);
        return true;
      },
    );
  });
}

test("a key is as long as Java makes it, and none is like another", () => {
  const bytes = (made: { key: string }) => Buffer.from(made.key, "base64").length;
  assert.equal(bytes(newSessionKey(settings, 5)), 32);
  assert.equal(bytes(newSessionKey({ ...settings, algorithm: "HmacSHA1" }, 5)), 64);
  assert.equal(bytes(newSessionKey({ ...settings, sizeBits: 100 }, 5)), 13);
  assert.equal(newSessionKey(settings, 5).createdMs, 5);
  assert.notEqual(newSessionKey(settings, 5).key, newSessionKey(settings, 5).key);
});

test("another key is needed when there is none, or it is old or of another kind", () => {
  const { createdMs } = key;
  assert.ok(needsNewKey(undefined, settings, createdMs));
  assert.ok(!needsNewKey(key, settings, createdMs + 3_599_999));
  assert.ok(needsNewKey(key, settings, createdMs + 3_600_000));
  assert.ok(!needsNewKey(key, { ...settings, ttlMs: 0 }, createdMs * 2));
  assert.ok(needsNewKey(key, { ...settings, algorithm: "HmacSHA512" }, createdMs));
  assert.ok(!needsNewKey(key, { ...settings, sizeBits: 256 }, createdMs));
  assert.ok(needsNewKey(key, { ...settings, sizeBits: 512 }, createdMs));
});

test("the algorithms are those of Java that this platform has, in any case", () => {
  assert.ok(isMacAlgorithm("hmacsha256"));
  assert.ok(!isMacAlgorithm("sha256"));
});
