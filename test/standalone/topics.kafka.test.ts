/** The commands that look into a log, over a real cluster and beside Kafka's own tools. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { program } from "../harness/host-process.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { javaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";

const { missing } = await kafkaJars();

test("topics are made, written, read and deleted in a cluster", {
  skip: missing ?? false,
}, async () => {
  const { bootstrap } = await sharedKafka();
  const topic = uniqueName("cli");
  const run = async (args: readonly string[], input = "") => {
    const words = [program, ...args, "--bootstrap-server", bootstrap];
    const child = spawn(process.execPath, words, { timeout: 60_000, killSignal: "SIGKILL" });
    const closed = once(child, "close");
    child.stdin.end(input);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    assert.deepEqual([await closed, stderr.includes("bulkhead:")], [[0, null], false], stderr);
    return stdout;
  };
  const partitions = ["--partitions", "2", "--setting", "retention.ms=1000000"];
  assert.equal(await run(["topic", "create", topic, ...partitions]), `made topic ${topic}\n`);
  assert.ok((await run(["topic", "list"])).split("\n").includes(topic));
  await run(["write", topic, "--key-separator", ":", "--header", "h=1"], "a:1\nb:2\n");
  const tool = ["--bootstrap-server", bootstrap, "--topic", topic];
  await javaTool("ConsoleProducer", tool, { input: "from Java\n" });
  const read = (await run(["read", topic, "--keys", "--headers"])).trim().split("\n");
  assert.deepEqual(read.sort(), ["\tnull\tfrom Java", "h:1\ta\t1", "h:1\tb\t2"]);
  const seen = [...tool, "--from-beginning", "--max-messages", "3"];
  const { stdout } = await javaTool("ConsoleConsumer", seen);
  assert.deepEqual(stdout.trim().split("\n").sort(), ["1", "2", "from Java"]);
  const described = JSON.parse(await run(["topic", "describe", topic, "--json"]));
  const ends = described.partitions.map((each: { endOffset: number }) => each.endOffset);
  assert.equal(ends[0] + ends[1], 3);
  assert.equal(described.config["retention.ms"], "1000000");
  assert.equal(await run(["topic", "delete", topic]), `deleted topic ${topic}\n`);
});
