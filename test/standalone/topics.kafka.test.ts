/** The commands that look into a log, over a real cluster and beside Kafka's own tools. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { program } from "../harness/host-process.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { javaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";

const { missing } = await kafkaJars();

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function bulkhead(args: readonly string[], input = ""): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], {
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  const closed = once(child, "close") as Promise<[number | null]>;
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  return { code, stdout, stderr };
}

test("topics are made, written, read and deleted in a cluster", {
  skip: missing ?? false,
}, async () => {
  const { bootstrap } = await sharedKafka();
  const topic = uniqueName("cli");
  const run = async (args: readonly string[], input = "") => {
    const ended = await bulkhead([...args, "--bootstrap-server", bootstrap], input);
    assert.deepEqual([ended.code, ended.stderr.includes("bulkhead:")], [0, false], ended.stderr);
    return ended.stdout;
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

test("what a worker file says of its tasks' clients holds for the commands too", {
  skip: missing ?? false,
}, async (t) => {
  const { bootstrap } = await sharedKafka();
  const folder = await mkdtemp(join(tmpdir(), "commands-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const topic = uniqueName("cli");
  const run = async (args: readonly string[], line: string, input = "") => {
    const file = join(folder, "worker.properties");
    await writeFile(file, `bootstrap.servers=${bootstrap}\n${line}\n`);
    return bulkhead([...args, "--config", file], input);
  };
  await run(["topic", "create", topic], "");
  const large = await run(["write", topic], "producer.max.request.size=100", "x".repeat(200));
  assert.notEqual(large.code, 0);
  assert.match(large.stderr, /cannot write line 1 .*max\.request\.size/s);
  const wrong = await run(["read", topic], "consumer.isolation.level=read_all");
  assert.match(wrong.stderr, /isolation\.level.*read_all/);
});
