/** Records that Kafka's own Java client writes: transactions, compressed batches, keys to be compacted. */
import { fileURLToPath } from "node:url";
import { javaProgram } from "./java-tool.ts";

const program = fileURLToPath(new URL("RecordWriter.java", import.meta.url));

/**
 * Runs the steps of `RecordWriter.java`, one after the other. About 2 s.
 * @throws Error with what the program said
 */
export async function writeRecords(bootstrap: string, steps: readonly string[]): Promise<void> {
  await javaProgram(program, [bootstrap], { input: `${steps.join("\n")}\n` });
}
