/** The plugin of `sdk` in each language, as a command; or what this machine lacks to have it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repository } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";

const run = promisify(execFile);
const folder = join(repository, "test", "bench", "sdk");

/** The plugin in one language. */
export interface SdkLanguage {
  readonly name: string;
  /** Milliseconds from the start to Hello, at most. */
  readonly helloMsAim: number;
  readonly idleMibAim: number;
  /** Records of 100 B a second from a source, at least. */
  readonly perSecondAim: number;
  readonly program: SdkProgram;
}

/** What is run, and where. */
export type SdkProgram =
  | { readonly at: "ready"; readonly directory: string; readonly command: readonly string[] }
  | { readonly at: "missing"; readonly reason: string };

/** All of them; builds what has to be built. */
export async function sdkLanguages(): Promise<SdkLanguage[]> {
  const command = ["node", "--max-semi-space-size=2", "main.mjs"];
  return [
    {
      name: "TypeScript",
      helloMsAim: 150,
      idleMibAim: 60,
      perSecondAim: 1_000_000,
      program: { at: "ready", directory: folder, command },
    },
    {
      name: "Python",
      helloMsAim: 300,
      idleMibAim: 40,
      perSecondAim: 300_000,
      program: await python(),
    },
    { name: "Go", helloMsAim: 150, idleMibAim: 15, perSecondAim: 1_000_000, program: await go() },
  ];
}

async function python(): Promise<SdkProgram> {
  const { python: interpreter, missing } = await pythonEnvironment();
  if (missing !== undefined) return { at: "missing", reason: missing };
  return { at: "ready", directory: folder, command: [interpreter, "main.py"] };
}

async function go(): Promise<SdkProgram> {
  if (!existsSync(join(repository, "sdk", "go", "go.mod"))) {
    return { at: "missing", reason: "this checkout has no sdk/go" };
  }
  const made = join(repository, ".tools", "bench");
  await mkdir(made, { recursive: true });
  const program = join(made, "sdk-go");
  try {
    await run("go", ["version"]);
  } catch {
    return { at: "missing", reason: "needs go on PATH" };
  }
  try {
    const build = ["build", "-trimpath", "-ldflags=-s -w", "-o", program, "."];
    await run("go", build, { cwd: join(folder, "go"), timeout: 600_000 });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error);
    return { at: "missing", reason: `go build failed: ${said.split("\n").slice(0, 3).join("; ")}` };
  }
  return { at: "ready", directory: folder, command: [program] };
}
