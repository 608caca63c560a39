import assert from "node:assert/strict";
import { test } from "node:test";
import { isJson, preferred } from "./media-type.ts";
import { encodeName, parseRequestPath } from "./request-path.ts";

const kept: { target: string; url: string }[] = [
  { target: "/", url: "/" },
  { target: "/connectors/", url: "/connectors" },
  { target: "/connectors/?a=%2F//", url: "/connectors?a=%2F//" },
  { target: "/connectors/a;v=1/status;x", url: "/connectors/a/status" },
  { target: "/connectors/a%3Bb%20c%3F", url: "/connectors/a%3Bb%20c%3F" },
  { target: "/connectors/%C3%A4", url: "/connectors/%C3%A4" },
];

for (const { target, url } of kept) {
  test(`${target} is looked up as ${url}`, () =>
    assert.deepEqual(parseRequestPath(target), { at: "path", url }));
}

const refused = [
  "/connectors//",
  "/connectors//status",
  "//",
  "/connectors/a%2fb",
  "/connectors/a%5Cb",
  "/connectors/a\\b",
  "/connectors/50%25",
  "/connectors/%0a",
  "/connectors/%7F",
  "/connectors/%2e%2E/status",
  "/connectors/../x",
  "/connectors/100%",
  "/connectors/%zz",
  "/connectors/%ff",
  "http://proxy/connectors",
];

for (const target of refused) {
  test(`${target} is refused`, () => assert.deepEqual(parseRequestPath(target), { at: "refused" }));
}

const names: { name: string; encoded: string }[] = [
  { name: "a b", encoded: "a%20b" },
  { name: "a/b", encoded: "a/b" },
  { name: "a\\b", encoded: "a%5Cb" },
  { name: "what?#", encoded: "what%3F%23" },
  { name: "ä🚀", encoded: "%C3%A4%F0%9F%9A%80" },
  { name: "\ud83d", encoded: "%EF%BF%BD" },
];

for (const { name, encoded } of names) {
  test(`${JSON.stringify(name)} stands in Location as ${encoded}`, () =>
    assert.equal(encodeName(name), encoded));
}

const accepts: { header: string | undefined; json: boolean }[] = [
  { header: undefined, json: true },
  { header: "*/*", json: true },
  { header: "text/html, application/*;q=0.1", json: true },
  { header: "application/json;q=0, text/html", json: false },
  { header: "application/vnd.api+json", json: false },
];

for (const { header, json } of accepts) {
  test(`Accept: ${header} ${json ? "takes" : "does not take"} JSON`, () =>
    assert.equal(preferred(header, ["application/json"]) !== undefined, json));
}

const types = ["application/json", "text/plain", "text/event-stream"];
const choices: { header: string | undefined; type: string | undefined }[] = [
  { header: undefined, type: "application/json" },
  { header: "*/*", type: "application/json" },
  { header: "text/*", type: "text/plain" },
  { header: "text/event-stream", type: "text/event-stream" },
  { header: "text/event-stream, */*;q=0.1", type: "text/event-stream" },
  { header: "text/html, text/plain;q=0.5, */*;q=0.1", type: "text/plain" },
  { header: "text/html", type: undefined },
];

for (const { header, type } of choices) {
  test(`Accept: ${header} prefers ${type}`, () => assert.equal(preferred(header, types), type));
}

test("a content type is JSON in any case and with parameters", () => {
  assert.equal(isJson("Application/JSON ; charset=utf-8"), true);
  assert.equal(isJson("application/merge-patch+json"), false);
});
