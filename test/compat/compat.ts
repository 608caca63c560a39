/**
 * Replays recorded REST sessions (`cases/`) against a worker and compares every answer with the one
 * that Apache Kafka Connect 4.1.1 gave (`golden/`, README.md). The worker must see this machine's
 * file system.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Difference, differences } from "./match.ts";
import { Session, type Step, type StepAnswer } from "./session.ts";

export interface CompatOptions {
  readonly baseUrl: string;
  /** The folder with the case files. */
  readonly cases: string;
  /** Folders with goldens; the first that has the case is used. */
  readonly golden: readonly string[];
  /** Cases of the other mode are left out. */
  readonly mode: "standalone" | "distributed";
  /** Only cases it says yes to. */
  readonly only?: (name: string) => boolean;
  /** Multiplies all deadlines. */
  readonly scale?: number;
}

export interface CompatResult {
  readonly name: string;
  readonly steps: readonly StepResult[];
}

export interface StepResult {
  readonly step: number;
  /** `GET /connectors`, for people. */
  readonly label: string;
  readonly differences: readonly Difference[];
}

interface Case {
  readonly name: string;
  readonly mode?: string;
  readonly steps: readonly Step[];
}

/** Case after case; each with new names, and what it made is deleted at its end. */
export async function runCompat(options: CompatOptions): Promise<readonly CompatResult[]> {
  const results: CompatResult[] = [];
  for (const each of await loadCases(options)) {
    const goldens = await loadGolden(options.golden, each.name);
    results.push({ name: each.name, steps: await runCase(each, goldens, options) });
  }
  return results;
}

async function runCase(
  each: Case,
  goldens: ReadonlyMap<number, StepAnswer>,
  options: CompatOptions,
): Promise<readonly StepResult[]> {
  const session = new Session(options.baseUrl, options.scale ?? 1);
  const results: StepResult[] = [];
  await session.open();
  try {
    for (const [index, step] of each.steps.entries()) {
      const answer = await session.step(step);
      if (answer === undefined) continue;
      const golden = goldens.get(index) ?? {};
      results.push({ step: index, label: labelOf(step), differences: compare(golden, answer) });
    }
  } finally {
    await session.close();
  }
  return results;
}

/** Status, headers and body; where Connect forgets the type of a JSON body, JSON is welcome. */
function compare(golden: StepAnswer, answer: StepAnswer): Difference[] {
  if (golden["only"] === "status") {
    return differences(golden["status"], answer["status"], "status");
  }
  const found: Difference[] = [];
  for (const part of ["deadline", "status", "location", "allow", "text", "body", "lines"]) {
    const inGolden = part in golden;
    if ((!inGolden && !(part in answer)) || (part === "allow" && !inGolden)) continue;
    const at = part === "body" || part === "lines" ? "$" : part;
    if (inGolden && part in answer) found.push(...differences(golden[part], answer[part], at));
    else found.push({ at: part, golden: golden[part], answer: answer[part] });
  }
  const [wanted, got] = [golden["content_type"], answer["content_type"]];
  const forgotten = wanted === null && "body" in golden && got === "application/json";
  if ("status" in golden && wanted !== got && !forgotten) {
    found.push({ at: "content-type", golden: wanted, answer: got });
  }
  return found;
}

async function loadCases({ cases, mode, only }: CompatOptions): Promise<readonly Case[]> {
  const loaded: Case[] = [];
  for (const file of (await readdir(cases)).sort()) {
    const name = file.replace(/\.json$/, "");
    if (only && !only(name)) continue;
    const read = JSON.parse(await readFile(join(cases, file), "utf8")) as Omit<Case, "name">;
    if (read.mode === undefined || read.mode === "both" || read.mode === mode) {
      loaded.push({ ...read, name });
    }
  }
  return loaded;
}

async function loadGolden(
  folders: readonly string[],
  name: string,
): Promise<ReadonlyMap<number, StepAnswer>> {
  for (const folder of folders) {
    const text = await readFile(join(folder, `${name}.json`), "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const { steps } = JSON.parse(text) as { steps: { step: number; expect: StepAnswer }[] };
    return new Map(steps.map(({ step, expect }) => [step, expect]));
  }
  throw new Error(`no golden for ${name}`);
}

function labelOf(step: Step): string {
  if (step.do !== undefined) return step.until ? `${step.do} (until)` : step.do;
  return `lines of ${step.lines}`;
}
