import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, config, type SourceContext, type SourceRecord, source } from "@bulkhead/sdk";
import { makeFiller, type Slot } from "./filler.ts";
import { Pace } from "./pace.ts";

const keys = {
  topic: config.string({ required: true, doc: "The topic that records are written to." }),
  records: config.long({ default: -1, doc: "How many records each task makes; -1 = no end." }),
  "record.size": config.int({ default: 100, min: 1, doc: "Bytes of a value." }),
  format: config.oneOf(["bytes", "string", "struct"], {
    default: "bytes",
    doc: "What the values are.",
  }),
  "batch.size": config.int({
    default: 1000,
    min: 1,
    doc: "How many records one poll returns at most.",
  }),
  rate: config.double({
    default: 0,
    min: 0,
    doc: "Records per second and task; 0 = as fast as they are taken.",
  }),
  stamp: config.boolean({
    default: false,
    doc: "Bytes and strings begin with 16 digits of microseconds since the epoch and a blank.",
  }),
  seed: config.long({ default: 1, doc: "The same seed gives the same data." }),
};

type Context = SourceContext<typeof keys>;

const stampChars = 17;

export const datagen = source({
  class: "bench.DatagenSource",
  config: keys,
  exactlyOnce: true,
  offsets: "last",
  taskConfigs: ({ texts, tasksMax }) => Array.from({ length: tasksMax }, () => texts),
  start({ config }) {
    const size = config["record.size"];
    if (config.stamp && config.format !== "struct" && size < stampChars) {
      throw new ConfigError(`with stamp, record.size must be at least ${stampChars}, not ${size}`);
    }
  },
  read: generate,
});

async function* generate({
  config,
  task,
  signal,
  offset,
}: Context): AsyncGenerator<readonly SourceRecord[]> {
  const sourcePartition = { task: String(task) };
  const last = await offset(sourcePartition);
  const end = config.records < 0 ? Number.POSITIVE_INFINITY : config.records;
  const fill = makeFiller({ ...config, size: config["record.size"] });
  const slots = Array.from(
    { length: config["batch.size"] },
    (): Slot => ({ topic: config.topic, sourcePartition }),
  );
  const pace = new Pace(config.rate);
  for (let n = Number(last?.["n"] ?? 0); n < end && !signal.aborted; ) {
    const count = Math.min(slots.length, end - n, pace.due(performance.now()));
    if (count === 0) {
      await sleep(pace.waitMs(performance.now()), undefined, { signal }).catch(() => {});
      continue;
    }
    const timestamp = Date.now();
    for (let at = 0; at < count; at += 1, n += 1) {
      const slot = slots[at]!;
      fill(slot, n, at, timestamp);
      slot.timestamp = timestamp;
      // Offsets are sent once a batch: the last one of a poll says it all.
      slot.sourceOffset = at === count - 1 ? { n: n + 1 } : undefined;
    }
    pace.sent(count);
    yield count === slots.length ? slots : slots.slice(0, count);
  }
}
