/** Root of the conformance kit: from a folder or a command to a report. */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readConnectorFile } from "./command/connector-file.ts";
import { readTextFile } from "./command/properties-file.ts";
import type {
  CheckOptions,
  ClassSetup,
  ConformanceReport,
  Subject,
} from "./conformance/conformance.ts";
import { checkPlugin } from "./conformance/kit.ts";
import { noSetup, parseSetups, parseSubjectManifest } from "./conformance/subject.ts";

/** What is checked, as the command line has it. */
export interface CheckTarget {
  /** A plugin folder, or a program with its arguments. */
  readonly plugin:
    | { readonly at: "folder"; readonly path: string }
    | { readonly at: "command"; readonly command: readonly string[] };
  /** Connector files; each is for the class that its connector.class names, or for all without one. */
  readonly configs: readonly string[];
  /** A setup file; by default conformance.json in the folder, if it is there. */
  readonly setup: string | undefined;
}

/** @throws ConfigError where the check cannot even begin */
export async function check(
  target: CheckTarget,
  options: CheckOptions,
): Promise<ConformanceReport> {
  return await checkPlugin(await readSubject(target), options);
}

async function readSubject(target: CheckTarget): Promise<Subject> {
  const { plugin } = target;
  const setups = await readSetups(target);
  const setupOfOthers = await addConfigs(setups, target.configs);
  if (plugin.at === "command") {
    const [program = "", ...args] = plugin.command;
    const command = [program.includes("/") ? resolve(program) : program, ...args];
    const directory = process.cwd();
    return { command, directory, manifest: undefined, setups, setupOfOthers };
  }
  const directory = resolve(plugin.path);
  const path = join(directory, "plugin.json");
  const { manifest, command } = parseSubjectManifest(await readTextFile(path, "plugin"), path);
  const [program = "", ...args] = command;
  const resolved = program.includes("/") ? resolve(directory, program) : program;
  return { command: [resolved, ...args], directory, manifest, setups, setupOfOthers };
}

async function readSetups({ plugin, setup }: CheckTarget): Promise<Map<string, ClassSetup>> {
  const beside = plugin.at === "folder" ? join(plugin.path, "conformance.json") : undefined;
  const path = setup ?? (beside !== undefined && (await isFile(beside)) ? beside : undefined);
  if (path === undefined) return new Map();
  return parseSetups(await readTextFile(path, "setup"), path);
}

/** Adds them to the setups; the answer is the setup of classes that nothing names. */
async function addConfigs(
  setups: Map<string, ClassSetup>,
  paths: readonly string[],
): Promise<ClassSetup> {
  let others: ClassSetup = noSetup;
  for (const path of paths) {
    const { config } = await readConnectorFile(path);
    const className = config["connector.class"];
    if (className === undefined) {
      others = withConfig(others, config);
      for (const [name, setup] of setups) setups.set(name, withConfig(setup, config));
    } else setups.set(className, withConfig(setups.get(className) ?? noSetup, config));
  }
  return others;
}

function withConfig(setup: ClassSetup, config: Readonly<Record<string, string>>): ClassSetup {
  return { ...setup, config: { ...setup.config, ...config } };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
