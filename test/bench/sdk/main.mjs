import { writeFileSync } from "node:fs";
import { config, run, sink, source } from "@bulkhead/sdk";

/** The same bytes for ever, in arrays: what it takes to send a record, and no more. */
const bytes = source({
  class: "bench.sdk.Source",
  config: { topic: config.string({ required: true }), size: config.int({ default: 100 }) },
  offsets: "last",
  async *read({ config: { topic, size } }) {
    const sourcePartition = { bench: "sdk" };
    const value = Buffer.alloc(size, "x");
    const records = Array.from({ length: 1_000 }, () => ({ topic, value, sourcePartition }));
    for (let n = 0; ; ) {
      n += records.length;
      records[records.length - 1].sourceOffset = { n };
      yield records;
    }
  },
});

/** Looks at every value and counts; the counts are written at the end. */
const count = sink({
  class: "bench.sdk.Sink",
  config: { file: config.string({ required: true }) },
  start: () => ({ records: 0, bytes: 0 }),
  put(records, { state }) {
    for (const record of records) state.bytes += record.value.length;
    state.records += records.length;
  },
  stop({ config: { file }, state }) {
    writeFileSync(file, JSON.stringify(state));
  },
});

run([bytes, count], { name: "bench-sdk", version: "1.0.0" });
