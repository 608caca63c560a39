/** The harness's Kafka itself: it answers, its tools run, and nothing of it stays behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { askCluster, askNewTopic, askVersions } from "../harness/kafka/ask-broker.ts";
import { type Broker, sharedKafka, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { javaTool, startJavaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();
const skip = missing ?? false;

describe("the Kafka that tests share", { skip }, () => {
  test("keeps what the Java tools write and answers them and us alike", async () => {
    const { bootstrap } = await sharedKafka();
    const topic = uniqueName("shared");
    const server = ["--bootstrap-server", bootstrap];
    await javaTool("TopicCommand", [...server, "--create", "--topic", topic, "--partitions", "3"]);
    const consumer = await startJavaTool("ConsoleConsumer", [
      ...[...server, "--topic", topic],
      "--from-beginning",
    ]);
    let said = "";
    consumer.stdout?.on("data", (chunk) => {
      said += chunk;
    });
    await javaTool("ConsoleProducer", [...server, "--topic", topic], { input: "one\ntwo\n" });
    await waitFor(() => said.split("\n").length > 2, { withinMs: 30_000, what: "two records" });
    consumer.kill();
    assert.deepEqual(said.trim().split("\n").sort(), ["one", "two"]);
    const { topics } = await askCluster(Number(bootstrap.split(":").at(-1)), [topic]);
    assert.equal(topics.get(topic)?.length, 3);
  });
});

describe("a broker of one's own", { skip }, () => {
  let broker: Broker;
  before(async () => {
    broker = await startBroker({ proxied: true });
  });
  after(() => broker?.stop());

  test("sends its clients through its proxy, and the harness around it", async () => {
    const { proxy, ports } = broker;
    assert.equal(broker.bootstrap, `127.0.0.1:${proxy.port}`);
    assert.deepEqual((await askCluster(proxy.port)).brokers[0]?.port, proxy.port);
    assert.deepEqual((await askCluster(ports.internal)).brokers[0]?.port, ports.internal);
    const apiVersions = 18;
    const lost = proxy.loseAnswers(apiVersions);
    await assert.rejects(askVersions(proxy.port));
    await lost;
    proxy.heal();
    await askVersions(proxy.port);
  });

  test("keeps its data and its ports when it is killed and started again", async () => {
    const topic = uniqueName("kept");
    await askNewTopic(broker.ports.client, topic, 1);
    await broker.kill();
    await assert.rejects(askVersions(broker.ports.client));
    await broker.start();
    await waitFor(
      async () => (await askCluster(broker.ports.client, [topic])).topics.get(topic)?.length === 1,
      { withinMs: 20_000, what: "the topic of before" },
    );
  });

  test("answers nobody while it is frozen, and again afterwards", async () => {
    await broker.freeze();
    await assert.rejects(askVersions(broker.ports.client, 300), /no answer within 300 ms/);
    broker.thaw();
    await askVersions(broker.ports.client, 5_000);
  });

  test("leaves neither process nor folder behind when it is stopped", async () => {
    const pid = broker.pid!;
    await broker.stop();
    assert.equal(isAlive(pid), false);
    assert.equal(existsSync(broker.folder), false);
  });

  test("says why when it cannot start", async () => {
    await assert.rejects(
      startBroker({ config: { "log.segment.bytes": "many" } }),
      /log.segment.bytes/,
    );
  });
});

describe("a broker whose disk is full", { skip }, () => {
  let broker: Broker;
  before(async () => {
    broker = await startBroker({ fileBytesMax: 12 * 1024 * 1024 });
  });
  after(() => broker?.stop());

  test("refuses what it cannot write, lives on, and has it all again once there is room", async () => {
    const topic = uniqueName("full");
    const config = [`bootstrap.servers=${broker.direct}`, "delivery.timeout.ms=3000"];
    const limits = ["request.timeout.ms=2000", "linger.ms=0", "batch.size=500000"];
    const size = ["--num-records", "200", "--record-size", "100000", "--throughput", "-1"];
    const { stderr } = await javaTool(
      "ProducerPerformance",
      ["--topic", topic, ...size, "--producer-props", ...config, ...limits],
      { check: false, logLevel: "warn" },
    );
    assert.match(stderr, /KAFKA_STORAGE_ERROR/);
    const state = async () =>
      (await askCluster(broker.ports.client, [topic])).topics.get(topic)?.[0];
    await waitFor(async () => (await state())?.leader === -1, {
      withinMs: 20_000,
      what: "no leader",
    });
    await askVersions(broker.ports.client);
    await broker.kill();
    await broker.start({ room: true });
    await waitFor(async () => (await state())?.leader === 1, {
      withinMs: 20_000,
      what: "a leader",
    });
  });
});

describe("the end of the process that owns a broker", { skip }, () => {
  test("ends the broker and removes its folder, even after SIGKILL", async () => {
    const module = fileURLToPath(new URL("../harness/kafka/broker.ts", import.meta.url));
    const program = `
      const { startBroker } = await import(${JSON.stringify(module)});
      const { pid, folder } = await startBroker();
      console.log(JSON.stringify({ pid, folder }));
      setInterval(() => {}, 1_000);`;
    const args = ["--import", "tsx", "--input-type=module", "--eval", program];
    const owner = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(owner.stdout, "data");
    const { pid, folder } = JSON.parse(String(line)) as { pid: number; folder: string };
    assert.equal(isAlive(pid), true);
    process.kill(pid, "SIGSTOP");
    owner.kill("SIGKILL");
    await waitFor(() => !isAlive(pid) && !existsSync(folder), {
      withinMs: 20_000,
      what: "the broker's end",
    });
  });
});
