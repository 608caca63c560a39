/** The house rules (src/README.md), checked on the tree. Each rule lists what breaks it and says what to do. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { errorCodes } from "../src/base/error-code.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Lowest first. A folder imports itself and what stands before it. */
const open = "base observe record batch config state convert transform cli".split(" ");
/** Of these only the door, the file named after the folder, may be imported, and only as types. */
const closed =
  "kafka embedded plugin store task connector worker cluster herder rest conformance command".split(
    " ",
  );
const layers = [...open, ...closed];
/** They build the whole and may see everything. */
const seesAll = /^src\/(host|main|check)\.ts$|^src\/command\//;

/** Where each package may be imported; a new dependency needs a row. */
const homes: Record<string, string[]> = {
  "@bufbuild/protobuf": ["src/plugin", "src/conformance", "sdk/typescript"],
  "@bulkhead/sdk": ["plugins", "sdk/typescript/examples"],
  "@node-rs/crc32": ["src/batch"],
  "@toondepauw/node-zstd": ["src/batch"],
  "@grpc/grpc-js": ["src/plugin", "src/conformance", "sdk/typescript"],
  "cli-table3": ["src/cli"],
  commander: ["src/cli", "src/command", "src/main.ts"],
  esbuild: ["src/sdk-bundle.mjs"],
  execa: ["src/plugin"],
  fastify: ["src/rest"],
  kafkajs: ["src/kafka/transport.ts"],
  "lz4-napi": ["src/batch"],
  pino: ["src/observe"],
  "pino-pretty": ["src/observe"],
  "properties-file": ["src/config", "src/command"],
  snappy: ["src/batch"],
  xmlbuilder2: ["src/conformance"],
};

const namesThatSayNothing = /^(index|utils?|helpers?|types?|common|managers?|impls?|misc|lib)$/;
const linesMax = 400;

/** All but this file, which names what it forbids. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && file !== "test/tidy.test.ts" && existsSync(join(root, file)));
const text = (file: string) => readFileSync(join(root, file), "utf8");
const isCode = (file: string) => /\.(ts|mjs)$/.test(file) && !file.includes("/gen/");
const isTest = (file: string) => file.endsWith(".test.ts") || /(^|\/)test\//.test(file);
/** What is shipped: neither generated nor a test. */
const code = files.filter((file) => isCode(file) && !isTest(file));
const tests = files.filter((file) => isCode(file) && isTest(file));
const documents = files.filter((file) => file.endsWith(".md"));
const proseAndCode = files.filter(
  (file) =>
    /\.(ts|mjs|py|proto|md|json|ya?ml)$|(^|\/)run$/.test(file) && file !== "package-lock.json",
);

interface Import {
  file: string;
  /** As written. */
  from: string;
  /** The file in this tree, for a relative one. */
  target: string | undefined;
  typeOnly: boolean;
}

