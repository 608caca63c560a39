import { parseArgs } from "node:util";
import { readLaunchFile, readLaunchPipe } from "./launch.ts";
import { findProgram, manifestText } from "./manifest.ts";
import type { Plugin, PluginClass } from "./plugin.ts";
import { Session } from "./session.ts";

export interface RunOptions {
  /** The plugin's name; the package's without scope and `plugin-` unless said. */
  name?: string;
  /** The package's unless said. */
  version?: string;
}

// The protocol gives 5 s from the end of the session to the end of the process.
const exitMsMax = 4_000;

/**
 * Runs a plugin: call it once, with every class the program has. With the argument `manifest` it
 * prints plugin.json instead of waiting for a host; options of Node before the script go into its command.
 */
export function run(classes: PluginClass | readonly PluginClass[], options: RunOptions = {}): void {
  const program = findProgram(process.argv[1] ?? "plugin");
  const plugin: Plugin = {
    name: options.name ?? program.name,
    version: options.version ?? program.version,
    classes: "kind" in classes ? [classes] : classes,
  };
  const { positionals } = parseArgs({ allowPositionals: true, strict: false });
  if (positionals[0] === "manifest") {
    const [node = "node", ...script] = program.command;
    process.stdout.write(manifestText(plugin, [node, ...process.execArgv, ...script]));
    return;
  }
  serve(plugin).then(exit, (error: unknown) => exit(error));
}

/** Resolves when the host asked the plugin to end; rejects with the reason of any other end. */
async function serve(plugin: Plugin): Promise<void> {
  const file = process.env["BULKHEAD_CONNECT"];
  if (file === undefined && process.stdin.isTTY) {
    throw new Error(
      `${plugin.name} is a Bulkhead plugin: a host starts it, or you do as a host with plugin.attach=${plugin.name} ` +
        "says; `manifest` prints its plugin.json",
    );
  }
  const { launch, ended } =
    file === undefined
      ? await readLaunchPipe(process.stdin)
      : { launch: readLaunchFile(file), ended: new Promise<void>(() => {}) };
  const session = new Session(plugin, launch);
  void ended.then(() => session.end({ expected: true, reason: "the host closed stdin" }));
  const end = await session.ended;
  const late = setTimeout(() => process.exit(1), exitMsMax);
  await session.settled();
  clearTimeout(late);
  if (!end.expected) throw new Error(end.reason);
}

function exit(error: unknown): void {
  if (error === undefined) process.exit(0);
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
