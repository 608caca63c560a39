/** A fixture as one file of plain JavaScript, so that it starts in a third of the time. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { repository } from "./host-process.ts";

/** Made once for each state of the sources, for every test file of every run. */
const folder = join(repository, ".tools", "fixtures");
/** Everything that a fixture may be made of, and what it may need of the registry. */
const sources = ["test/fixtures", "src", "package-lock.json", "test/harness/compiled-program.ts"];
/** These stay imports: what is not JavaScript, and the SDK, which is tested as it is shipped. */
const external = ["@bulkhead/sdk", "snappy", "lz4-napi", "@toondepauw/node-zstd", "@node-rs/crc32"];
const keptMs = 86_400_000;
let compiled: string | undefined;

/** Compiles a program of the repository, `test/fixtures/x.ts`; the answer is what `node` can run. */
export function compiledProgram(file: string): string {
  compiled ??= join(folder, sourcesHash());
  const program = join(compiled, file.replace(/\.ts$/, ".mjs"));
  if (existsSync(program)) return program;
  // Two test files may come at once: each makes its own, and the later one replaces its equal.
  const own = `${program}.${process.pid}`;
  buildSync({
    entryPoints: [join(repository, file)],
    outfile: own,
    absWorkingDir: repository,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error",
    external,
    // gRPC is written in CommonJS and asks for Node's own modules with require.
    banner: {
      js: 'import { createRequire as $requireFor } from "node:module"; const require = $requireFor(import.meta.url);',
    },
  });
  renameSync(own, program);
  return program;
}

/** Those of long ago are removed; of late ones somebody's test may be running. */
function sourcesHash(): string {
  const hash = createHash("sha256");
  for (const file of sources.flatMap(filesOf)) {
    hash.update(`${file}\0`).update(readFileSync(join(repository, file)));
  }
  const name = hash.digest("hex").slice(0, 16);
  mkdirSync(folder, { recursive: true });
  for (const other of readdirSync(folder)) {
    const made = statSync(join(folder, other), { throwIfNoEntry: false });
    if (other === name || made === undefined || Date.now() - made.mtimeMs < keptMs) continue;
    rmSync(join(folder, other), { recursive: true, force: true });
  }
  return name;
}

function filesOf(path: string): string[] {
  if (/\.\w+$/.test(path)) return [path];
  return readdirSync(join(repository, path), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(path, name))
    .sort();
}
