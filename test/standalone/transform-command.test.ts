/** `bulkhead transform` as a program: every recorded case through its lines, and what a person sees. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseExactJson } from "../../src/record/exact-json.ts";
import type { JsonObject } from "../../src/record/value.ts";
import { comparableJson } from "../harness/comparable-json.ts";
import { program, temporaryDirectory } from "../harness/host-process.ts";

const endMsMax = 120_000;
const hoist = "org.apache.kafka.connect.transforms.HoistField$Value";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function bulkhead(args: readonly string[], input: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, "transform", ...args], { timeout: endMsMax });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.stdin.on("error", () => {});
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

/** Lines of the goldens, each as it was recorded. */
function goldenLines(kind: "convert" | "transform"): string[] {
  const folder = new URL(`../goldens/${kind}/`, import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => readFileSync(new URL(name, folder), "utf8").split("\n"))
    .filter((line) => line !== "");
}

/** `"request":{…},"answer":` of a line, whose numbers must not go through JSON.parse. */
function requestOf(line: string): string {
  const start = line.indexOf('"request":') + '"request":'.length;
  return line.slice(start, line.indexOf(',"answer":', start));
}

const byProducts = /NullPointerException|ClassCastException/;

function comparableAnswer(answer: JsonObject): string {
  const error = answer.get("error") as JsonObject | undefined;
  if (error === undefined) return comparableJson(answer);
  const javaClass = String(error.get("class"));
  return byProducts.test(javaClass) ? javaClass : `${javaClass} ${error.get("message")}`;
}

test("every recorded case is answered as by Apache's classes, line by line", async () => {
  const goldens = [...goldenLines("transform"), ...goldenLines("convert")];
  assert.ok(goldens.length > 750, `${goldens.length} cases`);
  const input = goldens.map((line) => `${requestOf(line)}\n\n`).join("");
  const { code, stdout, stderr } = await bulkhead(["--json-lines"], input);
  assert.deepEqual([code, stderr], [0, ""]);
  const answers = stdout.trimEnd().split("\n");
  assert.equal(answers.length, goldens.length);
  for (const [at, line] of goldens.entries()) {
    const golden = parseExactJson(line) as JsonObject;
    const answer = parseExactJson(answers[at] ?? "") as JsonObject;
    assert.equal(
      comparableAnswer(answer),
      comparableAnswer(golden.get("answer") as JsonObject),
      String(golden.get("id")),
    );
  }
});

test("requests that make no sense are told so, and the next is answered", async () => {
  const wrong = [
    "{nope",
    "[]",
    '{"op":"x"}',
    '{"op":"transform","transforms":{"a":1},"record":{}}',
  ];
  const more = ['{"op":"to-connect","converter":{},"isKey":true,"hex":"0"}'];
  const right = '{"op":"transform","transforms":{},"record":{}}';
  const { code, stdout } = await bulkhead(["--json-lines"], [...wrong, ...more, right].join("\n"));
  assert.equal(code, 0);
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(answers.length, 6);
  for (const { error } of answers.slice(0, 5)) {
    assert.equal(error.class, "BadRequest");
    assert.ok(error.message.length > 5);
  }
  assert.equal(answers[5].record.topic, "topic");
});

const rename = {
  name: "c",
  transforms: "r,f",
  "transforms.r.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
  "transforms.r.renames": "a:b",
  "transforms.f.type": "Filter",
  "transforms.f.predicate": "t",
  predicates: "t",
  "predicates.t.type": "RecordIsTombstone",
};

test("a person sees records before and after, what was dropped and what failed", async (t) => {
  const folder = await temporaryDirectory(t);
  const file = join(folder, "c.json");
  await writeFile(file, JSON.stringify(rename));
  const input = '{"a":1}\n\nnull\n{"value":{"schema":{"type":"string"},"value":"x"},"topic":"t"}\n';
  const { code, stdout, stderr } = await bulkhead([file], input);
  assert.equal(code, 1);
  assert.match(stdout, /^record 1\n/);
  assert.match(stdout, /^~ +"a": 1 +"b": 1$/m);
  assert.match(
    stdout,
    /^record 2: dropped by f \(org\.apache\.kafka\.connect\.transforms\.Filter\)$/m,
  );
  assert.match(stdout, /^record 3: failed at r \(\S+\): \S+DataException: Only Struct objects/m);
  assert.equal(stderr, "3 records: 1 dropped, 1 failed\n");
  assert.ok(!stdout.includes("\u001b"), "no colours in a pipe");
});

test("what cannot be tried is said in words", async (t) => {
  const folder = await temporaryDirectory(t);
  const file = join(folder, "c.json");
  await writeFile(file, JSON.stringify({ name: "c" }));
  const cases: { args: string[]; input: string; says: RegExp }[] = [
    { args: [file], input: "", says: /there are no transforms to try/ },
    { args: [], input: "", says: /there are no transforms to try/ },
    { args: ["--set", "x"], input: "", says: /cannot set x: write key=value/ },
    {
      args: ["--set", "transforms=a"],
      input: "",
      says: /Invalid value null for configuration transforms\.a\.type: Not a Transformation/,
    },
    {
      args: [...set({ transforms: "f", "transforms.f.type": "Filter" })],
      input: "{",
      says: /cannot read line 1 as a record: not JSON/,
    },
    {
      args: [...set({ transforms: "f", "transforms.f.type": "Filter" }), "--records", "/no/file"],
      input: "",
      says: /cannot read records from \/no\/file/,
    },
  ];
  for (const { args, input, says } of cases) {
    const { code, stderr } = await bulkhead(args, input);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, says);
  }
});

function set(config: Readonly<Record<string, string>>): string[] {
  return Object.entries(config).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
}

for (const { name, args, line } of [
  {
    name: "what a person sees",
    args: [
      "--set",
      "transforms=h",
      "--set",
      `transforms.h.type=${hoist}`,
      "--set",
      "transforms.h.field=x",
    ],
    line: '{"id":"7"}',
  },
  { name: "its lines", args: ["--json-lines"], line: '{"op":"nothing"}' },
]) {
  test(`a reader who has seen enough ends it without a word: ${name}`, async () => {
    const child = spawn(process.execPath, [program, "transform", ...args], { timeout: endMsMax });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.stdin.on("error", () => {});
    // As `head` does.
    child.stdout.once("data", () => child.stdout.destroy());
    const closed = once(child, "close");
    child.stdin.end(`${line}\n`.repeat(100_000));
    assert.deepEqual(await closed, [0, null]);
    assert.match(stderr, /^(\d+ records: 0 dropped, 0 failed\n)?$/);
  });
}
