/** A report as a table for a person, as JUnit XML and as JSON for a machine. */
import { create } from "xmlbuilder2";
import { table } from "../cli/table.ts";
import type { ClauseResult, ConformanceReport, Verdict } from "./conformance.ts";

const words: Readonly<Record<Verdict, string>> = {
  passed: "pass",
  failed: "FAIL",
  skipped: "skip",
};

/** How many clauses have each verdict. */
export function countVerdicts({ results }: ConformanceReport): Record<Verdict, number> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { verdict } of results) counts[verdict] += 1;
  return counts;
}

/** The table, what was seen where it failed with rule and hint, and a last line with the counts. */
export function tableOf(report: ConformanceReport, widthMax: number): string {
  const groups = new Map<string | null, ClauseResult[]>();
  for (const result of report.results) {
    groups.set(result.className, [...(groups.get(result.className) ?? []), result]);
  }
  const { name, version } = report.plugin;
  const parts = [...groups].map(([className, results]) => {
    const rows = results.map((one) => [words[one.verdict], one.id, detail(one)]);
    return `${className ?? `${name} ${version}`}\n${table(["", "clause", "rule"], rows, widthMax)}`;
  });
  const { passed, failed, skipped } = countVerdicts(report);
  const seconds = (report.tookMs / 1_000).toFixed(1);
  parts.push(`clauses: ${passed} passed, ${failed} failed, ${skipped} skipped, in ${seconds} s`);
  return `${parts.join("\n\n")}\n`;
}

function detail({ verdict, title, seen, rule, place, hint }: ClauseResult): string {
  if (verdict === "passed") return title;
  if (verdict === "skipped") return `${title}\nnot judged: ${seen}`;
  return `${title}\nseen: ${seen}\nrule: ${rule} (${place})\nhint: ${hint}`;
}

/** JUnit XML as CI systems read it: a suite for the program and one for each class. */
export function junitOf(report: ConformanceReport): string {
  const { passed, failed, skipped } = countVerdicts(report);
  const root = create({ version: "1.0", encoding: "UTF-8" }).ele("testsuites", {
    name: `bulkhead check ${report.plugin.name}`,
    tests: passed + failed + skipped,
    failures: failed,
    skipped,
    time: seconds(report.tookMs),
  });
  for (const className of new Set(report.results.map((one) => one.className))) {
    const results = report.results.filter((one) => one.className === className);
    const suite = root.ele("testsuite", {
      name: className ?? report.plugin.name,
      tests: results.length,
      failures: results.filter(({ verdict }) => verdict === "failed").length,
      skipped: results.filter(({ verdict }) => verdict === "skipped").length,
      time: seconds(results.reduce((sum, { tookMs }) => sum + tookMs, 0)),
    });
    for (const result of results) {
      const { id, title, verdict, seen, rule, place, hint, tookMs } = result;
      const testcase = suite.ele("testcase", {
        classname: className ?? report.plugin.name,
        name: `${id}: ${title}`,
        time: seconds(tookMs),
      });
      if (verdict === "skipped") testcase.ele("skipped", { message: printable(seen) });
      if (verdict === "failed") {
        const text = printable(`seen: ${seen}\nrule: ${rule} (${place})\nhint: ${hint}`);
        testcase.ele("failure", { message: printable(seen) }).txt(text);
      }
    }
  }
  return `${root.end({ prettyPrint: true })}\n`;
}

/** What a plugin said may have characters that XML has no place for. */
function printable(text: string): string {
  return text.replaceAll(/(?![\t\r\n])[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "?");
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

/** One JSON object. */
export function jsonOf(report: ConformanceReport): string {
  return `${JSON.stringify({ ...report, counts: countVerdicts(report) }, undefined, 2)}\n`;
}