const imports = code.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const found = text(file).matchAll(
    /^(?:import|export)\s+(type\s)?(?:[^;"']*?\sfrom\s+)?"([^"]+)"|\bimport\("([^"]+)"\)/gm,
  );
  return [...found].map(([, type, fixed, dynamic]) => {
    const from = fixed ?? dynamic ?? "";
    const target = from.startsWith(".") ? normalize(join(dirname(file), from)) : undefined;
    return { file, from, target, typeOnly: type !== undefined };
  });
}

const folderOf = (file: string) => /^src\/([^/]+)\//.exec(file)?.[1];

/** The first lines that match, as `file:line: text`. */
function grep(among: string[], pattern: RegExp): string[] {
  return among.flatMap((file) =>
    text(file)
      .split("\n")
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
      ),
  );
}

function layering({ file, target, typeOnly }: Import): string[] {
  const from = folderOf(file);
  if (target === undefined || from === undefined || seesAll.test(file)) return [];
  const to = folderOf(target);
  if (to === undefined) return [`${file} imports ${target}: a folder cannot see a root`];
  if (to === from) return [];
  if (!layers.includes(from)) return [`src/${from} has no place in the layers: give it one`];
  if (layers.indexOf(to) > layers.indexOf(from)) {
    return [`${file} imports ${target}: ${to} stands above ${from}; have it handed in`];
  }
  if (open.includes(to)) return [];
  // The contract as generated is no host code: the kit judges by it and by nothing else of `plugin`.
  if (from === "conformance" && target.startsWith("src/plugin/gen/")) return [];
  if (target !== `src/${to}/${to}.ts`) {
    return [`${file} imports ${target}: only the door src/${to}/${to}.ts may be imported`];
  }
  return typeOnly ? [] : [`${file} imports ${target}: use "import type", a door has only types`];
}

function home({ file, from }: Import): string[] {
  if (from.startsWith(".") || from.startsWith("node:")) return [];
  const name = from.split("/", from.startsWith("@") ? 2 : 1).join("/");
  const allowed = homes[name];
  if (allowed === undefined)
    return [`${file} imports ${name}: it has no home in this test's table`];
  if (allowed.some((place) => file === place || file.startsWith(`${place}/`))) return [];
  return [`${file} imports ${name}: its home is ${allowed.join(" or ")}`];
}

/** `src`, `sdk/typescript` and each plugin are separate programs. */
function leavesItsProgram({ file, target }: Import): string[] {
  const program = /^(src|sdk\/[^/]+|plugins\/[^/]+)\//.exec(file)?.[1];
  if (target === undefined || program === undefined || target.startsWith(`${program}/`)) return [];
  return [`${file} imports ${target}: outside of ${program}`];
}

function badName(file: string): string[] {
  const name = basename(file).replace(/(\.kafka)?(\.test)?\.(ts|mjs)$/, "");
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return [`${file}: file names are kebab-case`];
  const published = /^sdk\/[^/]+\/src\/index\.ts$/.test(file);
  if (!namesThatSayNothing.test(name) || published) return [];
  return [`${file}: name it after what it exports first`];
}

function undocumented(file: string): string[] {
  const lines = text(file).split("\n");
  return lines.flatMap((line, index) =>
    /^export (?!\{|\*|type \{)/.test(line) && !lines[index - 1]?.trimEnd().endsWith("*/")
      ? [`${file}:${index + 1}: ${line}: needs a doc comment`]
      : [],
  );
}

function unusedErrorCodes(): string[] {
  const everything = code.filter((file) => file !== "src/base/error-code.ts").map(text);
  return Object.keys(errorCodes)
    .filter((name) => !everything.some((content) => content.includes(`"${name}"`)))
    .map((name) => `${name} is listed in src/base/error-code.ts and used nowhere: remove it`);
}

function unsortedErrorCodes(): string[] {
  const part = (name: string) => name.split(".")[0] ?? "";
  const names = Object.keys(errorCodes);
  return names
    .filter((name, index) => index > 0 && part(name) < part(names[index - 1] ?? ""))
    .map((name) => `src/base/error-code.ts: ${name} is not in alphabetical order`);
}

function invariants(): string[] {
  const inSource = code.map(text).join("\n");
  const inTests = tests.map(text).join("\n");
  const cited = [1, 2, 3, 4, 5, 6, 7].flatMap((number) => [
    ...(new RegExp(`\\bI${number}: `).test(inSource)
      ? []
      : [`I${number} is upheld nowhere: cite it as "// I${number}: …" where it is`]),
    ...(new RegExp(`\\bI${number}\\b`).test(inTests)
      ? []
      : [`I${number} has no test that breaks it: name it in that test's title`]),
  ]);
  return [...cited, ...mapWithoutCitation()];
}

/** What the map names for an invariant must name it too; of a folder one file is enough. */
function mapWithoutCitation(): string[] {
  const rows = [...text("src/README.md").matchAll(/^\| (I\d) \|[^|]*\|([^|]*)\|([^|]*)\|$/gm)];
  assert.equal(rows.length, 7, "the table of invariants in src/README.md has a row for each");
  return rows.flatMap(([, name = "", upheldIn = "", brokenBy = ""]) => [
    ...linksIn(upheldIn)
      .filter((place) => !isCitedIn(code, name, place))
      .map((place) => `src/README.md says that ${place} upholds ${name}: cite it there`),
    ...linksIn(brokenBy)
      .filter((place) => !isCitedIn(tests, name, place))
      .map((place) => `src/README.md says that ${place} breaks ${name}: name it in a test's title`),
  ]);
}

function linksIn(cell: string): string[] {
  return [...cell.matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => normalize(join("src", link)));
}

function isCitedIn(among: string[], name: string, place: string): boolean {
  return among
    .filter((file) => file === place || file.startsWith(`${place}/`))
    .some((file) => new RegExp(`\\b${name}\\b`).test(text(file)));
}

function unknownScripts(): string[] {
  const { scripts } = JSON.parse(text("package.json")) as { scripts: Record<string, string> };
  return documents.flatMap((file) =>
    [...text(file).matchAll(/npm run (?:-s )?([\w:-]+)/g)]
      .filter(([, name = ""]) => !Object.hasOwn(scripts, name))
      .map(([words]) => `${file}: package.json has no script for "${words}"`),
  );
}

function brokenLinks(): string[] {
  return documents.flatMap((file) =>
    [...prose(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
      .filter(([, link = ""]) => !existsSync(join(root, dirname(file), link)))
      .map(([, link]) => `${file}: nothing at ${link}`),
  );
}

/** A document without its programs, in some of which a call looks like a link. */
function prose(file: string): string {
  return text(file).replace(/^```[\s\S]*?^```/gm, "");
}

function unmappedFolders(): string[] {
  const map = text("src/README.md");
  const folders = new Set(code.map(folderOf).filter((folder) => folder !== undefined));
  return [...folders]
    .filter((folder) => !map.includes(`\`${folder}\``))
    .map((folder) => `src/README.md says nothing of \`${folder}\``);
}

const promises = /\b(TODO|FIXME|XXX|HACK)\b/;
const ofThisMachine =
  /(^|[\s"'`(=:])\/(work|root|farm|home|Users)\/|"resolved": "http|registry\.(npm|yarn)|\.\.\/shared/;

const rules: { name: string; broken: () => string[] }[] = [
  {
    name: "imports point down and enter a folder by its door",
    broken: () => imports.flatMap(layering),
  },
  { name: "each dependency has one home", broken: () => imports.flatMap(home) },
  { name: "no program imports another's files", broken: () => imports.flatMap(leavesItsProgram) },
  {
    name: "file names are kebab-case and say something",
    broken: () => [...code, ...tests].flatMap(badName),
  },
  {
    name: `files have at most ${linesMax} lines`,
    broken: () =>
      code
        .filter((file) => text(file).trimEnd().split("\n").length > linesMax)
        .map((file) => `${file}: split it where two names serve a reader better`),
  },
  { name: "nothing is put off in a comment", broken: () => grep(proseAndCode, promises) },
  {
    name: "what a door exports has a doc comment",
    broken: () =>
      closed
        .map((name) => `src/${name}/${name}.ts`)
        .filter((file) => code.includes(file))
        .flatMap(undocumented),
  },
  { name: "every error code is used", broken: unusedErrorCodes },
  { name: "error codes are in order", broken: unsortedErrorCodes },
  { name: "every invariant is cited in the code and broken by a test", broken: invariants },
  {
    name: "nothing names this machine or a registry",
    broken: () =>
      grep(
        files.filter((file) => file !== "LICENSE" && isText(file)),
        ofThisMachine,
      ),
  },
  { name: "commands in documents exist", broken: unknownScripts },
  { name: "links in documents lead somewhere", broken: brokenLinks },
  { name: "the map names every folder", broken: unmappedFolders },
];

function isText(file: string): boolean {
  return !readFileSync(join(root, file)).subarray(0, 8_000).includes(0);
}

for (const { name, broken } of rules) {
  test(name, () => {
    const problems = [...new Set(broken())];
    assert.equal(problems.length, 0, `\n${problems.join("\n")}`);
  });
}
