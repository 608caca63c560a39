/** What a start loads before REST is up: every module costs time and memory, in each host. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

/** By who needs them. Anything else is loaded by whoever uses it, when it is used. */
const expected: Record<string, string[]> = {
  "the command line": ["commander", "properties-file"],
  pino: words(
    "pino pino-std-serializers @pinojs/redact atomic-sleep on-exit-leak-free " +
      "quick-format-unescaped safe-stable-stringify sonic-boom thread-stream",
  ),
  "the contract": words("@bufbuild/protobuf @grpc/grpc-js @js-sdsl/ordered-map"),
  fastify: words(
    "fastify @fastify/error @fastify/forwarded @fastify/proxy-addr abstract-logging avvio " +
      "fast-decode-uri-component fast-deep-equal fast-json-stringify fast-querystring fastq " +
      "find-my-way ipaddr.js process-warning ret reusify rfdc safe-regex2 secure-json-parse semver " +
      "toad-cache",
  ),
};

/** Now 603, of which 303 are from packages: transforms load later. To pass this bound is a decision. */
const modulesMax = 630;

function words(text: string): string[] {
  return text.split(" ");
}

test("a start loads little before REST is up, and what it need not have after that", async (context) => {
  const directory = await temporaryDirectory(context);
  const list = join(directory, "modules");
  const preload = join(repository, "test", "fixtures", "list-modules.mjs");
  const env = { MODULE_LIST: list, NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` };
  const host = await startHost({ directory, env });
  context.after(() => host.kill());
  const lines = async () => (await readFile(list, "utf8")).trimEnd().split("\n");
  const later = async () => (await lines()).some((line) => packageOf(line) === "execa");
  await waitFor(later, { withinMs: 20_000, what: "the launcher to be loaded" });
  const all = await lines();
  const loaded = [...new Set(all.slice(0, all.indexOf("listening")))];
  const own = loaded.filter((file) => file.startsWith(join(repository, "dist")));
  context.diagnostic(`${loaded.length} modules before REST is up, ${own.length} of them our own`);

  const packages = new Set(loaded.map(packageOf).filter((name) => name !== undefined));
  const known = new Set(Object.values(expected).flat());
  const strangers = [...packages].filter((name) => !known.has(name));
  assert.deepEqual(strangers, [], "import these where they are used, when they are");
  const gone = [...known].filter((name) => !packages.has(name));
  assert.deepEqual(gone, [], "these are not loaded any more: take them off the list");

  const commands = own.map((file) => relative(join(repository, "dist"), file));
  const ofOthers = commands.filter((file) => /^command\/quick|^conformance\/|^check\./.test(file));
  assert.deepEqual(ofOthers, [], "a command loads its own files only");
  assert.ok(loaded.length <= modulesMax, `${loaded.length} modules, at most ${modulesMax}`);
});

function packageOf(file: string): string | undefined {
  const inside = file.split("/node_modules/").at(-1) ?? "";
  if (inside === file) return undefined;
  return inside.split("/", inside.startsWith("@") ? 2 : 1).join("/");
}
