import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { whyUnknownFormat } from "./unknown-format.ts";

const folder = mkdtempSync(join(tmpdir(), "bulkhead-format-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const here = { arch: "x64", platform: "linux" };

function elf(machine: number, bigEndian = false): Buffer {
  const header = Buffer.alloc(64);
  header.write("7f454c46", 0, "hex");
  header[5] = bigEndian ? 2 : 1;
  if (bigEndian) header.writeUInt16BE(machine, 18);
  else header.writeUInt16LE(machine, 18);
  return header;
}

for (const { name, bytes, machine = here, says } of [
  { name: "of this machine", bytes: elf(62), says: undefined },
  { name: "of 32 bits on a machine of 64", bytes: elf(3), says: undefined },
  {
    name: "of another machine",
    bytes: elf(183),
    says: /^\S+ is built for arm64; this machine is linux on x64: build it for this machine$/,
  },
  {
    name: "of another machine and byte order",
    bytes: elf(22, true),
    machine: { arch: "arm64", platform: "linux" },
    says: /is built for s390x; this machine is linux on arm64/,
  },
  { name: "of a machine nobody has named", bytes: elf(999), says: /is built for machine 999;/ },
  { name: "of macOS", bytes: Buffer.from("cffaedfe00", "hex"), says: /is a program for macOS;/ },
  { name: "of Windows", bytes: "MZ\0\0", says: /is a program for Windows;/ },
  {
    name: "of Linux on macOS",
    bytes: elf(62),
    machine: { arch: "x64", platform: "darwin" },
    says: /for Linux;/,
  },
  { name: "cut off", bytes: elf(62).subarray(0, 10), says: /is no whole program/ },
  { name: "that is empty", bytes: "", says: /is empty/ },
  {
    name: "of bytes that are none",
    bytes: "ab\0cd",
    says: /is no program that this system can run/,
  },
  { name: "in a shell's words without #!", bytes: "echo hello\n", says: undefined },
  { name: "with its interpreter", bytes: "#! /bin/sh -e\n", says: undefined },
  {
    name: "without its interpreter",
    bytes: "#!/no/such/python3 -u\nprint()\n",
    says: /^\S+ is a script for \/no\/such\/python3, which is not there: install it, or correct the script's first line$/,
  },
  {
    name: "with the line ends of Windows",
    bytes: "#!/bin/sh\r\necho\r\n",
    says: /^the first line of \S+ ends with a carriage return: save it with Unix line ends$/,
  },
]) {
  test(`a program ${name} is ${says === undefined ? "left to the system" : "refused with the reason"}`, async () => {
    const path = join(folder, "program");
    writeFileSync(path, bytes);
    const why = await whyUnknownFormat(path, machine);
    if (says === undefined) assert.equal(why, undefined);
    else assert.match(why ?? "", says);
  });
}

test("a program that may not be read is left to the system", async () => {
  assert.equal(await whyUnknownFormat(join(folder, "absent")), undefined);
});
