/** `bulkhead check` as a person and a CI system meet it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compiledProgram } from "../harness/compiled-program.ts";
import { repository } from "../harness/host-process.ts";

const program = compiledProgram("test/fixtures/broken-plugin/main.ts");
const main = join(repository, "dist", "main.js");

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function check(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: repository, timeout: 60_000 };
    execFile(process.execPath, [main, "check", ...args], options, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("a folder whose clauses are kept ends with 0 and a table of them", async () => {
  const { status, stdout, stderr } = await check("plugins/blackhole", "--only", "hello");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^pass {2}hello\.token +hello carries the token of the launch line$/m);
  assert.match(stdout, /^clauses: 5 passed, 0 failed, 0 skipped, in [\d.]+ s$/m);
  // Nobody watches a pipe: no progress there.
  assert.equal(stderr, "");
});

test("a command that breaks a clause ends with 1, what was seen, the rule and a hint", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "check-command-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const junit = join(folder, "report.xml");
  const broken = ["--", "node", program, "--break=hello.content", "--kind=source"];
  const { status, stdout } = await check("--only", "hello", "--junit", junit, ...broken);
  assert.equal(status, 1);
  assert.match(stdout, /^FAIL {2}hello\.content/m);
  assert.match(stdout, /^ +seen: the process id is missing$/m);
  assert.match(stdout, /^ +rule: Hello carries the range of protocol versions/m);
  assert.match(stdout, /^ +hint: fill protocol_min/m);
  assert.match(stdout, /^skip {2}hello\.manifest/m);
  const xml = await readFile(junit, "utf8");
  assert.match(xml, /<testsuites [^>]*tests="5" failures="1" skipped="1"/);
  assert.match(xml, /<failure message="the process id is missing">/);
});

test("--json says the same to a machine, and a config makes a class runnable", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "check-command-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, "source.properties");
  await writeFile(config, "name=x\nconnector.class=broken.Source\ntopic=t\n");
  const plugin = ["--", "node", program, "--kind=source"];
  const only = ["--only", "connector.start", "--json"];
  const without = await check(...only, ...plugin);
  const reason = JSON.parse(without.stdout).results[0];
  assert.equal(reason.verdict, "skipped");
  assert.match(reason.seen, /broken\.Source needs a value for topic/);
  // Nothing was judged, which is no success.
  assert.equal(without.status, 1);
  const judged = await check(...only, "--config", config, ...plugin);
  const report = JSON.parse(judged.stdout);
  assert.deepEqual(report.counts, { passed: 1, failed: 0, skipped: 0 });
  assert.equal(report.plugin.name, "broken");
  assert.equal(judged.status, 0);
});

test("the last words of a program that says no hello are told once", async () => {
  const script = 'console.error("I am no plugin"); process.exit(3)';
  const { status, stdout } = await check("--", process.execPath, "-e", script);
  assert.equal(status, 1);
  assert.match(stdout, /^FAIL {2}hello\.in-time/m);
  const words = stdout.replaceAll(/\s+/g, " ");
  assert.equal(words.split("I am no plugin").length, 2, stdout);
  assert.match(stdout, /not judged: it needs hello\.in-time: it said no hello$/m);
});

for (const { name, args, says } of [
  { name: "no plugin", args: [], says: /cannot check a plugin that is not named[\s\S]*hint: / },
  {
    name: "a folder that is not there",
    args: ["plugins/nothing"],
    says: /cannot check plugins\/nothing: it is not a plugin folder[\s\S]*hint: .* -- plugins/,
  },
  {
    name: "a folder without plugin.json",
    args: ["src"],
    says: /cannot read the plugin file .*src\/plugin\.json/,
  },
  {
    name: "a program that is not there",
    args: ["--", "no-such-program-7"],
    says: /cannot start no-such-program-7: .*ENOENT[\s\S]*hint: /,
  },
  {
    name: "a clause that is not there",
    args: ["plugins/file", "--only", "hallo"],
    says: /no clause begins with hallo[\s\S]*hint: clauses begin with hello, reject, /,
  },
  {
    name: "a clause that is not there among some that are",
    args: ["plugins/file", "--only", "hello.now"],
    says: /no clause begins with hello\.now[\s\S]*hint: there are hello\.in-time, hello\.first, /,
  },
  {
    name: "two folders",
    args: ["plugins/file", "plugins/datagen"],
    says: /cannot check plugins\/file, plugins\/datagen together: a check is of one plugin folder/,
  },
  { name: "an unknown option", args: ["plugins/file", "--fast"], says: /unknown option '--fast'/ },
]) {
  test(`${name} ends with 2 and what to do`, async () => {
    const { status, stderr } = await check(...args);
    assert.equal(status, 2);
    assert.match(stderr, says);
  });
}
