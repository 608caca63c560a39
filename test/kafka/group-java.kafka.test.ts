/** Our members in one group with Java's consumers, which lead or follow. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { cooperativeStickyAssignor } from "../../src/kafka/group/assign-cooperative-sticky.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { type GroupRoom, openGroupRoom } from "../harness/kafka/group-room.ts";
import { endJavaTool, startJavaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";

const { missing } = await kafkaJars();

const partitions = [0, 1, 2, 3];

/** Java's console consumer, which commits what it prints when it gives it up. */
class JavaConsumer {
  readonly values: string[] = [];
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    let rest = "";
    child.stdout?.on("data", (chunk) => {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      this.values.push(...lines);
    });
  }

  static async start(bootstrap: string, topic: string, group: string, config: object) {
    const properties = { "heartbeat.interval.ms": "200", ...config };
    const child = await startJavaTool("ConsoleConsumer", [
      ...["--bootstrap-server", bootstrap, "--topic", topic, "--group", group, "--from-beginning"],
      ...Object.entries(properties).flatMap(([key, value]) => [
        "--consumer-property",
        `${key}=${value}`,
      ]),
    ]);
    return new JavaConsumer(child);
  }

  /** As Ctrl-C: it leaves its group. */
  stop(): Promise<void> {
    return endJavaTool(this.#child);
  }
}

describe("a group of our members and Java's", { skip: missing ?? false }, () => {
  let bootstrap: string;
  let room: GroupRoom;

  before(async () => {
    ({ bootstrap } = await sharedKafka());
    room = await openGroupRoom(bootstrap);
  });
  after(() => room?.close());

  for (const { strategy, config } of [
    { strategy: "range", config: {} },
    {
      strategy: "cooperative-sticky",
      config: { "partition.assignment.strategy": cooperativeStickyAssignor.javaClass },
    },
  ]) {
    test(`they share by ${strategy}, whoever leads, and read every record once`, async () => {
      const topic = await room.topic(partitions.length);
      const groupId = uniqueName("g");
      const read: string[] = [];
      const java: JavaConsumer[] = [];
      const startJava = async () => {
        const started = await JavaConsumer.start(bootstrap, topic, groupId, config);
        java.push(started);
        return started;
      };
      const written: string[] = [];
      const write = async (what: string) => {
        for (const partition of partitions) {
          await room.write(topic, partition, [`${what}${partition}`]);
          written.push(`${what}${partition}`);
        }
      };
      const everything = () => [...java.flatMap(({ values }) => values), ...read].sort();
      const allRead = () => room.until("all", () => everything().length >= written.length);

      try {
        const leader = await startJava();
        await write("a");
        await room.until("Java to read", () => leader.values.length === written.length);
        const onRecords = (records: readonly { value: string | null }[]) => {
          read.push(...records.map(({ value }) => String(value)));
        };
        const ours = room.member({ groupId, topics: [topic], config, onRecords }).start();
        await room.until("half of it with Java as leader", () => ours.held.length === 2);
        await write("b");
        await allRead();
        assert.equal(read.length, 2);
        await leader.stop();
        await room.until("all of it", () => ours.held.length === 4);
        await write("c");
        await allRead();
        const follower = await startJava();
        await room.until("half of it as leader", () => ours.held.length === 2);
        await write("d");
        await allRead();
        assert.equal(follower.values.length, 2);
        assert.deepEqual(everything(), written.sort());
        await ours.close();
        await write("e");
        await allRead();
        assert.deepEqual(everything(), written.sort());
        assert.equal(ours.failure, undefined);
      } finally {
        await Promise.all(java.map((each) => each.stop()));
        await room.clear();
      }
    });
  }
});
