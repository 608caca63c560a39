/**
 * Records what each SDK says over a plugin's life into `test/goldens/spoken`: a program that says
 * everything once (test/fixtures/spoken) runs against a small host. Words choose languages.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { HostEnd } from "../../sdk/typescript/test/host-end.ts";
import { Encoding } from "../../src/plugin/gen/bulkhead/plugin/v1/record_pb.ts";
import { PluginMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { SinkTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/sink_pb.ts";
import { SourceTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/source_pb.ts";
import { runGo } from "./go.ts";
import { repository } from "./host-process.ts";
import { pythonEnvironment } from "./python.ts";

const folder = join(repository, "test", "fixtures", "spoken");
const schemas = {
  Session: PluginMessageSchema,
  SourceTask: SourceTaskMessageSchema,
  SinkTask: SinkTaskMessageSchema,
};
type Stream = keyof typeof schemas;

/** As long as this checkout's folder, whose name nobody has to know. */
const somewhere = `/${"x".repeat(repository.replace(/\/$/, "").length - 1)}`;

/** How the program is started; builds what has to be built. */
const commands: Record<string, () => Promise<string[]>> = {
  typescript: async () => [process.execPath, "main.mjs"],
  async python() {
    const { python, missing } = await pythonEnvironment();
    if (missing !== undefined) throw new Error(missing);
    return [python, "main.py"];
  },
  async go() {
    const program = join(repository, ".tools", "spoken-go");
    await runGo(["build", "-trimpath", "-o", program, "."], join(folder, "go"));
    return [program];
  },
};

const words = process.argv.slice(2);
for (const [language, command] of Object.entries(commands)) {
  if (words.length > 0 && !words.includes(language)) continue;
  const messages = await record(await command());
  const file = join(repository, "test", "goldens", "spoken", `${language}.json`);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, `${JSON.stringify(messages, undefined, 1)}\n`);
  process.stdout.write(`${language}: ${messages.length} messages\n`);
}

/** A life: what the plugin sent, each kind of heartbeat and log once. */
async function record(command: string[]) {
  const messages: { stream: string; is: string; hex: string }[] = [];
  const host = await HostEnd.listen({
    heartbeatMs: 200,
    heard(stream, bytes) {
      const { kind } = fromBinary(schemas[stream as Stream], bytes);
      const is = kind.case ?? "nothing";
      const again = messages.some((one) => one.is === is);
      if (again && ["heartbeat", "logBatch", "metricBatch", "credit"].includes(is)) return;
      const said = bytes.toString("latin1").replaceAll(repository.replace(/\/$/, ""), somewhere);
      messages.push({ stream, is, hex: Buffer.from(said, "latin1").toString("hex") });
    },
  });
  const child = host.spawn(command, { cwd: folder });
  child.stderr?.pipe(process.stderr);
  try {
    await live(host);
  } finally {
    await host.close();
  }
  return messages;
}

async function live(host: HostEnd): Promise<void> {
  const source = { className: "spoken.Source", config: { topic: "t", password: "secret" } };
  const sink = { className: "spoken.Sink", config: { topics: "t" } };
  await host.request("", { case: "describe", value: {} });
  await host.request("", { case: "validate", value: { ...source, config: { batch: "0" } } });
  await host.request("", { case: "exactlyOnceSupport", value: source });
  await host.request("", { case: "canDefineTransactionBoundaries", value: source });
  await host.request("", { case: "alterOffsets", value: { ...source, source: [] } });
  await host.request("in", { case: "startConnector", value: { ...source, className: "no.Such" } });
  await host.request("in", { case: "startConnector", value: source });
  await host.request("in", { case: "taskConfigs", value: { tasksMax: 2 } });
  await liveSource(host, source.config);
  await host.request("in", { case: "stopConnector", value: {} });
  await host.request("out", { case: "startConnector", value: sink });
  await liveSink(host, sink.config);
  await host.session.inbox.next("heartbeat");
  await host.session.inbox.next("logBatch");
  host.session.send({ case: "shutdown", value: { timeoutMs: 5_000n, reason: "it was recorded" } });
  await host.session.inbox.next("shutdownAck");
}

async function liveSource(host: HostEnd, config: Record<string, string>): Promise<void> {
  const task = await host.startSource("in", {
    className: "spoken.Source",
    taskConfig: config,
    connectorConfig: config,
  });
  await task.inbox.next("started");
  task.send({ case: "credit", value: { records: 1_000n, bytes: 1n << 24n } });
  const { batchSeq } = await task.inbox.next("records");
  task.send({ case: "acked", value: { through: batchSeq, runs: [] } });
  await task.inbox.next("checkpoint");
  await host.session.inbox.next("metricBatch");
  task.send({ case: "drain", value: {} });
  await task.inbox.next("drained");
  task.send({ case: "stop", value: { timeoutMs: 5_000n } });
  await task.inbox.next("stopped");
}

async function liveSink(host: HostEnd, config: Record<string, string>): Promise<void> {
  const task = await host.startSink("out", {
    className: "spoken.Sink",
    taskConfig: config,
    connectorConfig: config,
    errantRecordReporter: true,
  });
  await task.inbox.next("started");
  const at = { topic: "t", partition: 0 };
  task.send({ case: "open", value: { partitions: [{ ...at, offset: 0n }] } });
  await task.inbox.next("opened");
  task.send({ case: "topic", value: { id: 1, topic: "t" } });
  task.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
  const put = (putSeq: bigint, first: bigint, texts: string[]) => {
    const columns = {
      count: texts.length,
      arena: Buffer.from(texts.join("")),
      valueSizes: texts.map((text) => text.length + 1),
      valueForms: [1],
      topics: [1],
      partitions: [1],
      offsets: texts.map((_, index) => (index === 0 ? first : 1n)),
      timestamps: [1_700_000_000_000n],
      timestampTypes: [1],
    };
    task.send({ case: "put", value: { putSeq, epoch: 0n, columns } });
  };
  put(1n, 0n, ["good", "fine"]);
  await task.inbox.next("putResult");
  put(2n, 2n, ["good", "bad", "odd"]);
  const { reportId } = await task.inbox.next("errantReport");
  task.send({ case: "errantReceipt", value: { reportId } });
  await task.inbox.next("putResult");
  task.send({ case: "flush", value: { flushSeq: 1n, offsets: [{ ...at, offset: 5n }] } });
  await task.inbox.next("flushResult");
  task.send({ case: "close", value: { partitions: [at], reason: 1 } });
  await task.inbox.next("closed");
  task.send({ case: "stop", value: { timeoutMs: 5_000n } });
  await task.inbox.next("stopped");
}
