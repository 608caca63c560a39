/** "Ten minutes" of sdk/README.md: each language's program as it stands there, judged by the kit. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { assertKept, judge } from "./conformance/judged.ts";
import { repository, temporaryDirectory } from "./harness/host-process.ts";
import { pythonEnvironment } from "./harness/python.ts";

const run = promisify(execFile);
const readme = readFileSync(join(repository, "sdk", "README.md"), "utf8");
const python = await pythonEnvironment();

/** What a beginner's plugin shows of itself; the SDKs' own examples are judged by all. */
const clauses =
  "describe validate.required config.required-enforced task.stop source.columns source.resume sink.put sink.values";

const languages: {
  readonly name: string;
  readonly file: string;
  readonly skip: string | false;
  /** Installs the SDK in the folder as the README does, without a registry; the answer runs the program. */
  readonly prepare: (folder: string) => Promise<string[]>;
}[] = [
  {
    name: "typescript",
    file: "main.js",
    skip: false,
    async prepare(folder) {
      await writeFile(join(folder, "package.json"), '{"type": "module", "name": "example"}');
      const modules = join(folder, "node_modules", "@bulkhead");
      await mkdir(modules, { recursive: true });
      await symlink(join(repository, "sdk", "typescript"), join(modules, "sdk"));
      return [process.execPath, "main.js"];
    },
  },
  {
    name: "python",
    file: "main.py",
    skip: python.missing ?? false,
    prepare: async () => [python.python, "main.py"],
  },
  {
    name: "go",
    file: "main.go",
    skip: await goMissing(),
    async prepare(folder) {
      const sdk = join(repository, "sdk", "go");
      const go = (...args: string[]) => run("go", args, { cwd: folder, timeout: 400_000 });
      await go("mod", "init", "example");
      const edit = ["-require", "bulkhead/sdk/go@v0.0.0", "-replace", `bulkhead/sdk/go=${sdk}`];
      await go("mod", "edit", ...edit);
      // What `go mod tidy` would ask the network for.
      await copyFile(join(sdk, "go.sum"), join(folder, "go.sum"));
      await go("build", "-mod=mod", "-o", "example", ".");
      return [join(folder, "example")];
    },
  },
];

/** False = nothing. */
async function goMissing(): Promise<string | false> {
  try {
    await run("go", ["version"], { timeout: 30_000 });
    return false;
  } catch {
    return "needs go 1.26";
  }
}

for (const { name, file, skip, prepare } of languages) {
  test(`the ${name} program of sdk/README.md is a plugin that the kit finds nothing wrong with`, {
    skip,
  }, async (t) => {
    const folder = await temporaryDirectory(t);
    await writeFile(join(folder, file), code(`${name} ${file}`));
    await writeFile(join(folder, "conformance.json"), code("all conformance.json"));
    const command = await prepare(folder);
    const [program = "", ...args] = command;
    const printed = await run(program, [...args, "manifest"], { cwd: folder, timeout: 60_000 });
    const manifest = { ...JSON.parse(printed.stdout), command };
    assert.deepEqual(
      manifest.classes.map((one: { class: string; kind: string }) => [one.class, one.kind]),
      [
        ["example.Counter", "source"],
        ["example.Append", "sink"],
      ],
    );
    await writeFile(join(folder, "plugin.json"), JSON.stringify(manifest));
    const report = await judge({ plugin: { at: "folder", path: folder } }, clauses.split(" "));
    assertKept(report, []);
  });
}

/** The code below a marker. */
function code(marker: string): string {
  const found = new RegExp(`<!-- ${marker} -->\\n+\`\`\`\\w+\\n(.*?)\`\`\``, "s").exec(readme)?.[1];
  assert.ok(found, `sdk/README.md has no ${marker}`);
  return found;
}
