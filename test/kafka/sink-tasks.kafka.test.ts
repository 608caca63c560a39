/** Sink tasks of one connector sharing a real group, with plugins that ask for retries. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cooperativeStickyAssignor } from "../../src/kafka/group/assign-cooperative-sticky.ts";
import { KafkaSinkConsumer } from "../../src/kafka/group/sink-consumer.ts";
import type { ClientConfig } from "../../src/kafka/kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { connectorName } from "../../src/state/id.ts";
import { SinkTask } from "../../src/task/sink-task.ts";
import { FakeSinkStream } from "../harness/fake-sink.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { type GroupRoom, openGroupRoom } from "../harness/kafka/group-room.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";

const { missing } = await kafkaJars();

const partitionCount = 6;

describe("sink tasks of one connector", { skip: missing ?? false }, () => {
  let room: GroupRoom;

  before(async () => {
    room = await openGroupRoom((await sharedKafka()).bootstrap);
  });
  after(() => room?.close());

  /** A task whose plugin takes records, now and then only at the second try. */
  function startTask(connector: string, task: number, topic: string, config: ClientConfig) {
    let puts = 0;
    const stream = new FakeSinkStream({
      onPut: () => {
        puts += 1;
        return puts % 5 === 2 ? "retry" : "ok";
      },
    });
    const lease = leaseOf({ startSinkTask: async () => stream });
    const parts = taskParts(lease, {
      sinkConsumer: (options) =>
        new KafkaSinkConsumer(
          { ...options, config },
          { transport: room.transport, logger: silentLogger() },
        ),
    });
    const spec = {
      ...taskSpec("sink", { offsetFlushIntervalMs: 50, stopMsMax: 20_000 }),
      id: { connector: connectorName(connector), task },
      connectorConfig: { topics: topic },
    };
    const stopping = new AbortController();
    const running = new SinkTask(spec, parts, "STARTED", () => {}).run(stopping.signal);
    running.catch(() => {});
    const stop = async () => {
      stopping.abort();
      await running;
    };
    return { stream, stop, taken: () => stream.taken.length };
  }

  for (const { strategy, config } of [
    { strategy: "range", config: {} },
    {
      strategy: "cooperative-sticky",
      config: { "partition.assignment.strategy": cooperativeStickyAssignor.javaClass },
    },
  ]) {
    test(`${strategy}: what a task gives up is committed, so nothing is put twice`, async () => {
      const topic = await room.topic(partitionCount);
      const connector = uniqueName("c");
      let isOver = false;
      let written = 0;
      const writer = (async () => {
        while (!isOver) {
          const values = Array.from({ length: 20 }, (_, n) => String(n));
          await room.write(topic, (written / 20) % partitionCount, values);
          written += values.length;
        }
      })();
      const quick = { "heartbeat.interval.ms": "100", ...config };
      const tasks = [startTask(connector, 0, topic, quick)];
      const enter = () => tasks.push(startTask(connector, tasks.length, topic, quick));
      const working = (n: number) => {
        const before = tasks[n]!.taken();
        return room.until(`task ${n} to take records`, () => tasks[n]!.taken() > before);
      };
      try {
        await working(0);
        enter();
        await working(1);
        await working(0);
        enter();
        await working(2);
        await tasks[0]!.stop();
        await working(1);
        isOver = true;
        await writer;
        const taken = () => tasks.reduce((sum, each) => sum + each.taken(), 0);
        await room.until("every record", () => taken() >= written);
        assert.equal(taken(), written);
      } finally {
        isOver = true;
        await Promise.all(tasks.map(({ stop }) => stop()));
      }
      const records = tasks.flatMap(({ stream }) =>
        stream.taken.map(({ partition, offset }) => `${partition}@${offset}`),
      );
      assert.equal(new Set(records).size, written);
      const committed = await room.admin.groupOffsets(`connect-${connector}`);
      const sum = committed.reduce((total, { offset }) => total + offset, 0);
      assert.equal(sum, written);
    });
  }
});
