/**
 * Writes the messages of the Go SDK, and a hash of what they were made of: `npm run generate:go`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generatorVersion, goContractHash, goHashFile } from "./go-contract-hash.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, ".tools", `go-${generatorVersion}`);
if (!existsSync(join(folder, "protoc-gen-go"))) {
  const generator = `google.golang.org/protobuf/cmd/protoc-gen-go@${generatorVersion}`;
  const env = { ...process.env, GOBIN: folder };
  execFileSync("go", ["install", generator], { stdio: "inherit", env });
}
const buf = join(root, "node_modules", ".bin", "buf");
const args = ["generate", "--template", "sdk/go/buf.gen.yaml"];
const { status } = spawnSync(buf, args, { cwd: root, stdio: "inherit" });
if (status === 0) writeFileSync(goHashFile, `${goContractHash()}\n`);
process.exitCode = status ?? 1;
