/** What `npm run check` says when somebody changes the frozen contract, and what may still change. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repository, temporaryDirectory } from "./harness/host-process.ts";

const buf = join(repository, "node_modules", ".bin", "buf");
const contract = join("proto", "bulkhead", "plugin", "v1");

/** A change of the contract: in which file, what for what; `told` is what is said, undefined = it may be. */
const changes: Record<string, { file: string; from: string; to: string; told?: RegExp }> = {
  "a removed field": {
    file: "sink.proto",
    from: "  uint64 flush_seq = 1;\n  repeated PartitionOffset offsets = 2;",
    to: "  uint64 flush_seq = 1;",
    told: /Previously present field "2" with name "offsets" on message "Flush" was deleted/,
  },
  "a field with another number": {
    file: "source.proto",
    from: "bool wants_metadata = 3;",
    to: "bool wants_metadata = 4;",
    told: /Previously present field "3" with name "wants_metadata"/,
  },
  "a field with another name": {
    file: "session.proto",
    from: "uint32 pid = 7;",
    to: "uint32 process = 7;",
    told: /Field "7" with name "process" on message "Hello" changed/,
  },
  "a field of another type": {
    file: "record.proto",
    from: "uint32 count = 1;",
    to: "uint64 count = 1;",
    told: /changed type from "uint32" to "uint64"/,
  },
  "another value of an enum": {
    file: "error.proto",
    from: "FAILURE_CLASS_DATA =",
    to: "FAILURE_CLASS_RECORD =",
    told: /FAILURE_CLASS_DATA/,
  },
  "a field more": {
    file: "session.proto",
    from: "uint32 pid = 7;",
    to: "uint32 pid = 7;\n  string later = 8;",
  },
  "a kind more": {
    file: "session.proto",
    from: "ShutdownAck shutdown_ack = 8;",
    to: "ShutdownAck shutdown_ack = 8;\n    Shutdown later = 9;",
  },
  "a column whose number was kept free": {
    file: "record.proto",
    from: "reserved 21 to 29;",
    to: "bytes log_batches = 21;\n  reserved 22 to 29;",
  },
};

for (const [what, { file, from, to, told }] of Object.entries(changes)) {
  test(`${what} ${told === undefined ? "may come later" : "is refused"}`, async (t) => {
    const folder = await temporaryDirectory(t);
    await cp(join(repository, "proto"), join(folder, "proto"), { recursive: true });
    await cp(join(repository, "buf.yaml"), join(folder, "buf.yaml"));
    const path = join(folder, contract, file);
    const before = await readFile(path, "utf8");
    assert.ok(before.includes(from), `${file} has ${from}`);
    await writeFile(path, before.replace(from, to));
    const { status, output } = await breaking(folder);
    if (told === undefined) assert.equal(status, 0, output);
    else assert.match(output, told);
    assert.equal(status === 0, told === undefined);
  });
}

function breaking(cwd: string): Promise<{ status: number; output: string }> {
  const args = ["breaking", "--against", join("proto", "v1.binpb")];
  return new Promise((resolve) => {
    execFile(buf, args, { cwd, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}
