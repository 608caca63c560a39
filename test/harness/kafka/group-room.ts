/** What tests of consumer groups need of a cluster: topics, records and members that end with the test. */
import { createKafkaAdmin } from "../../../src/kafka/admin.ts";
import { brokerCode, brokerCodeOf } from "../../../src/kafka/broker-error.ts";
import type { Connections, Transport } from "../../../src/kafka/calls.ts";
import type { Admin } from "../../../src/kafka/kafka.ts";
import type { Api } from "../../../src/kafka/protocol/api.ts";
import { createTransport } from "../../../src/kafka/transport.ts";
import { silentLogger } from "../../../src/observe/logger.ts";
import { waitFor } from "../wait-for.ts";
import { uniqueName } from "./broker.ts";
import { WatchedConsumer, type WatchedConsumerOptions } from "./watched-consumer.ts";
import { writeRecords } from "./write-records.ts";

export async function openGroupRoom(bootstrap: string): Promise<GroupRoom> {
  const logger = silentLogger();
  const bootstrapServers = [bootstrap];
  const config = { "retry.backoff.ms": "50", "reconnect.backoff.max.ms": "200" };
  const transport = await createTransport({ bootstrapServers, config, clientId: "test", logger });
  return new GroupRoom(transport, createKafkaAdmin({ transport, logger }));
}

/** DescribeGroups of one group, as far as its state. */
const describeGroup: Api<string, string> = {
  key: 15,
  name: "DescribeGroups",
  versions: { min: 0, max: 0 },
  write: (to, groupId) => to.array([groupId], (id) => to.string(id)),
  read(from) {
    // A count, an error code and the group's id stand before it; members behind it.
    from.int32();
    from.int16();
    from.string();
    return from.string();
  },
};

export class GroupRoom {
  readonly transport: Transport;
  readonly admin: Admin;
  readonly #writing: Connections;
  #members: WatchedConsumer[] = [];

  constructor(transport: Transport, admin: Admin) {
    this.transport = transport;
    this.admin = admin;
    this.#writing = transport.connections({ clientId: "writer" });
  }

  /** A new topic whose partitions have leaders; its name begins with `word`. */
  async topic(partitionCount: number, name = uniqueName("t")): Promise<string> {
    await this.admin.createTopic({ name, partitionCount, replicationFactor: -1, config: {} });
    const { map } = this.transport;
    const isThere = async () => {
      await map.refresh([name]);
      const leaders = map.topic(name)?.leaders ?? [];
      return leaders.length === partitionCount && leaders.every((leader) => leader >= 0);
    };
    await waitFor(isThere, { withinMs: 20_000, what: "leaders of a new topic" });
    return name;
  }

  /** A leader that does not know of it yet is asked again. */
  async write(topic: string, partition: number, values: readonly string[]): Promise<number> {
    const deadlineMs = performance.now() + 10_000;
    for (;;) {
      try {
        return await writeRecords(this.transport, this.#writing, { topic, partition }, values);
      } catch (error) {
        const isRefused = brokerCodeOf(error) === brokerCode.notLeaderOrFollower;
        if (!isRefused || performance.now() > deadlineMs) throw error;
        await this.transport.map.refresh([topic]);
      }
    }
  }

  /** As the group's broker calls it: `Stable`, `PreparingRebalance`, … */
  async groupState(groupId: string): Promise<string> {
    const node = await this.transport.map.coordinator({ kind: "group", id: groupId });
    return this.#writing.call({ at: "node", node }, describeGroup, groupId);
  }

  /** One that hears quickly of what happens to its group; polls only when told to. */
  member(options: WatchedConsumerOptions): WatchedConsumer {
    const config = { "heartbeat.interval.ms": "100", ...options.config };
    const made = new WatchedConsumer(this.transport, { ...options, config });
    this.#members.push(made);
    return made;
  }

  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    return waitFor(condition, { withinMs: 30_000, what });
  }

  /** Ends the members of a test. */
  async clear(): Promise<void> {
    const members = this.#members;
    this.#members = [];
    await Promise.all(members.map((each) => each.close()));
  }

  async close(): Promise<void> {
    await this.clear();
    await this.transport.close();
  }
}
