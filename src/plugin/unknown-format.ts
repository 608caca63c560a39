import { access, open } from "node:fs/promises";
import { arch, platform } from "node:os";

const startBytes = 256;
/** ELF's numbers of the machines that Node runs on, and of others that programs are built for. */
const elfMachines: Readonly<Record<number, string>> = {
  3: "ia32",
  8: "mips",
  20: "ppc",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};
const machOs = ["feedface", "feedfacf", "cefaedfe", "cffaedfe", "cafebabe"];

/**
 * Why the system would not run a program that is there and may be run: built for another machine or
 * system, or a script whose interpreter is missing; undefined = no such reason is seen. The C library
 * would hand such a program to a shell, which says nothing that helps.
 */
export async function whyUnknownFormat(
  program: string,
  machine = { arch: arch(), platform: platform() as string },
): Promise<string | undefined> {
  const start = await startOf(program);
  // What may be run but not read is the system's to judge.
  if (start === undefined) return undefined;
  if (start.subarray(0, 2).toString("latin1") === "#!") return whyNoInterpreter(program, start);
  const here = `this machine is ${machine.platform} on ${machine.arch}`;
  const magic = start.subarray(0, 4).toString("hex");
  const rebuild = "build it for this machine";
  if (magic === "7f454c46") {
    if (machine.platform === "darwin")
      return `${program} is a program for Linux; ${here}: ${rebuild}`;
    const built = elfMachine(start);
    if (built === undefined) return `${program} is no whole program: ${rebuild}`;
    const runs = built === machine.arch || (built === "ia32" && machine.arch === "x64");
    return runs ? undefined : `${program} is built for ${built}; ${here}: ${rebuild}`;
  }
  if (machOs.includes(magic)) {
    if (machine.platform === "darwin") return undefined;
    return `${program} is a program for macOS; ${here}: ${rebuild}`;
  }
  if (start.subarray(0, 2).toString("latin1") === "MZ") {
    return `${program} is a program for Windows; ${here}: ${rebuild}`;
  }
  if (start.length === 0) return `${program} is empty: build it again`;
  if (start.includes(0)) return `${program} is no program that this system can run: ${rebuild}`;
  return undefined;
}

async function startOf(program: string): Promise<Buffer | undefined> {
  try {
    const file = await open(program, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(startBytes), 0, startBytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

function elfMachine(start: Buffer): string | undefined {
  if (start.length < 20) return undefined;
  const number = start[5] === 2 ? start.readUInt16BE(18) : start.readUInt16LE(18);
  return elfMachines[number] ?? `machine ${number}`;
}

async function whyNoInterpreter(program: string, start: Buffer): Promise<string | undefined> {
  const [line = ""] = start.subarray(2).toString("utf8").split("\n", 1);
  const [interpreter = ""] = line.trimStart().split(/[ \t]/, 1);
  // A relative one, or one that is cut off, is the system's to find.
  if (!interpreter.startsWith("/") || line.length >= startBytes - 2) return undefined;
  try {
    await access(interpreter);
    return undefined;
  } catch {
    // A carriage return is part of the name, and is not seen in any message of the system's.
    return interpreter.endsWith("\r")
      ? `the first line of ${program} ends with a carriage return: save it with Unix line ends`
      : `${program} is a script for ${interpreter}, which is not there: install it, or correct the script's first line`;
  }
}
