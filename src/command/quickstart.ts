import { ConfigError } from "../base/error.ts";
import { startHost } from "../host.ts";
import { runQuickstart } from "./quickstart-run.ts";

/**
 * Runs quickstart until SIGINT or SIGTERM, or for `for` seconds; a second signal waits for nothing.
 * @throws ConfigError for a duration that is none; whatever kept the host from starting.
 */
export async function quickstart(options: { for?: string }): Promise<void> {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(130);
      stop.abort();
    });
  }
  // Whoever read the output has gone away (a closed pipe): nobody is watching any more.
  process.stdout.on("error", () => stop.abort());
  await runQuickstart({
    startHost,
    forMs: options.for === undefined ? undefined : parseSeconds(options.for),
    signal: stop.signal,
    output: process.stdout,
  });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 86_400) return seconds * 1_000;
  throw new ConfigError("config.invalid", `--for ${text} is not a number of seconds`, {
    hint: "give a number above 0, for example --for 10",
  });
}
