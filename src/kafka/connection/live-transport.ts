import { systemClock } from "../../base/clock.ts";
import { errorHint, errorLine, RetriableError } from "../../base/error.ts";
import type { Logger } from "../../observe/logger.ts";
import type { ClusterMap, Connections, ConnectionsOptions, Transport } from "../calls.ts";
import type { ClientConfig } from "../kafka.ts";
import {
  type ClientSecurity,
  readClientSecurity,
  securityKeys,
} from "../security/client-security.ts";
import { parseBootstrapServers } from "./broker-address.ts";
import { BrokerDirectory } from "./broker-directory.ts";
import type { Dial } from "./broker-lane.ts";
import { type ConnectionConfig, parseConnectionConfig } from "./client-config.ts";
import { LiveClusterMap } from "./cluster-map.ts";
import { RoleConnections } from "./role-connections.ts";

export interface TransportOptions {
  readonly bootstrapServers: readonly string[];
  readonly config: ClientConfig;
  readonly clientId: string;
  readonly logger: Logger;
  /** Gives up a cluster that has not answered yet; does nothing once the transport is open. */
  readonly signal?: AbortSignal;
}

/** Makes the way in for one user; a password that is wrong is noticed when it is used. */
export type DialAs = (security: ClientSecurity) => Dial;

/** A cluster, its map and all connections to it. */
export class LiveTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #dialAs: DialAs;
  readonly #dial: Dial;
  readonly #config: ConnectionConfig;
  readonly #directory: BrokerDirectory;
  readonly #roles = new Set<RoleConnections>();
  readonly #map: LiveClusterMap;
  readonly #stop = new AbortController();

  private constructor(options: TransportOptions, dialAs: DialAs, security: ClientSecurity) {
    this.#options = options;
    this.#dialAs = dialAs;
    this.#dial = dialAs(security);
    this.#config = parseConnectionConfig(options.config);
    this.#directory = new BrokerDirectory(parseBootstrapServers(options.bootstrapServers));
    // The map's own trouble comes back as an error to whoever asked it, and starts no other question.
    const connections = this.#role(options.clientId, this.#config, this.#dial, () => {});
    const config = this.#config;
    this.#map = new LiveClusterMap({ directory: this.#directory, connections, config });
  }

  /** Resolves when a broker has answered, for which `default.api.timeout.ms` are given. */
  static async open(options: TransportOptions, dialAs: DialAs): Promise<LiveTransport> {
    const security = await readClientSecurity(options.config);
    const { signal } = options;
    const transport = new LiveTransport(options, dialAs, security);
    const abort = () => void transport.close();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      signal?.throwIfAborted();
      await transport.#enter();
    } catch (error) {
      await transport.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return transport;
  }

  get clusterId(): string {
    return this.#map.clusterId;
  }

  get map(): ClusterMap {
    return this.#map;
  }

  connections({ clientId, config = {} }: ConnectionsOptions): Connections {
    const merged = { ...this.#options.config, ...config };
    return this.#role(clientId, parseConnectionConfig(merged), this.#dialFor(config, merged));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#map.close();
    await Promise.all([...this.#roles].map((role) => role.close()));
  }

  async #enter(): Promise<void> {
    const { logger, bootstrapServers } = this.#options;
    const deadlineMs = performance.now() + this.#config.apiTimeoutMs;
    for (;;) {
      try {
        return await this.#map.refresh([]);
      } catch (error) {
        const leftMs = deadlineMs - performance.now();
        const isOver = leftMs <= 0 || this.#stop.signal.aborted;
        if (!(error instanceof RetriableError) || isOver) throw error;
        const why = { servers: bootstrapServers.join(","), hint: errorHint(error) };
        logger.warn(why, `no broker answers yet: ${errorLine(error)}`);
        const waitMs = Math.min(leftMs, this.#config.reconnectBackoffMsMax);
        await systemClock.sleep(waitMs, this.#stop.signal);
      }
    }
  }

  #role(
    clientId: string,
    config: ConnectionConfig,
    dial: Dial,
    onTrouble = () => this.#map.suspect(),
  ): RoleConnections {
    const role: RoleConnections = new RoleConnections({
      clientId,
      config,
      directory: this.#directory,
      dial,
      onTrouble,
      onClose: () => this.#roles.delete(role),
    });
    this.#roles.add(role);
    if (this.#stop.signal.aborted) void role.close();
    return role;
  }

  /** A client that logs in as somebody else has files and a password of its own. */
  #dialFor(config: ClientConfig, merged: ClientConfig): Dial {
    const isOther = (key: string) =>
      securityKeys.test(key) && config[key] !== this.#options.config[key];
    if (!Object.keys(config).some(isOther)) return this.#dial;
    let dial: Promise<Dial> | undefined;
    return async (options) => {
      dial ??= readClientSecurity(merged).then((security) => this.#dialAs(security));
      return (await dial)(options);
    };
  }
}
