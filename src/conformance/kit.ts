/** Runs the clauses over a plugin: each case with a process of its own, a few side by side. */
import { within } from "../base/deadline.ts";
import { ConfigError } from "../base/error.ts";
import { type ClassDescription, PluginKind } from "../plugin/gen/bulkhead/plugin/v1/config_pb.ts";
import { Blocked, Broken, type Clause, NotJudged } from "./clause.ts";
import { clauses } from "./clauses.ts";
import type {
  CheckOptions,
  ClauseResult,
  ConformanceReport,
  Subject,
  Verdict,
} from "./conformance.ts";
import { enumName } from "./enum-name.ts";
import { type Target, Trial } from "./trial.ts";

/** No case takes longer; one that does waits for something that never comes. */
const caseMsMax = 120_000;

interface Case {
  readonly clause: Clause;
  readonly target: Target | undefined;
}

interface Outcome {
  readonly verdict: Verdict;
  readonly seen: string;
  /** The clause that judges the step that did not work. */
  readonly blockedBy?: string;
}

/** What the plugin says of itself before anything is judged. */
interface Introduction {
  readonly name: string;
  readonly version: string;
  readonly targets: readonly Target[];
  /** Classes whose kind nobody tells. */
  readonly unknown: readonly string[];
  /** Its last words, where it said no hello: that is for a clause to tell. */
  readonly silent: string | undefined;
}

/**
 * Judges a plugin by every clause that `only` leaves.
 * @throws ConfigError when the program cannot be started at all, or `only` names no clause
 */
export async function checkPlugin(
  subject: Subject,
  options: CheckOptions,
): Promise<ConformanceReport> {
  const begunMs = performance.now();
  const chosen = clauses.filter(({ id }) => isChosen(id, options.only));
  if (chosen.length === 0) {
    throw new ConfigError("config.invalid", `no clause begins with ${options.only.join(" or ")}`, {
      hint: nearClauses(options.only),
    });
  }
  const found = await introduce(subject, options);
  const cases = casesOf(chosen, found.targets);
  const outcomes = new Map<Case, Outcome & { tookMs: number }>();
  const queue = [...cases];
  // Its last words once, not with every clause that needs a hello.
  const told = chosen.some(({ id }) => id === "hello.in-time");
  const silence = told ? "it said no hello" : `it said no hello; ${found.silent}`;
  const judge = async (one: Case) => {
    const startMs = performance.now();
    const outcome =
      found.silent !== undefined && one.clause.id !== "hello.in-time"
        ? blocked("hello.in-time", silence)
        : await judgeCase(one, subject, options);
    outcomes.set(one, { ...outcome, tookMs: Math.round(performance.now() - startMs) });
    options.onResult?.(resultOf(one, outcomes.get(one)!), outcomes.size, cases.length);
  };
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await judge(next);
  };
  await Promise.all(Array.from({ length: options.casesAtOnceMax }, work));
  const results = cases.map((one) => resultOf(one, unblocked(one, outcomes)));
  for (const className of found.unknown) results.push(unknownKind(className));
  return {
    plugin: {
      name: found.name,
      version: found.version,
    },
    command: subject.command,
    results,
    tookMs: Math.round(performance.now() - begunMs),
  };
}

function isChosen(id: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((one) => id === one || id.startsWith(`${one}.`));
}

/** A hundred names would be no help: those that begin alike, else the beginnings. */
function nearClauses(only: readonly string[]): string {
  const begins = new Set(only.map(firstWord));
  const near = clauses.map(({ id }) => id).filter((id) => begins.has(firstWord(id)));
  if (near.length > 0) return `there are ${near.join(", ")}`;
  return `clauses begin with ${[...new Set(clauses.map(({ id }) => firstWord(id)))].join(", ")}`;
}

function firstWord(id: string): string {
  return id.split(".", 1)[0] ?? id;
}

