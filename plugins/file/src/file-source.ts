import {
  ConfigError,
  config,
  DataError,
  type SourceContext,
  type SourceRecord,
  schema,
  source,
} from "@bulkhead/sdk";
import { GrowingFile } from "./growing-file.ts";
import { LineSplitter } from "./line-splitter.ts";

const keys = {
  file: config.string({ doc: "The file whose lines are read." }),
  topic: config.string({
    required: true,
    nonEmpty: true,
    doc: "The topic that the lines are written to.",
  }),
  "batch.size": config.int({
    default: 2000,
    importance: "low",
    doc: "How many lines are read at most in one go.",
  }),
};

const valueSchema = schema.string();
const lineBytesMax = 16 * 1024 * 1024;

export const fileSource = source({
  class: "org.apache.kafka.connect.file.FileStreamSourceConnector",
  taskClass: "org.apache.kafka.connect.file.FileStreamSourceTask",
  config: keys,
  exactlyOnce: true,
  taskConfigs: ({ texts }) => [texts],
  read: readLines,
});

type Context = SourceContext<typeof keys>;

async function* readLines(context: Context): AsyncGenerator<readonly SourceRecord[]> {
  const { file: path } = context.config;
  if (path === undefined) {
    const message = "a file source needs the key file: a plugin has no standard input to read";
    throw new ConfigError(message, { problems: [{ key: "file", message }] });
  }
  const start = startPosition(await context.offset({ filename: path }));
  const file = await GrowingFile.open(path, start, context.signal, () => {
    context.log.warn(`${path} is not there yet, waiting for it to be created`);
  });
  if (file === undefined) return;
  try {
    yield* follow(path, file, new LineSplitter(start), context);
  } finally {
    await file.close();
  }
}

async function* follow(
  path: string,
  file: GrowingFile,
  lines: LineSplitter,
  context: Context,
): AsyncGenerator<readonly SourceRecord[]> {
  const { config, signal, log } = context;
  const sourcePartition = { filename: path };
  const batchMax = Math.max(1, config["batch.size"]);
  let toldTruncated = false;
  while (!signal.aborted) {
    const chunk = await file.read();
    if (chunk.length === 0) {
      const missing = await file.missingBytes();
      if (missing > 0 && !toldTruncated) {
        log.warn(
          `${path} became ${missing} bytes shorter than what was read, waiting for it to grow`,
        );
      }
      toldTruncated = missing > 0;
      await file.changed(signal);
      continue;
    }
    lines.push(chunk);
    for (;;) {
      const batch = takeLines(lines, batchMax, config.topic, sourcePartition);
      if (batch.length === 0) break;
      yield batch;
    }
    if (lines.restBytes > lineBytesMax) {
      throw new DataError(
        `the line at position ${lines.position} of ${path} is longer than ${lineBytesMax} bytes`,
      );
    }
  }
}

function takeLines(
  lines: LineSplitter,
  max: number,
  topic: string,
  sourcePartition: { filename: string },
): SourceRecord[] {
  const records: SourceRecord[] = [];
  const timestamp = Date.now();
  while (records.length < max) {
    const value = lines.next();
    if (value === undefined) break;
    const sourceOffset = { position: lines.position };
    records.push({ topic, value, valueSchema, timestamp, sourcePartition, sourceOffset });
  }
  return records;
}

/** @throws ConfigError for an offset that this source cannot have stored */
function startPosition(offset: Readonly<Record<string, unknown>> | null): number {
  const position = offset?.["position"] ?? 0;
  if (typeof position !== "number" || !Number.isSafeInteger(position) || position < 0) {
    throw new ConfigError(`the stored position is not a number of bytes: ${String(position)}`, {
      hint: "reset the connector's offsets",
    });
  }
  return position;
}
