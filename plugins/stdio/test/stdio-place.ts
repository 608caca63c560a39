/** The plugin in a process of its own, with a host's end, for all tests of a file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HostEnd, type SinkEnd, type SourceEnd } from "../../../sdk/typescript/test/host-end.ts";

/** The plugin's folder and program. */
export const folder = fileURLToPath(new URL("..", import.meta.url));
/** What plugin.json runs. */
export const main = join(folder, "dist", "main.js");

/** A host with the plugin, and a folder that is gone afterwards. */
export interface Place {
  readonly host: HostEnd;
  readonly directory: string;
  close(): Promise<void>;
}

/** Started before the tests of a file. */
export async function openPlace(): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), "bulkhead-stdio-"));
  const host = await HostEnd.listen({ heartbeatMs: 60_000 });
  host.spawn([process.execPath, main], { cwd: folder });
  await host.accepted();
  return {
    host,
    directory,
    async close() {
      await host.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Stops a task; the sentence with which its stop failed, if it did. */
export async function stop(task: SourceEnd | SinkEnd): Promise<string | undefined> {
  (task as SourceEnd).send({ case: "stop", value: { timeoutMs: 5_000n } });
  return (await (task as SourceEnd).inbox.next("stopped")).failure?.text;
}

/** Log lines until one matches. */
export async function logged(host: HostEnd, pattern: RegExp): Promise<string> {
  for (;;) {
    const { entries } = await host.session.inbox.next("logBatch");
    const found = entries.find(({ text }) => pattern.test(text));
    if (found !== undefined) return found.text;
  }
}
