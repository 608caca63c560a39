import { rename } from "node:fs/promises";

/** Gives a finished folder its name, unless another process was first, which made the same. */
export async function putInPlace(finished: string, name: string): Promise<void> {
  try {
    await rename(finished, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}
