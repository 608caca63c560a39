/** A transport that is opened by its first call: for clients whose config leads to another cluster or user. */
import { unlessAborted } from "../../base/deadline.ts";
import type {
  CallOptions,
  CallTarget,
  ClusterMap,
  Connections,
  ConnectionsOptions,
  CoordinatorKey,
  TopicPlaces,
  Transport,
} from "../calls.ts";
import type { Api } from "../protocol/api.ts";
import { closed } from "./broker-lane.ts";

export class LaterTransport implements Transport {
  readonly map: ClusterMap;
  readonly #open: (signal: AbortSignal) => Promise<Transport>;
  #opening: Promise<Transport> | undefined;
  #opened: Transport | undefined;
  readonly #closing = new AbortController();

  /** A try that failed is repeated by the next call; `close` aborts one that is under way. */
  constructor(open: (signal: AbortSignal) => Promise<Transport>) {
    this.#open = open;
    this.map = new LaterMap(this);
  }

  get clusterId(): string {
    return this.#opened?.clusterId ?? "";
  }

  get opened(): Transport | undefined {
    return this.#opened;
  }

  connections(options: ConnectionsOptions): Connections {
    return new LaterConnections(this, options);
  }

  transport(): Promise<Transport> {
    this.#opening ??= this.#openOnce().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    this.#closing.abort(closed());
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.close();
  }

  async #openOnce(): Promise<Transport> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    const opened = await this.#open(signal);
    this.#opened = opened;
    if (signal.aborted) await opened.close();
    return opened;
  }
}

class LaterMap implements ClusterMap {
  readonly #owner: LaterTransport;

  constructor(owner: LaterTransport) {
    this.#owner = owner;
  }

  topic(name: string): TopicPlaces | undefined {
    return this.#owner.opened?.map.topic(name);
  }

  topicError(name: string): number | undefined {
    return this.#owner.opened?.map.topicError(name);
  }

  async refresh(topics: readonly string[], options?: { create?: boolean }): Promise<void> {
    const { map } = await this.#owner.transport();
    await map.refresh(topics, options);
  }

  async topicNames(): Promise<readonly string[]> {
    const { map } = await this.#owner.transport();
    return map.topicNames();
  }

  async coordinator(of: CoordinatorKey): Promise<number> {
    const { map } = await this.#owner.transport();
    return map.coordinator(of);
  }

  forgetCoordinator(of: CoordinatorKey): void {
    this.#owner.opened?.map.forgetCoordinator(of);
  }
}

class LaterConnections implements Connections {
  readonly #owner: LaterTransport;
  readonly #options: ConnectionsOptions;
  #connections: Connections | undefined;
  #isClosed = false;

  constructor(owner: LaterTransport, options: ConnectionsOptions) {
    this.#owner = owner;
    this.#options = options;
  }

  async call<Request, Response>(
    to: CallTarget,
    api: Api<Request, Response>,
    request: Request,
    options?: CallOptions,
  ): Promise<Response> {
    const opening = this.#owner.transport();
    const { signal } = options ?? {};
    const transport = await (signal === undefined ? opening : unlessAborted(opening, signal));
    this.#connections ??= transport.connections(this.#options);
    if (this.#isClosed) await this.#connections.close();
    return this.#connections.call(to, api, request, options);
  }

  versionOf(node: number, api: Api<never, unknown>): number | undefined {
    return this.#connections?.versionOf(node, api);
  }

  addressOf(node: number): string {
    return this.#connections?.addressOf(node) ?? String(node);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connections?.close();
  }
}
