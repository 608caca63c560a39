/**
 * What an SDK costs: a plugin in each language sends and takes bytes, as fast as the host's real gateway
 * goes, with no log behind it. Languages, directions and sizes in turn, round after round.
 */
import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BenchOptions } from "./bench.ts";
import { inFolder } from "./bench-host.ts";
import type { Figure, Row, Section } from "./figure.ts";
import type { SdkCost, SdkRound } from "./sdk-gateway.ts";
import { type SdkLanguage, type SdkProgram, sdkLanguages } from "./sdk-languages.ts";

const arms = [
  { kind: "source", recordBytes: 100, records: 2_000_000, idleMs: 0 },
  { kind: "sink", recordBytes: 100, records: 2_000_000, idleMs: 2_000 },
  { kind: "source", recordBytes: 1_024, records: 500_000, idleMs: 0 },
  { kind: "sink", recordBytes: 1_024, records: 500_000, idleMs: 0 },
] as const;

type Arm = (typeof arms)[number];
type Ready = Extract<SdkProgram, { at: "ready" }>;
const deadlineMs = 300_000;

/** Directions and sizes, then starts and idle memory; a language without its tools is skipped by name. */
export async function sdk({ rounds = 3, records, say }: BenchOptions): Promise<Section[]> {
  const languages: { readonly language: SdkLanguage; readonly program: Ready }[] = [];
  for (const language of await sdkLanguages()) {
    const { name, program } = language;
    if (program.at === "ready") languages.push({ language, program });
    else say(`sdk: ${name} is skipped: ${program.reason}`);
  }
  const done = languages.map((one) => ({ ...one, costs: arms.map((): SdkCost[] => []) }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [at, arm] of arms.entries()) {
      for (const { language, program, costs } of done) {
        const cost = await measure(program, { ...arm, records: records ?? arm.records });
        costs[at]?.push(cost);
        say(`sdk: round ${round}, ${language.name}, ${nameOf(arm)}`);
      }
    }
  }
  return [
    ...arms.map((arm, at) => ({
      title: `${nameOf(arm)}, between a plugin and the gateway`,
      rows: done.map(({ language, costs }) => flowRow(language, arm, costs[at] ?? [])),
    })),
    {
      title: "start and rest",
      rows: done.map(({ language, costs }) => startRow(language, costs.flat())),
    },
  ];
}

function nameOf({ kind, recordBytes }: Arm): string {
  return `${kind}, ${recordBytes === 100 ? "100 B" : "1 KiB"}`;
}

function flowRow(language: SdkLanguage, arm: Arm, costs: readonly SdkCost[]): Row {
  const values = (name: "recordsPerSecond" | "hostCpu" | "pluginCpu") =>
    costs.map((cost) => cost[name]);
  const rate: Figure = {
    what: "",
    unit: "k/s",
    values: values("recordsPerSecond").map((value) => value / 1_000),
    ...(arm.kind === "source" &&
      arm.recordBytes === 100 && { least: language.perSecondAim / 1_000 }),
  };
  return {
    name: language.name,
    figures: [
      rate,
      { what: "host", unit: "µs/record", values: values("hostCpu") },
      { what: "plugin", unit: "µs/record", values: values("pluginCpu") },
    ],
  };
}

function startRow({ name, helloMsAim, idleMibAim }: SdkLanguage, costs: readonly SdkCost[]): Row {
  const hello = costs.map(({ helloMs }) => helloMs);
  const idle = costs.flatMap(({ idleMib }) => (idleMib === undefined ? [] : [idleMib]));
  return {
    name,
    figures: [
      { what: "start to Hello", unit: "ms", values: hello, aim: helloMsAim },
      { what: "idle", unit: "MiB", values: idle, aim: idleMibAim },
    ],
  };
}

function measure(
  { directory, command }: Ready,
  arm: Omit<SdkRound, "directory" | "command" | "countFile">,
): Promise<SdkCost> {
  return inFolder(async (temporary) => {
    const countFile = join(temporary, "count");
    const cost = await inGateway({ ...arm, directory, command, countFile });
    if (arm.kind === "sink") {
      const counted = JSON.parse(await readFile(countFile, "utf8"));
      const whole =
        counted.records >= arm.records && counted.bytes === counted.records * arm.recordBytes;
      if (!whole) throw new Error(`the sink counted ${JSON.stringify(counted)}`);
    }
    return cost;
  });
}

/** In a process of its own, which loads TypeScript as this one does. */
function inGateway(round: SdkRound): Promise<SdkCost> {
  const child = fork(join(import.meta.dirname, "sdk-gateway.ts"), { execArgv: process.execArgv });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    child.once("message", (answer: { cost?: SdkCost; error?: string }) => {
      if (answer.cost === undefined) reject(new Error(answer.error));
      else resolve(answer.cost);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`the gateway's process ended with ${code ?? signal}`));
    });
    child.send(round);
  });
}
