import { HostError, RetriableError } from "../../base/error.ts";
import type { CallOptions, CallTarget, Connections } from "../calls.ts";
import type { Api } from "../protocol/api.ts";
import { commonVersion } from "../protocol/api-versions.ts";
import { type BrokerAddress, hostPort } from "./broker-address.ts";
import { type AnyCall, BrokerCall } from "./broker-call.ts";
import type { BrokerDirectory } from "./broker-directory.ts";
import { BrokerLane, closed, type Dial } from "./broker-lane.ts";
import type { ConnectionConfig } from "./client-config.ts";

export interface RoleConnectionsOptions {
  readonly clientId: string;
  readonly config: ConnectionConfig;
  readonly directory: BrokerDirectory;
  readonly dial: Dial;
  /** The brokers may have moved: asks the cluster, unless that is under way. */
  readonly onTrouble: () => void;
  readonly onClose?: () => void;
}

/** The connections of one role: a lane to each broker that it has called. */
export class RoleConnections implements Connections {
  readonly #options: RoleConnectionsOptions;
  readonly #lanes = new Map<number | string, BrokerLane>();
  #isClosed = false;

  constructor(options: RoleConnectionsOptions) {
    this.#options = options;
  }

  call<Request, Response>(
    to: CallTarget,
    api: Api<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    if (this.#isClosed) return Promise.reject(closed());
    if (to.at === "any") return this.#callAny(api, request, options);
    const { directory, onTrouble } = this.#options;
    const node = to.at === "node" ? to.node : directory.controller;
    const address = node === undefined ? undefined : directory.find(node);
    if (address === undefined) {
      onTrouble();
      const what = to.at === "node" ? `broker ${to.node} is not known` : "there is no controller";
      const text = `cannot call ${api.name}: ${what} at the moment`;
      return Promise.reject(new RetriableError("kafka.disconnected", text));
    }
    return this.#send(this.#lane(address), api, request, options).promise;
  }

  versionOf(node: number, api: Api<never, unknown>): number | undefined {
    const versions = this.#options.directory.versions(node);
    return versions === undefined ? undefined : commonVersion(api, versions);
  }

  addressOf(node: number): string {
    const address = this.#options.directory.find(node);
    return address === undefined ? `broker ${node}` : hostPort(address);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const lane of this.#lanes.values()) lane.close();
    this.#lanes.clear();
    this.#options.onClose?.();
  }

  /** The next broker is tried only for a request that certainly reached none. */
  async #callAny<Request, Response>(
    api: Api<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    let failure: unknown;
    for (const address of this.#anyOrder()) {
      const call = this.#send(this.#lane(address), api, request, options);
      try {
        return await call.promise;
      } catch (error) {
        failure = error;
        const unreached = error instanceof HostError && error.code === "kafka.disconnected";
        if (call.isSent || !unreached || this.#isClosed || options.signal?.aborted) break;
      }
    }
    throw failure ?? new RetriableError("kafka.disconnected", `cannot call ${api.name}: no broker`);
  }

  /** Connected ones first, the least busy of them before the others; then the ways in. */
  #anyOrder(): readonly BrokerAddress[] {
    const { directory } = this.#options;
    const busy = (address: BrokerAddress) => {
      const lane = this.#lanes.get(laneKey(address));
      return lane?.isReady ? lane.inFlightCount : Number.MAX_SAFE_INTEGER;
    };
    const nodes = [...directory.nodes()].sort((one, other) => busy(one) - busy(other));
    return [...nodes, ...directory.entrances()];
  }

  #send<Request, Response>(
    lane: BrokerLane,
    api: Api<Request, Response>,
    request: Request,
    options: CallOptions,
  ): BrokerCall<Request, Response> {
    const timeoutMs = options.timeoutMs ?? this.#options.config.requestTimeoutMs;
    const call = new BrokerCall(api, request, { ...options, timeoutMs });
    lane.send(call as unknown as AnyCall);
    return call;
  }

  #lane(address: BrokerAddress): BrokerLane {
    const key = laneKey(address);
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    this.#forgetGone();
    const { clientId, config, dial, directory, onTrouble } = this.#options;
    const { node } = address;
    const lane = new BrokerLane({
      clientId,
      config,
      dial,
      address: () => (node === undefined ? address : directory.find(node)),
      onConnected: (versions) => {
        if (node !== undefined) directory.learnVersions(node, versions);
      },
      onTrouble,
    });
    this.#lanes.set(key, lane);
    return lane;
  }

  /** I5: brokers come and go, and their lanes with them. */
  #forgetGone(): void {
    for (const [key, lane] of this.#lanes) {
      const isGone = typeof key === "number" && this.#options.directory.find(key) === undefined;
      if (!isGone || lane.inFlightCount > 0) continue;
      lane.close();
      this.#lanes.delete(key);
    }
  }
}

function laneKey(address: BrokerAddress): number | string {
  return address.node ?? hostPort(address);
}
