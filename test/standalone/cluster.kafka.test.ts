/** A standalone worker over a real cluster, as a user starts it; and side by side with Apache's. */
import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { decodeOffsetFile } from "../../src/store/offset-file.ts";
import { type HostProcess, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { sharedKafka, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { testCertificates } from "../harness/kafka/certificates.ts";
import { endJavaTool, javaTool, startJavaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { saslUsers } from "../harness/kafka/sasl-users.ts";
import { Notebook, type NotedRecord } from "../harness/notebook.ts";
import { waitFor } from "../harness/wait-for.ts";

const found = await kafkaJars();
const fileStream = "org.apache.kafka.connect.file.FileStream";

/** Lines of in.txt go through a topic of their own into out.txt. */
class Lines {
  readonly directory: string;
  readonly topic = uniqueName("lines");
  readonly source = uniqueName("source");
  readonly sink = uniqueName("sink");

  constructor(directory: string) {
    this.directory = directory;
  }

  get in(): string {
    return join(this.directory, "in.txt");
  }

  get sourceConfig() {
    return {
      "connector.class": `${fileStream}SourceConnector`,
      file: this.in,
      topic: this.topic,
    };
  }

  get sinkConfig() {
    return {
      "connector.class": `${fileStream}SinkConnector`,
      file: join(this.directory, "out.txt"),
      topics: this.topic,
    };
  }

  async write(...lines: string[]): Promise<void> {
    await appendFile(this.in, lines.map((line) => `${line}\n`).join(""));
  }

  async arrived(): Promise<string[]> {
    const text = await readFile(join(this.directory, "out.txt"), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  async until(lines: readonly string[]): Promise<void> {
    await waitFor(async () => (await this.arrived()).length >= lines.length, {
      withinMs: 60_000,
      what: `${lines.length} lines`,
    });
    assert.deepEqual(await this.arrived(), lines);
  }

  /** Some perhaps twice: a member that its group lost begins where it last committed. */
  async untilAll(lines: readonly string[]): Promise<void> {
    const different = async () => [...new Set(await this.arrived())];
    await waitFor(async () => (await different()).length >= lines.length, {
      withinMs: 60_000,
      what: `${lines.length} lines`,
    });
    assert.deepEqual(await different(), lines);
  }
}

async function begin(context: TestContext): Promise<Lines> {
  return new Lines(await temporaryDirectory(context));
}

async function hostOver(
  context: TestContext,
  bootstrap: string,
  { directory }: Lines,
  worker: Readonly<Record<string, string>> = {},
): Promise<HostProcess> {
  const host = await startHost({
    directory,
    worker: {
      "bootstrap.servers": bootstrap,
      "offset.storage.file.filename": join(directory, "offsets"),
      ...worker,
    },
  });
  context.after(() => host.kill());
  return host;
}

async function create(host: HostProcess, name: string, config: object): Promise<void> {
  const { status, body } = await host.request("POST", "/connectors", { name, config });
  assert.equal(status, 201, JSON.stringify(body));
}

async function createBoth(host: HostProcess, lines: Lines): Promise<void> {
  await create(host, lines.source, lines.sourceConfig);
  await create(host, lines.sink, lines.sinkConfig);
}

describe("a standalone worker over a cluster", { skip: found.missing ?? false }, () => {
  test("moves lines, keeps offsets in its file and forgets connectors made over REST", async (t) => {
    const lines = await begin(t);
    const { bootstrap } = await sharedKafka();
    const host = await hostOver(t, bootstrap, lines);
    await lines.write("one", "two");
    await createBoth(host, lines);
    await lines.until(["one", "two"]);
    assert.equal((await host.request("GET", "/health")).status, 200);
    assert.equal(await host.stop(), 0);
    const offsets = decodeOffsetFile(await readFile(join(lines.directory, "offsets")), "offsets");
    assert.deepEqual(
      offsets.map(({ key, value }) => [`${Buffer.from(key)}`, `${Buffer.from(value)}`]),
      [[`["${lines.source}",{"filename":"${lines.in}"}]`, '{"position":8}']],
    );
    const next = await hostOver(t, bootstrap, lines);
    assert.deepEqual((await next.request("GET", "/connectors")).body, []);
    await lines.write("three");
    await createBoth(next, lines);
    await lines.until(["one", "two", "three"]);
    await waitFor(
      async () => new RegExp(`${lines.topic} +0 .*$`).test(await lagOf(bootstrap, lines.sink)),
      { withinMs: 30_000, what: "Kafka's tool to see what the sink committed" },
    );
    assert.equal(await next.stop(), 0);
    const own = await looking(bootstrap, ({ admin }) => admin.listTopics());
    assert.doesNotMatch(own.join("\n"), /^connect-(configs|offsets|status)$/m);
  });

  test("hands producer.* and consumer.* to the clients of its tasks", async (t) => {
    const lines = await begin(t);
    const { bootstrap } = await sharedKafka();
    const host = await hostOver(t, bootstrap, lines, {
      "producer.max.request.size": "300",
      "consumer.auto.offset.reset": "latest",
    });
    await lines.write("before");
    await create(host, lines.source, lines.sourceConfig);
    await untilStored(bootstrap, lines.topic);
    await create(host, lines.sink, lines.sinkConfig);
    await waitFor(
      async () => {
        await lines.write("after");
        return (await lines.arrived()).length > 0;
      },
      { withinMs: 30_000, everyMs: 200, what: "lines after the sink began" },
    );
    assert.deepEqual([...new Set(await lines.arrived())], ["after"]);
    await lines.write("x".repeat(400));
    const trace = await traceOfFailure(host, lines.source);
    assert.match(trace, /is \d+ bytes when serialized which is larger than 300/);
    assert.equal(await host.stop(), 0);
  });

  test("a record that the topic does not take fails the task, with topic, size and Kafka's name", async (t) => {
    const lines = await begin(t);
    const { bootstrap } = await sharedKafka();
    const topic = { name: lines.topic, partitionCount: 1, replicationFactor: -1 };
    const config = { "max.message.bytes": "2000" };
    assert.ok(await looking(bootstrap, ({ admin }) => admin.createTopic({ ...topic, config })));
    const host = await hostOver(t, bootstrap, lines);
    await lines.write("x".repeat(5_000));
    await create(host, lines.source, lines.sourceConfig);
    const trace = await traceOfFailure(host, lines.source);
    assert.match(trace, new RegExp(`partition 0 of topic ${lines.topic} at ${bootstrap}: `), trace);
    assert.match(trace, /it is 50\d\d bytes as a batch, more than 2000 .*MESSAGE_TOO_LARGE/, trace);
    assert.equal(await host.stop(), 0);
  });

  test("keys, nulls and headers arrive as they were sent, in their order", async (t) => {
    const lines = await begin(t);
    const { bootstrap } = await sharedKafka();
    const host = await hostOver(t, bootstrap, lines, Notebook.worker);
    const header = (name: string, value: unknown) => ({ name, value });
    const records = [
      { key: "k", value: "v", headers: [header("b", "1st"), header("a", "x"), header("b", "2nd")] },
      { key: null, value: "no key", headers: [] },
      { key: "gone", value: null, headers: [header("why", null), header("why", "deleted")] },
      { key: null, value: null, headers: [] },
      { key: "", value: "", headers: [header("ü", "é"), header("empty", "")] },
    ].map((record) => ({ ...record, partition: 0 }));
    await create(host, lines.source, {
      "connector.class": "fixture.notebook.DictationSource",
      topic: lines.topic,
      records: JSON.stringify(records),
    });
    const notebook = new Notebook(join(lines.directory, "noted"));
    await create(host, lines.sink, { ...notebook.sinkConfig, topics: lines.topic });
    const noted: NotedRecord[] = [];
    await waitFor(async () => noted.push(...(await notebook.readOn())) >= records.length, {
      withinMs: 60_000,
      what: `${records.length} records`,
    });
    const pairs = (headers: readonly { name: string; value: unknown }[]) =>
      headers.map(({ name, value }) => [name, value]);
    assert.deepEqual(
      noted,
      records.map((one, offset) => ({ ...one, offset, headers: pairs(one.headers) })),
    );
    assert.equal(await host.stop(), 0);
  });

  test("logs in as the worker file says, and its tasks' clients with it", async (t) => {
    const lines = await begin(t);
    const files = await testCertificates();
    const broker = await startBroker({ secure: true });
    t.after(() => broker.stop());
    const scram = "org.apache.kafka.common.security.scram.ScramLoginModule";
    const host = await hostOver(t, broker.secureBootstrap("SASL_SSL"), lines, {
      "security.protocol": "SASL_SSL",
      "sasl.mechanism": "SCRAM-SHA-512",
      "sasl.jaas.config": `${scram} required username="alice" password="${saslUsers.alice}";`,
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": files.ca,
    });
    await lines.write("secret");
    await createBoth(host, lines);
    await lines.until(["secret"]);
    assert.equal(await host.stop(), 0);
    assert.ok(!host.log.some((line) => line.includes(saslUsers.alice)), "no password is logged");
  });

  test("takes over from Apache's standalone worker, and that one from us, in one offset file", async (t) => {
    const lines = await begin(t);
    const { bootstrap } = await sharedKafka();
    await lines.write("one", "two");
    const host = await hostOver(t, bootstrap, lines);
    await createBoth(host, lines);
    await lines.until(["one", "two"]);
    assert.equal(await host.stop(), 0);
    await lines.write("three", "four");
    await runApache(lines, bootstrap, ["one", "two", "three", "four"]);
    await lines.write("five");
    const next = await hostOver(t, bootstrap, lines);
    await createBoth(next, lines);
    await lines.until(["one", "two", "three", "four", "five"]);
    assert.equal(await next.stop(), 0);
  });
});

async function traceOfFailure(host: HostProcess, name: string): Promise<string> {
  const task = async () => (await host.request("GET", `/connectors/${name}/status`)).body.tasks[0];
  await waitFor(async () => (await task())?.state === "FAILED", {
    withinMs: 30_000,
    what: "the task to fail",
  });
  return String((await task()).trace);
}

async function untilStored(bootstrap: string, topic: string): Promise<void> {
  await looking(bootstrap, ({ admin }) =>
    waitFor(
      async () => {
        if ((await admin.describeTopic(topic)) === undefined) return false;
        return (await admin.endOffsets([{ topic, partition: 0 }]))[0] === 1;
      },
      { withinMs: 30_000, what: "the first line in the topic" },
    ),
  );
}

/** Looks into a cluster from outside the worker. */
async function looking<T>(
  bootstrapServers: string,
  work: (kafka: Kafka) => Promise<T>,
): Promise<T> {
  const logger = silentLogger();
  const kafka = await openKafka({ bootstrapServers, config: {}, clientId: "looks", logger });
  try {
    return await work(kafka);
  } finally {
    await kafka.close();
  }
}

async function lagOf(bootstrap: string, sink: string): Promise<string> {
  const args = ["--bootstrap-server", bootstrap, "--describe", "--group", `connect-${sink}`];
  return (await javaTool("ConsumerGroupCommand", args)).stdout.trim();
}

/** Apache's own worker with the same files, until its connectors have brought these lines. */
async function runApache(lines: Lines, bootstrap: string, wanted: string[]): Promise<void> {
  const { directory } = lines;
  const plugins = join(directory, "java-plugins", "file");
  await mkdir(plugins, { recursive: true });
  const jar = "connect-file-4.1.1.jar";
  assert.ok(found.missing === undefined);
  await symlink(join(found.jars.folder, "jars", jar), join(plugins, jar));
  const properties = (entries: Record<string, string>) =>
    Object.entries(entries)
      .map(([key, value]) => `${key}=${value}\n`)
      .join("");
  const converter = "org.apache.kafka.connect.storage.StringConverter";
  const files = {
    "java-worker.properties": {
      "bootstrap.servers": bootstrap,
      "key.converter": converter,
      "value.converter": converter,
      "offset.storage.file.filename": join(directory, "offsets"),
      "offset.flush.interval.ms": "500",
      "plugin.path": join(directory, "java-plugins"),
      listeners: "http://127.0.0.1:0",
    },
    "java-source.properties": { name: lines.source, "tasks.max": "1", ...lines.sourceConfig },
    "java-sink.properties": { name: lines.sink, "tasks.max": "1", ...lines.sinkConfig },
  };
  for (const [name, entries] of Object.entries(files)) {
    await writeFile(join(directory, name), properties(entries));
  }
  const args = Object.keys(files).map((name) => join(directory, name));
  const worker = await startJavaTool("ConnectStandalone", args);
  let said = "";
  for (const stream of [worker.stdout, worker.stderr]) {
    stream?.on("data", (chunk) => {
      said = `${said}${chunk}`.slice(-10_000);
    });
  }
  try {
    await lines.until(wanted);
    const position = (await readFile(lines.in)).length;
    await waitFor(
      async () => (await readFile(join(directory, "offsets"))).includes(`${position}`),
      {
        withinMs: 20_000,
        what: "Apache's worker to store its offset",
      },
    );
    await endJavaTool(worker);
  } catch (error) {
    worker.kill("SIGKILL");
    throw new Error(`${(error as Error).message}; Apache's worker said:\n${said}`);
  }
}
