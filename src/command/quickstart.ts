import { startHost } from "../host.ts";
import { askedToStop } from "./asked-to-stop.ts";
import { runQuickstart } from "./quickstart-run.ts";

/**
 * Runs quickstart until SIGINT or SIGTERM, or for so many seconds; a second signal waits for nothing.
 * @throws whatever kept the host from starting.
 */
export async function quickstart(seconds: number | undefined): Promise<void> {
  const forMs = seconds === undefined ? undefined : seconds * 1_000;
  const signal = askedToStop();
  // Whoever read the output has gone away (a closed pipe): nobody is watching any more.
  process.stdout.once("error", () => process.kill(process.pid, "SIGTERM"));
  process.stdout.on("error", () => undefined);
  await runQuickstart({ startHost, forMs, signal, output: process.stdout });
}
