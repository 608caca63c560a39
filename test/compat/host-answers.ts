/** The recordings against a real standalone host. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { checkRecordings } from "./check-recordings.ts";

const json = "org.apache.kafka.connect.json.JsonConverter";
const built = existsSync(join(repository, "dist", "main.js"));

export interface HostAnswersOptions {
  /** Cases that it says yes to; all of them where it is left out. */
  readonly only?: (name: string) => boolean;
  /** How many processes start is most of what the cases cost. */
  readonly processPer?: "connector" | "plugin";
}

/** One host for all cases. */
export function testHostAnswers(place: LogPlace, options: HostAnswersOptions = {}): void {
  test("a standalone host answers as recorded", {
    skip: built ? false : "the host is not built: npm run build",
  }, async (t) => {
    const directory = await temporaryDirectory(t);
    // As the worker that was recorded, which had Apache's plugins only.
    const plugins = { "plugin.path": join(repository, "plugins", "file") };
    const converters = { "key.converter": json, "value.converter": json };
    const worker = {
      ...plugins,
      ...converters,
      "plugin.process.per": options.processPer ?? "connector",
      ...(await place.worker(directory)),
    };
    const host = await startHost({ directory, worker });
    try {
      await checkRecordings(host.restUrl ?? "", options);
    } finally {
      await host.stop();
    }
  });
}
