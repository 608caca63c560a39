import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

/** How programs begin: `#!`, ELF, Mach-O of each width and byte order, Mach-O for several machines. */
const beginnings = ["2321", "7f454c46", "feedface", "feedfacf", "cefaedfe", "cffaedfe", "cafebabe"];

/**
 * Whether the system itself would run it. Others must not be tried: what the system does not know,
 * the C library hands to a shell, line by line.
 */
export async function isProgram(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const start = buffer.subarray(0, bytesRead).toString("hex");
    return beginnings.some((one) => start.startsWith(one));
  } finally {
    await file.close();
  }
}

/** SHA-256 of a file's bytes, in hex. */
export async function fileDigest(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk);
  return hash.digest("hex");
}
