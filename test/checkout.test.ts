/** What a checkout does before a command can run, on a small checkout made for the purpose. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("..", import.meta.url));
const compilerOptions = { rootDir: ".", outDir: "../dist", module: "nodenext", types: ["node"] };

interface Checkout {
  folder: string;
  write: (file: string, content: string) => Promise<void>;
  run: (...args: string[]) => { status: number | null; stdout: string; stderr: string };
}

/** A program of one file, whose dependencies look as if somebody had installed them by hand. */
async function checkout(context: TestContext): Promise<Checkout> {
  const folder = await mkdtemp(join(tmpdir(), "bulkhead-checkout-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const write = (file: string, content: string) => writeFile(join(folder, file), content);
  for (const name of ["src", "plugins", "node_modules", ".tools"]) await mkdir(join(folder, name));
  await copyFile(join(repository, "src", "checkout.mjs"), join(folder, "src", "checkout.mjs"));
  for (const name of ["typescript", "@typescript", "@types", "undici-types"]) {
    await symlink(join(repository, "node_modules", name), join(folder, "node_modules", name));
  }
  await write("package.json", JSON.stringify({ type: "module", engines: { node: ">=20.19" } }));
  await write("package-lock.json", "{}");
  await write("node_modules/.package-lock.json", "{}");
  await write("tsconfig.json", "{}");
  await write("src/tsconfig.json", JSON.stringify({ compilerOptions, include: ["**/*.ts"] }));
  await write("src/main.ts", 'console.log("one", ...process.argv.slice(2));\n');
  const program = join(folder, "src", "checkout.mjs");
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [program, ...args], { encoding: "utf8", timeout: 60_000 });
  return { folder, write, run };
}

test("a command is built once, and again when a source changes; stdout is the command's own", async (context) => {
  const { run, write } = await checkout(context);
  const first = run("bulkhead", "a", "b");
  assert.equal(first.stdout, "one a b\n", first.stderr);
  assert.match(first.stderr, /building/);
  const again = run("bulkhead", "c");
  assert.deepEqual([again.stdout, again.stderr], ["one c\n", ""]);
  await write("src/main.ts", 'console.log("two"); process.exitCode = 7;\n');
  const changed = run("bulkhead");
  assert.equal(changed.stdout, "two\n");
  assert.equal(changed.status, 7, "its exit status is the command's");
});

test("a removed build is made again", async (context) => {
  const { run, folder } = await checkout(context);
  assert.equal(run("build").status, 0);
  await rm(join(folder, "dist"), { recursive: true });
  assert.equal(run("bulkhead").stdout, "one\n");
});

test("a source that does not compile is said and nothing is run", async (context) => {
  const { run, write } = await checkout(context);
  await write("src/main.ts", 'const n: number = "text";\nconsole.log(n);\n');
  const { status, stdout, stderr } = run("bulkhead");
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /main\.ts.*TS2322/);
});

test("the lock of a command that was killed is taken over", async (context) => {
  const { run, write } = await checkout(context);
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  await write(".tools/checkout.lock", String(dead));
  assert.equal(run("bulkhead").status, 0);
});

for (const c of [
  { name: "a Node that is too old", engines: ">=99.1", args: ["test"], expect: /needs Node 99\.1/ },
  { name: "no command", engines: ">=20.19", args: [], expect: /^usage: / },
  { name: "an unknown command", engines: ">=20.19", args: ["tset"], expect: /^usage: / },
  { name: "a missing program", engines: ">=20.19", args: ["test"], expect: /no test\/run\.ts/ },
]) {
  test(`${c.name} gets one clear sentence`, async (context) => {
    const { run, write } = await checkout(context);
    await write("package.json", JSON.stringify({ engines: { node: c.engines } }));
    const { status, stderr } = run(...c.args);
    assert.equal(status, 1);
    assert.match(stderr, c.expect);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  });
}
