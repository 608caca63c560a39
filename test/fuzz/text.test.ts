/** What people and files say to the host: read, or refused with a sentence, whatever it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HostError } from "../../src/base/error.ts";
import { isJson } from "../../src/base/json-text.ts";
import { parseVersionWish } from "../../src/config/version-range.ts";
import { parseWorkerConfig } from "../../src/config/worker-config.ts";
import { workerKeys } from "../../src/config/worker-keys.ts";
import { parseManifest } from "../../src/plugin/manifest.ts";
import { parseExactJson } from "../../src/record/exact-json.ts";
import { parseConfigBody, parseCreateRequest } from "../../src/rest/json-body.ts";
import { parseRequestPath } from "../../src/rest/request-path.ts";
import { holds } from "../harness/property.ts";

/** JSON, JSON with something wrong in it, and anything else. */
const jsonLike = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc
    .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.string({ maxLength: 3 }))
    .map(([text, at, add]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + add + text.slice(place + (at % 2));
    }),
  fc.string({ unit: "binary", maxLength: 60 }),
);

function refusedInWords(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof HostError, `another kind of error: ${error}`);
    assert.ok(error.message.length > 0);
  }
}

test("a REST body is read or refused with a sentence", () => {
  holds(
    fc.property(jsonLike, fc.uint8Array({ maxLength: 20 }), (text, bytes) => {
      for (const body of [Buffer.from(text), Buffer.concat([Buffer.from(text), bytes])]) {
        refusedInWords(() => parseCreateRequest(body));
        refusedInWords(() => parseConfigBody(body));
      }
    }),
    1_500,
  );
});

test("a path is a connector's, something else or refused", () => {
  holds(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      refusedInWords(() => parseRequestPath(`/${text}`));
      refusedInWords(() =>
        parseRequestPath(`/connectors/${encodeURIComponent(Buffer.from(text).toString())}`),
      );
    }),
    1_500,
  );
});

test("a plugin.json is good, or every problem of it is named", () => {
  const word = fc.constantFrom("name", "version", "command", "classes", "class", "kind", "config");
  const odd = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string(), fc.constant([]));
  const member = fc.dictionary(word, odd);
  const manifest = fc.record(
    {
      name: fc.oneof(fc.string(), odd),
      version: fc.oneof(fc.string(), odd),
      command: fc.oneof(fc.array(fc.string()), odd),
      classes: fc.oneof(fc.array(fc.oneof(member, odd)), odd),
    },
    { requiredKeys: [] },
  );
  const text = fc.oneof(
    jsonLike,
    manifest.map((one) => JSON.stringify(one)),
  );
  holds(
    fc.property(text, (given) => {
      const parsed = parseManifest(given, "/plugin");
      if (parsed.at === "good") assert.ok(parsed.manifest.classes.length > 0);
      else assert.ok(parsed.problems.length > 0 && parsed.problems.every((one) => one !== ""));
    }),
    1_500,
  );
});

test("worker properties are good, or refused with the keys that are wrong", () => {
  const key = fc.constantFrom(...workerKeys.map(({ name }) => name));
  const value = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom("-1", "0", "1e9", "true"));
  holds(
    fc.property(fc.dictionary(key, value, { maxKeys: 6 }), (given) => {
      refusedInWords(() => parseWorkerConfig({ "bootstrap.servers": "embedded:data", ...given }));
    }),
    1_000,
  );
});

test("exact JSON is what the platform takes for JSON, leading zeros aside", () => {
  holds(
    fc.property(jsonLike, (text) => {
      let platform = true;
      try {
        JSON.parse(text);
      } catch {
        platform = false;
      }
      assert.equal(isJson(text), platform);
      let ours = true;
      try {
        parseExactJson(text);
      } catch (error) {
        ours = false;
        assert.ok(error instanceof Error && error.message !== "");
      }
      // As in Connect, leading zeros are fine, and nothing else that the platform refuses.
      const zeros = /(^|[^.\d])0\d/.test(text);
      assert.ok(ours === platform || (ours && zeros), `${ours} ${platform}`);
    }),
    3_000,
  );
});

test("a version range is understood or refused in words", () => {
  const piece = fc.constantFrom("[", "]", "(", ")", ",", "1", ".", "0", "-", "rc", "latest", " ");
  holds(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      refusedInWords(() => parseVersionWish(pieces.join("")));
    }),
    1_000,
  );
});
