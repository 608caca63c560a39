import { ConfigError } from "../base/error.ts";
import { startHost } from "../host.ts";
import { askedToStop } from "./asked-to-stop.ts";
import { runQuickstart } from "./quickstart-run.ts";

/**
 * Runs quickstart until SIGINT or SIGTERM, or for `for` seconds; a second signal waits for nothing.
 * @throws ConfigError for a duration that is none; whatever kept the host from starting.
 */
export async function quickstart(options: { for?: string }): Promise<void> {
  const forMs = options.for === undefined ? undefined : parseSeconds(options.for);
  const signal = askedToStop();
  // Whoever read the output has gone away (a closed pipe): nobody is watching any more.
  process.stdout.once("error", () => process.kill(process.pid, "SIGTERM"));
  process.stdout.on("error", () => undefined);
  await runQuickstart({ startHost, forMs, signal, output: process.stdout });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 86_400) return seconds * 1_000;
  throw new ConfigError("config.invalid", `--for ${text} is not a number of seconds`, {
    hint: "give a number above 0, for example --for 10",
  });
}
