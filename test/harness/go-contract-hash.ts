/** What the Go messages are made of, in one line: it tells without any Go tool whether they are outdated. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const protos = join(root, "proto", "bulkhead", "plugin", "v1");
const template = join(root, "sdk", "go", "buf.gen.yaml");

/** As `sdk/go/go.mod` has the runtime. */
export const generatorVersion = "v1.36.12";
export const goHashFile = join(root, "sdk", "go", "gen", "contract.sha256");

export function goContractHash(): string {
  const hash = createHash("sha256").update(generatorVersion).update(readFileSync(template));
  for (const name of readdirSync(protos).sort()) {
    hash.update(name).update(readFileSync(join(protos, name)));
  }
  return hash.digest("hex");
}
