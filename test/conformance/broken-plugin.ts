/** The fixture that breaks one clause at a time, as a plugin folder that the kit can check. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConformanceReport } from "../../src/conformance/conformance.ts";
import { compiledProgram } from "../harness/compiled-program.ts";
import { judge } from "./judged.ts";

let program: string | undefined;

const key = (name: string, type: string, more: object = { default: null }) => ({
  name,
  type,
  ...more,
});
const common = [
  key("password", "PASSWORD"),
  key("dir", "STRING"),
  key("mood", "STRING"),
  key("size", "INT"),
  key("batch", "INT", { default: "10" }),
];
// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a setup file spells it.
const dir = "${scratch}";
const mood = (name: string) => ({ config: { mood: name } });

const classes = {
  source: {
    class: "broken.Source",
    setup: {
      config: { topic: "t", dir, "tasks.max": "3" },
      situations: {
        large: { config: { size: "4190000" } },
        tooLarge: { config: { size: "4200000" } },
      },
    },
    config: [key("topic", "STRING", { required: true }), ...common],
  },
  sink: {
    class: "broken.Sink",
    setup: {
      config: { path: "p", dir },
      situations: {
        retries: mood("retries"),
        rewinds: mood("rewinds"),
        pauses: mood("pauses"),
        fails: mood("fails"),
        blocks: mood("blocks"),
        failsRecords: mood("failsRecords"),
      },
    },
    config: [key("path", "STRING", { required: true }), ...common],
  },
  stage: {
    class: "broken.Stage",
    setup: {
      config: {},
      situations: { failsRecords: mood("failsRecords"), filters: mood("filters") },
    },
    config: [key("mood", "STRING")],
  },
};

/** Judges the fixture with one clause broken, or none. */
export async function judgeBroken(
  clause: string | undefined,
  kind: "source" | "sink" | "stage" | undefined,
  only: readonly string[],
  answerMsMax?: number,
): Promise<ConformanceReport> {
  program ??= compiledProgram("test/fixtures/broken-plugin/main.ts");
  const folder = mkdtempSync(join(tmpdir(), "broken-plugin-"));
  const kinds = kind === undefined ? (["source", "sink"] as const) : [kind];
  const command = [
    "node",
    program,
    ...(clause === undefined ? [] : [`--break=${clause}`]),
    ...(kind === undefined ? [] : [`--kind=${kind}`]),
  ];
  const manifest = {
    name: "broken",
    version: "1.0.0",
    command,
    classes: kinds.map((one) => ({
      class: classes[one].class,
      kind: one === "stage" ? "transformation" : one,
      ...(one === "stage" ? {} : { taskClass: `${classes[one].class}Task` }),
      config: classes[one].config,
    })),
  };
  const setups = Object.fromEntries(kinds.map((one) => [classes[one].class, classes[one].setup]));
  try {
    writeFileSync(join(folder, "plugin.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "conformance.json"), JSON.stringify(setups));
    return await judge({ plugin: { at: "folder", path: folder } }, only, answerMsMax);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
