import type { BrokerVersions } from "../protocol/api-versions.ts";
import { type BrokerAddress, brokerName } from "./broker-address.ts";

/** The brokers of a cluster as they were last told, and what is known of each. */
export class BrokerDirectory {
  readonly bootstrap: readonly BrokerAddress[];
  /** Undefined while there is none, or nobody was asked. */
  controller: number | undefined;
  #brokers = new Map<number, BrokerAddress>();
  readonly #versions = new Map<number, BrokerVersions>();

  constructor(bootstrap: readonly BrokerAddress[]) {
    this.bootstrap = bootstrap;
  }

  /** In no order that favours one of them. */
  nodes(): readonly BrokerAddress[] {
    return shuffled([...this.#brokers.values()]);
  }

  /** Those of `bootstrap.servers`: the way in while no broker of the cluster can be reached. */
  entrances(): readonly BrokerAddress[] {
    return shuffled([...this.bootstrap]);
  }

  find(node: number): BrokerAddress | undefined {
    return this.#brokers.get(node);
  }

  /** Takes a whole answer: brokers that are not in it are gone. */
  replace(brokers: readonly { node: number; host: string; port: number }[]): void {
    // A cluster that names no broker is starting; what was known is still the best guess.
    if (brokers.length === 0) return;
    this.#brokers = new Map(brokers.map((broker) => [broker.node, broker]));
    for (const node of this.#versions.keys()) {
      if (!this.#brokers.has(node)) this.#versions.delete(node);
    }
  }

  /** One broker that another answer named. */
  add(broker: { node: number; host: string; port: number }): void {
    this.#brokers.set(broker.node, broker);
  }

  versions(node: number): BrokerVersions | undefined {
    return this.#versions.get(node);
  }

  learnVersions(node: number, versions: BrokerVersions): void {
    this.#versions.set(node, versions);
  }

  name(node: number): string {
    const address = this.find(node);
    return address === undefined ? `broker ${node}` : brokerName(address);
  }
}

function shuffled<T>(items: T[]): T[] {
  for (let at = items.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [items[at], items[other]] = [items[other]!, items[at]!];
  }
  return items;
}
