/** Notes how old each record is when it arrives, by the microseconds since the epoch that it begins with. */
import { closeSync, openSync, writeSync } from "node:fs";
import { config, run, sink } from "@bulkhead/sdk";

run(
  sink({
    class: "bench.StampSink",
    config: {
      "latency.file": config.string({
        required: true,
        doc: "Gets a double for each record: how many milliseconds it was on its way.",
      }),
    },
    taskConfigs: ({ texts }) => [texts],
    start: ({ config }) => openSync(config["latency.file"], "w"),
    put(records, { state: file }) {
      if (records.length === 0) return;
      const nowMs = performance.timeOrigin + performance.now();
      const latencies = Buffer.alloc(records.length * 8);
      records.forEach(({ value }, n) => {
        const madeMs = Number(Buffer.from(value).toString("latin1", 0, 16)) / 1_000;
        latencies.writeDoubleLE(nowMs - madeMs, n * 8);
      });
      writeSync(file, latencies);
    },
    stop: ({ state: file }) => closeSync(file),
  }),
);