async function introduce(subject: Subject, options: CheckOptions): Promise<Introduction> {
  const trial = new Trial(subject, undefined, options.answerMsMax);
  try {
    const running = await trial.launch();
    const hello = await running.hello(trial.helloMs);
    if (running.program.failed !== undefined) {
      throw new ConfigError(
        "conformance.not_startable",
        `cannot start ${subject.command.join(" ")}: ${running.program.failed}`,
        { hint: "build the plugin, or correct the command" },
      );
    }
    if (hello === undefined) {
      const { name = "", version = "" } = subject.manifest ?? {};
      return { name, version, targets: [], unknown: [], silent: running.program.lastWords };
    }
    const kind = { case: "describe", value: {} } as const;
    const reply = await running.request(kind, options.answerMsMax);
    const described = reply?.kind.case === "describe" ? reply.kind.value.classes : [];
    const names = new Set([
      ...(hello.plugin?.classes ?? []),
      ...(subject.manifest?.classes ?? []).map(({ className }) => className),
    ]);
    const targets = [...names].map((name) => targetOf(name, described, subject));
    return {
      name: hello.plugin?.name ?? "",
      version: hello.plugin?.version ?? "",
      targets: targets.filter((one): one is Target => typeof one !== "string"),
      unknown: targets.filter((one) => typeof one === "string"),
      silent: undefined,
    };
  } finally {
    await trial.close();
  }
}

const stageKinds = ["transformation", "predicate", "converter", "header_converter"];

/** The name alone when nobody tells the kind. */
function targetOf(
  className: string,
  described: readonly ClassDescription[],
  subject: Subject,
): Target | string {
  const description = described.find((one) => one.className === className);
  const manifest = subject.manifest?.classes.find((one) => one.className === className);
  const kind =
    manifest?.kind ??
    enumName(PluginKind, description?.kind ?? PluginKind.UNSPECIFIED).toLowerCase();
  const setup = subject.setups.get(className) ?? subject.setupOfOthers;
  if (stageKinds.includes(kind)) {
    return { className, kind: "stage", stageKind: kind, description, manifest, setup };
  }
  if (kind !== "source" && kind !== "sink") return className;
  return { className, kind, description, manifest, setup };
}

function casesOf(chosen: readonly Clause[], targets: readonly Target[]): Case[] {
  const ofProgram = chosen.filter((clause) => clause.of === "program");
  const cases: Case[] = ofProgram.map((clause) => ({ clause, target: undefined }));
  for (const target of targets) {
    for (const clause of chosen) {
      const ofConnectors = clause.of === "class" && target.kind !== "stage";
      if (ofConnectors || clause.of === target.kind) cases.push({ clause, target });
    }
  }
  return cases;
}

async function judgeCase(
  { clause, target }: Case,
  subject: Subject,
  options: CheckOptions,
): Promise<Outcome> {
  const trial = new Trial(subject, target, options.answerMsMax);
  try {
    const late = Symbol("late");
    const ended = await within(clause.run(trial), caseMsMax, late);
    if (ended !== late) return { verdict: "passed", seen: "" };
    return { verdict: "failed", seen: `the case did not end within ${caseMsMax / 1_000} s` };
  } catch (error) {
    if (error instanceof Broken) return { verdict: "failed", seen: error.message };
    if (error instanceof NotJudged) return { verdict: "skipped", seen: error.message };
    if (error instanceof Blocked) return blocked(error.by, error.message);
    throw error;
  } finally {
    await trial.close();
  }
}

function blocked(by: string, seen: string): Outcome {
  return { verdict: "failed", seen, blockedBy: by };
}

/** Skipped where the clause that judges the failing step failed too, and failed where it did not. */
function unblocked(
  one: Case,
  outcomes: ReadonlyMap<Case, Outcome & { tookMs: number }>,
): Outcome & { tookMs: number } {
  const outcome = outcomes.get(one)!;
  const { blockedBy } = outcome;
  if (blockedBy === undefined || blockedBy === one.clause.id) return outcome;
  const told = [...outcomes].some(
    ([{ clause, target }, other]) =>
      clause.id === blockedBy &&
      other.verdict === "failed" &&
      (target === undefined || target === one.target),
  );
  if (!told) return outcome;
  return { ...outcome, verdict: "skipped", seen: `it needs ${blockedBy}: ${outcome.seen}` };
}

function resultOf(
  { clause, target }: Case,
  { verdict, seen, tookMs }: Outcome & { tookMs: number },
): ClauseResult {
  const { id, title, rule, place, hint } = clause;
  const className = target?.className ?? null;
  return { id, title, className, verdict, seen, rule, place, hint, tookMs };
}

function unknownKind(className: string): ClauseResult {
  return {
    id: "class.kind",
    title: "the class has a kind",
    className,
    verdict: "skipped",
    seen: "neither Describe nor a plugin.json says what kind of class it is",
    rule: "ClassDescription.kind",
    place: "proto/README.md, section 4",
    hint: "serve Describe, or check the folder with its plugin.json",
    tookMs: 0,
  };
}
