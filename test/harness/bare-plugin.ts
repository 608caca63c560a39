/** Plugins that are one executable file, put into a folder as a user would. */
import { rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { repository } from "./host-process.ts";

export interface BareNode {
  readonly className: string;
  readonly version: string;
  /** Gets a line at every start of the program. */
  readonly launches: string;
  /** Makes another file of it, that says the same. */
  readonly comment?: string;
}

/** A sink that says in `file` which version of it took a record. */
export function bareNode({ className, version, launches, comment = "" }: BareNode): string {
  const sdk = join(repository, "sdk/typescript/dist/index.js");
  return `#!${process.execPath}
// ${comment}
import { appendFileSync } from "node:fs";
import { config, run, sink } from ${JSON.stringify(sdk)};

appendFileSync(${JSON.stringify(launches)}, "${version}\\n");
run(
  sink({
    class: "${className}",
    version: "${version}",
    aliases: ["bare-${version}"],
    documentationUrl: "https://bare.example",
    config: {
      file: config.string({ required: true, nonEmpty: true, doc: "where to" }),
      pace: config.int({ default: 5, min: 1, group: "Pace" }),
    },
    validate({ config, error }) {
      if (config.file === "nowhere") error("file", "there is no such place");
    },
    put(records, { config }) {
      for (const { value } of records) appendFileSync(config.file, "${version} " + value + "\\n");
    },
  }),
  { name: "bare", version: "${version}" },
);
`;
}

/** Writes it beside and moves it there, so that it is whole from the first moment. */
export async function dropProgram(path: string, text: string | Buffer): Promise<void> {
  const part = join(dirname(path), `.${basename(path)}.part`);
  await writeFile(part, text, { mode: 0o755 });
  await rename(part, path);
}
