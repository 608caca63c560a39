import { type FileHandle, open } from "node:fs/promises";
import { ConfigError, config, type SinkRecord, sink } from "@bulkhead/sdk";
import { javaText, looseText } from "./java-text.ts";

const lineFeed = Buffer.from("\n");

export const fileSink = sink({
  class: "org.apache.kafka.connect.file.FileStreamSinkConnector",
  taskClass: "org.apache.kafka.connect.file.FileStreamSinkTask",
  config: {
    file: config.string({
      doc: "The file that records are appended to, one a line; standard output when it is not given.",
    }),
  },
  taskConfigs: ({ texts, tasksMax }) => Array.from({ length: tasksMax }, () => texts),
  start: ({ config: { file } }) => openOutput(file),
  async put(records, { state: output }) {
    if (records.length > 0) await output.write(linesOf(records));
  },
  flush: (_, { state: output }) => output.sync(),
  stop: ({ state: output }) => output.close(),
});

interface Output {
  write(bytes: Buffer): Promise<void>;
  /** Resolves when what was written survives a crash of the machine. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

async function openOutput(path: string | undefined): Promise<Output> {
  if (path === undefined) return standardOutput;
  const handle = await openToAppend(path);
  try {
    // A last line that was torn by a crash must not glue to the next one.
    if (await lacksLineEnd(handle)) await handle.appendFile(lineFeed);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    write: (bytes) => handle.appendFile(bytes),
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** Connect's words, so that what people know and search for still finds it. */
async function openToAppend(path: string): Promise<FileHandle> {
  try {
    return await open(path, "a+");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Couldn't find or create file '${path}' for FileStreamSinkTask: ${why}`;
    throw new ConfigError(message, {
      cause,
      hint: "make its folder, or set file to a path that the worker's user may write to",
      problems: [{ key: "file", message }],
    });
  }
}

/** The host captures it as log lines. */
const standardOutput: Output = {
  write: (bytes) =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    }),
  sync: async () => {},
  close: async () => {},
};

async function lacksLineEnd(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  return last[0] !== lineFeed[0];
}

/** One line a record. Text goes from the batch to the file without being decoded. */
export function linesOf(records: readonly SinkRecord[]): Buffer {
  let size = 0;
  const parts = records.map((record) => {
    const part = lineOf(record);
    size += part.length + 1;
    return part;
  });
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
    bytes[at] = lineFeed[0]!;
    at += 1;
  }
  return bytes;
}

function lineOf(record: SinkRecord): Uint8Array {
  const { valueSchema: schema } = record;
  if (record.valueSize >= 0 && record.valueEncoding !== "json") return record.valueBytes!;
  return Buffer.from(
    schema === null ? looseText(record.exactValue()) : javaText(record.value, schema),
  );
}
