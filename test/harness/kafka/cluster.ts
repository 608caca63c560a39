/** Several brokers that form a cluster, to be killed, frozen and brought back one by one. */
import { waitFor } from "../wait-for.ts";
import {
  askCluster,
  askCoordinator,
  askNewTopic,
  type ClusterView,
  type PartitionView,
} from "./ask-broker.ts";
import { type Broker, type BrokerOptions, makeBroker, newClusterId } from "./broker.ts";
import { freePorts } from "./free-ports.ts";
import { askElection, askReplicas } from "./steer-broker.ts";

const joinMsMax = 60_000;
const startsMax = 3;

/** What holds for every node. */
export interface ClusterOptions extends Pick<BrokerOptions, "config" | "heapMbMax" | "proxied"> {}

/** Starts nodes 1 to `count`; resolves once each knows all. Every topic has `min(3, count)` replicas. */
export async function startCluster(count: number, options: ClusterOptions = {}): Promise<Cluster> {
  for (let tries = 1; ; tries += 1) {
    const cluster = await makeCluster(count, options);
    try {
      for (const node of cluster.nodes) node.begin();
      await Promise.all(cluster.nodes.map((node) => node.answers()));
      await cluster.isWhole();
      return cluster;
    } catch (error) {
      await cluster.stop();
      // Somebody else took a port between the look and the start.
      if (tries === startsMax || !String(error).includes("Address already in use")) throw error;
    }
  }
}

async function makeCluster(count: number, options: ClusterOptions): Promise<Cluster> {
  const ports = await freePorts(3 * count);
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const portsOf = (id: number) => {
    const [client, internal, controller] = ports.slice(3 * (id - 1));
    return { client: client!, internal: internal!, controller: controller! };
  };
  const voters = ids.map((id) => ({ id, port: portsOf(id).controller }));
  const shared = { clusterId: newClusterId(), voters, replicas: Math.min(3, count) };
  const nodes: Broker[] = [];
  for (const id of ids)
    nodes.push(await makeBroker({ ...shared, id, ports: portsOf(id) }, options));
  return new Cluster(nodes);
}

/** Nodes by id, from 1. What it tells it asks a node that answers. */
export class Cluster {
  readonly nodes: readonly Broker[];

  constructor(nodes: readonly Broker[]) {
    this.nodes = nodes;
  }

  /** All of them, for clients. */
  get bootstrap(): string {
    return this.nodes.map((node) => node.bootstrap).join(",");
  }

  /** All of them, for the Java tools: around the proxies. */
  get direct(): string {
    return this.nodes.map((node) => node.direct).join(",");
  }

  node(id: number): Broker {
    const node = this.nodes.find((each) => each.id === id);
    if (node === undefined) throw new Error(`the cluster has no node ${id}`);
    return node;
  }

  /** Waits until every node that runs sees `count` nodes, all by default. */
  async isWhole(count = this.nodes.length): Promise<void> {
    const sees = async (node: Broker) =>
      (await askCluster(node.ports.internal)).brokers.length === count;
    const running = () => this.nodes.filter((node) => node.pid !== undefined);
    await waitFor(
      async () =>
        (await Promise.all(running().map((n) => sees(n).catch(() => false)))).every(Boolean),
      { withinMs: joinMsMax, what: `a cluster of ${count} nodes`, everyMs: 100 },
    );
  }

  /** Makes a topic and waits until all its partitions are led and in sync everywhere. */
  async createTopic(
    topic: string,
    partitions = 1,
    config: Record<string, string> = {},
  ): Promise<void> {
    await this.#ask((port) => askNewTopic(port, topic, partitions, config));
    await waitFor(
      async () => {
        const all = await this.partitions(topic);
        return all.length === partitions && all.every(isInSync);
      },
      { withinMs: joinMsMax, what: `replicas of ${topic} in sync` },
    );
  }

  /** A topic's partitions; empty while nobody knows it. */
  async partitions(topic: string): Promise<PartitionView[]> {
    return (await this.view(topic)).topics.get(topic) ?? [];
  }

  /** The node that leads a partition, undefined while there is none. */
  async leaderOf(topic: string, partition = 0): Promise<Broker | undefined> {
    const leader = (await this.partitions(topic))[partition]?.leader ?? -1;
    return this.nodes.find((node) => node.id === leader);
  }

  /** Waits for a leader other than `before`. */
  async newLeaderOf(topic: string, before: Broker, partition = 0): Promise<Broker> {
    let leader: Broker | undefined;
    const moved = async () => {
      leader = await this.leaderOf(topic, partition);
      return leader !== undefined && leader !== before;
    };
    await waitFor(moved, { withinMs: joinMsMax, what: `another leader of ${topic}-${partition}` });
    return leader!;
  }

  /** Hands a partition's lead to another node, with nobody ended. */
  async moveLeader(topic: string, partition: number, to: Broker): Promise<void> {
    const view = (await this.partitions(topic))[partition];
    const others = (view?.replicas ?? []).filter((id) => id !== to.id);
    await this.#ask((port) => askReplicas(port, topic, partition, [to.id, ...others]));
    await this.#ask((port) => askElection(port, topic, partition));
    await waitFor(async () => (await this.leaderOf(topic, partition)) === to, {
      withinMs: joinMsMax,
      what: `node ${to.id} leading ${topic}-${partition}`,
    });
  }

  /** The node that coordinates a group (or, by its id, a transaction), undefined while there is none. */
  async coordinatorOf(
    name: string,
    kind: "group" | "transaction" = "group",
  ): Promise<Broker | undefined> {
    const id = await this.#ask((port) => askCoordinator(port, name, kind));
    return this.nodes.find((node) => node.id === id);
  }

  view(...topics: string[]): Promise<ClusterView> {
    return this.#ask((port) => askCluster(port, topics));
  }

  /** Ends all for good. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** @throws Error of the last node when none answers */
  async #ask<T>(question: (port: number) => Promise<T>): Promise<T> {
    let failure: unknown = new Error("no node of the cluster runs");
    for (const node of this.nodes) {
      if (node.pid === undefined || node.isFrozen) continue;
      try {
        return await question(node.ports.internal);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

function isInSync({ leader, replicas, inSync }: PartitionView): boolean {
  return leader >= 0 && inSync.length === replicas.length;
}
