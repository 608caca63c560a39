import { Backoff } from "../../base/backoff.ts";
import { systemClock } from "../../base/clock.ts";
import { RetriableError } from "../../base/error.ts";
import { type BrokerVersions, versionsUnsupported } from "../protocol/api-versions.ts";
import { type BrokerAddress, brokerName, hostPort } from "./broker-address.ts";
import type { AnyCall } from "./broker-call.ts";
import { BrokerConnection, type Dialled } from "./broker-connection.ts";
import type { ConnectionConfig } from "./client-config.ts";
import { missingApis } from "./required-apis.ts";

/**
 * Connects and logs in.
 * @throws RetriableError `kafka.disconnected`; TaskError `kafka.authentication_failed`,
 *   `kafka.version_unsupported`; the signal's reason
 */
export type Dial = (options: DialOptions) => Promise<Dialled>;

export interface DialOptions {
  readonly address: BrokerAddress;
  readonly clientId: string;
  readonly setupTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly signal: AbortSignal;
}

export interface BrokerLaneOptions {
  readonly clientId: string;
  readonly config: ConnectionConfig;
  readonly dial: Dial;
  /** Where the broker listens now; undefined when it is gone. */
  readonly address: () => BrokerAddress | undefined;
  readonly onConnected: (versions: BrokerVersions) => void;
  /** The broker may have moved. */
  readonly onTrouble: () => void;
}

type State =
  | { readonly at: "idle" }
  | { readonly at: "connecting"; readonly waiting: AnyCall[]; readonly abort: AbortController }
  | { readonly at: "ready"; readonly connection: BrokerConnection }
  | { readonly at: "closed" };

/**
 * The way of one role to one broker: one connection at a time, made when a call needs it. Calls that
 * come while it is being made wait for the same one, and leave in the order in which they came.
 */
export class BrokerLane {
  readonly #options: BrokerLaneOptions;
  readonly #backoff: Backoff;
  readonly #setupMs: Backoff;
  #nextTryMs = 0;
  #state: State = { at: "idle" };

  constructor(options: BrokerLaneOptions) {
    const { config } = options;
    this.#options = options;
    this.#backoff = new Backoff({
      firstMs: config.reconnectBackoffMs,
      maxMs: Math.max(config.reconnectBackoffMs, config.reconnectBackoffMsMax),
    });
    this.#setupMs = new Backoff({
      firstMs: config.setupTimeoutMs,
      maxMs: Math.max(config.setupTimeoutMs, config.setupTimeoutMsMax),
      jitter: 0,
    });
  }

  get isReady(): boolean {
    return this.#state.at === "ready" && this.#state.connection.isOpen;
  }

  get inFlightCount(): number {
    const state = this.#state;
    if (state.at === "ready") return state.connection.inFlightCount;
    return state.at === "connecting" ? state.waiting.length : 0;
  }

  /** The call gets an outcome from here on. */
  send(call: AnyCall): void {
    const state = this.#state;
    if (state.at === "connecting") {
      state.waiting.push(call);
    } else if (state.at === "closed") {
      call.fail(closed());
    } else if (state.at === "ready" && this.#isUsable(state.connection)) {
      state.connection.send(call);
    } else {
      const connecting: State = { at: "connecting", waiting: [call], abort: new AbortController() };
      this.#state = connecting;
      void this.#connect(connecting.waiting, connecting.abort.signal);
    }
  }

  /** Fails what is in flight. */
  close(): void {
    const state = this.#state;
    this.#state = { at: "closed" };
    if (state.at === "ready") state.connection.end(closed());
    if (state.at !== "connecting") return;
    state.abort.abort(closed());
    for (const call of state.waiting.splice(0)) call.fail(closed());
  }

  /** Ends a connection that has outlived its use. */
  #isUsable(connection: BrokerConnection): boolean {
    const why = this.#isOutlived(connection);
    if (why === undefined) return connection.isOpen;
    // Before it ends: our own decision is no trouble.
    this.#state = { at: "idle" };
    connection.end(new RetriableError("kafka.disconnected", why));
    return false;
  }

  #isOutlived(connection: BrokerConnection): string | undefined {
    const { address, config } = this.#options;
    const there = address();
    const { host, port } = connection.address;
    if (there !== undefined && (there.host !== host || there.port !== port)) {
      return `${brokerName(connection.address)} has moved to ${hostPort(there)}`;
    }
    // Just before the broker itself would hang up, perhaps on the next request.
    const isIdle = config.idleMsMax >= 0 && connection.idleMs(performance.now()) > config.idleMsMax;
    return isIdle ? "the connection was idle" : undefined;
  }

  async #connect(waiting: AnyCall[], signal: AbortSignal): Promise<void> {
    const waitMs = this.#nextTryMs - performance.now();
    if (waitMs > 0) await systemClock.sleep(waitMs, signal);
    if (signal.aborted) return;
    try {
      const connection = await this.#dial(signal);
      if (signal.aborted) {
        connection.end(closed());
        return;
      }
      this.#backoff.reset();
      this.#setupMs.reset();
      this.#nextTryMs = 0;
      this.#state = { at: "ready", connection };
      for (const call of waiting) connection.send(call);
    } catch (error) {
      if (signal.aborted) return;
      this.#nextTryMs = performance.now() + this.#backoff.nextDelayMs();
      this.#state = { at: "idle" };
      this.#options.onTrouble();
      for (const call of waiting) call.fail(error);
    }
  }

  async #dial(signal: AbortSignal): Promise<BrokerConnection> {
    const { clientId, config, dial } = this.#options;
    const address = this.#options.address();
    if (address === undefined) {
      const text = "cannot connect to a broker: it is no longer one of the cluster's";
      throw new RetriableError("kafka.disconnected", text);
    }
    const { requestTimeoutMs } = config;
    const setupTimeoutMs = this.#setupMs.nextDelayMs();
    const dialled = await dial({ address, clientId, setupTimeoutMs, requestTimeoutMs, signal });
    const missing = missingApis(dialled.versions);
    if (missing.length > 0) {
      dialled.socket.destroy();
      throw versionsUnsupported(brokerName(address), missing, dialled.versions);
    }
    this.#options.onConnected(dialled.versions);
    const connection: BrokerConnection = new BrokerConnection(dialled, {
      address,
      clientId,
      requestTimeoutMs,
      onEnd: () => this.#ended(connection),
    });
    return connection;
  }

  #ended(connection: BrokerConnection): void {
    if (this.#state.at !== "ready" || this.#state.connection !== connection) return;
    this.#state = { at: "idle" };
    this.#options.onTrouble();
  }
}

/** What every call on closed connections gets. */
export function closed(): RetriableError {
  return new RetriableError("kafka.closed", "the connections to the cluster were closed");
}
