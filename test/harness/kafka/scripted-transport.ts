/**
 * Connections without sockets: a test says what each broker answers. Requests and answers stay
 * objects; a request is still written once, so that a codec which cannot write it shows.
 *
 * As real connections do, those of one role to one node are served strictly in order, and a time-out
 * or a cut fails everything that is in flight on them.
 */
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { RetriableError } from "../../../src/base/error.ts";
import type {
  CallOptions,
  CallTarget,
  ClusterMap,
  Connections,
  ConnectionsOptions,
  CoordinatorKey,
  TopicPlaces,
  Transport,
} from "../../../src/kafka/calls.ts";
import type { Api } from "../../../src/kafka/protocol/api.ts";
import { WireWriter } from "../../../src/kafka/protocol/wire-writer.ts";

/** One request that a client made. */
export interface ScriptedCall<Request = unknown, Response = unknown> {
  readonly clientId: string;
  /** "any" and "controller" are the first node. */
  readonly node: number;
  readonly apiKey: number;
  readonly apiName: string;
  readonly version: number;
  readonly request: Request;
  readonly timeoutMs: number | undefined;
  /** Of the call's options. */
  readonly memory: CallOptions["memory"];
  /** Neither answered nor failed; `answer` and `fail` do nothing afterwards. */
  readonly isOpen: boolean;
  answer(response: Response): void;
  fail(error: Error): void;
}

/**
 * What a broker does with a request: the answer, or `undefined` to leave it open (the test, or a cut,
 * ends it). What it throws fails the call. A promise holds up what comes after it on the connection.
 */
export type Script<Request, Response> = (
  request: Request,
  call: ScriptedCall<Request, Response>,
) => Response | undefined | Promise<Response | undefined>;

type AnyApi = Api<never, unknown>;

export interface ScriptedTransportOptions {
  /** The leader of each partition, by topic. */
  readonly topics?: Readonly<Record<string, readonly number[]>>;
  /** Default: [1]. */
  readonly nodes?: readonly number[];
  /** The highest version that the brokers know, by the API's number. */
  readonly versions?: Readonly<Record<number, number>>;
  /** Whether asking for a topic makes it, with so many partitions. Default: it does not. */
  readonly autoCreatePartitions?: number;
  /** Of `toldMs`. Default: the machine's. */
  readonly clock?: Clock;
}

export class ScriptedTransport implements Transport {
  readonly clusterId = "scripted";
  readonly map: ScriptedMap;
  readonly nodes: readonly number[];
  /** Every call so far, in order. */
  readonly calls: ScriptedCall[] = [];
  readonly #scripts = new Map<number, Script<unknown, unknown>>();
  readonly #options: ScriptedTransportOptions;
  readonly #open = new Set<ScriptedConnections>();

  constructor(options: ScriptedTransportOptions = {}) {
    this.#options = options;
    this.nodes = options.nodes ?? [1];
    this.map = new ScriptedMap(options, this.nodes);
  }

  /** What the brokers answer to this API from now on; without a script a call stays open. */
  on<Request, Response>(api: Api<Request, Response>, script: Script<Request, Response>): void {
    this.#scripts.set(api.key, script as Script<unknown, unknown>);
  }

  /** The calls of one API so far, in order. */
  callsOf<Request, Response>(api: Api<Request, Response>): ScriptedCall<Request, Response>[] {
    const found = this.calls.filter((call) => call.apiKey === api.key);
    return found as unknown as ScriptedCall<Request, Response>[];
  }

  /** Cuts the connections to a node: what is in flight there fails, and may have been done or not. */
  disconnect(node: number): void {
    for (const each of this.#open) each.fail(node, lostError(node, "the connection was cut"));
  }

  /** The same, as it comes out when the node does not answer in time. */
  timeOut(node: number): void {
    for (const each of this.#open) each.fail(node, lostError(node, "no answer in time"));
  }

  connections(options: ConnectionsOptions): ScriptedConnections {
    const made = new ScriptedConnections(options, this, () => this.#open.delete(made));
    this.#open.add(made);
    return made;
  }

  script(apiKey: number): Script<unknown, unknown> | undefined {
    return this.#scripts.get(apiKey);
  }

  versionOf(api: AnyApi): number {
    return Math.min(api.versions.max, this.#options.versions?.[api.key] ?? api.versions.max);
  }

  async close(): Promise<void> {
    for (const each of this.#open) await each.close();
  }
}

/** What `Transport.connections` gives; made by the transport. */
export class ScriptedConnections implements Connections {
  readonly options: ConnectionsOptions;
  isClosed = false;
  readonly #transport: ScriptedTransport;
  readonly #onClose: () => void;
  readonly #lines = new Map<number, { tail: Promise<void>; open: Set<OpenCall> }>();

  constructor(options: ConnectionsOptions, transport: ScriptedTransport, onClose: () => void) {
    this.options = options;
    this.#transport = transport;
    this.#onClose = onClose;
  }

  call<Request, Response>(
    to: CallTarget,
    api: Api<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const node = to.at === "node" ? to.node : (this.#transport.nodes[0] ?? 1);
    if (this.isClosed) return Promise.reject(lostError(node, "the connections are closed"));
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const version = this.#transport.versionOf(api);
    api.write(new WireWriter(), request, version);
    const call = new OpenCall({
      clientId: this.options.clientId,
      node,
      apiKey: api.key,
      apiName: api.name,
      version,
      request,
      timeoutMs: options.timeoutMs,
      memory: options.memory,
    });
    this.#transport.calls.push(call);
    const stop = () => call.fail(options.signal?.reason as Error);
    options.signal?.addEventListener("abort", stop, { once: true });
    const line = this.#line(node);
    line.open.add(call);
    void call.ended.then(() => {
      line.open.delete(call);
      options.signal?.removeEventListener("abort", stop);
    });
    line.tail = line.tail.then(() => this.#serve(call));
    if (options.isAnswered === false) call.answer(undefined);
    return call.result as Promise<Response>;
  }

  versionOf(_node: number, api: AnyApi): number | undefined {
    return this.#transport.versionOf(api);
  }

  addressOf(node: number): string {
    return `broker-${node}:9092`;
  }

  /** Fails what is in flight to a node. */
  fail(node: number, error: Error): void {
    for (const call of this.#line(node).open) call.fail(error);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#onClose();
    for (const node of this.#lines.keys()) {
      this.fail(node, lostError(node, "the connections are closed"));
    }
  }

  #line(node: number): { tail: Promise<void>; open: Set<OpenCall> } {
    let line = this.#lines.get(node);
    if (line === undefined) {
      line = { tail: Promise.resolve(), open: new Set() };
      this.#lines.set(node, line);
    }
    return line;
  }

  /** A request that was cut off before the broker came to it never reached the broker. */
  async #serve(call: OpenCall): Promise<void> {
    const script = this.#transport.script(call.apiKey);
    if (script === undefined || (!call.isOpen && !call.isUnanswered)) return;
    try {
      const served = Promise.resolve(script(call.request, call));
      const response = await Promise.race([served, call.ended]);
      if (response !== undefined) call.answer(response);
    } catch (error) {
      call.fail(error as Error);
    }
  }
}

type CallFacts = Omit<ScriptedCall, "isOpen" | "answer" | "fail">;

class OpenCall implements ScriptedCall {
  readonly clientId: string;
  readonly node: number;
  readonly apiKey: number;
  readonly apiName: string;
  readonly version: number;
  readonly request: unknown;
  readonly timeoutMs: number | undefined;
  readonly memory: CallOptions["memory"];
  readonly result: Promise<unknown>;
  /** Resolves, with nothing, when the call was answered or failed. */
  readonly ended: Promise<undefined>;
  isOpen = true;
  /** It was answered with nothing, as Produce with acks=0: the broker does it all the same. */
  isUnanswered = false;
  #resolve!: (response: unknown) => void;
  #reject!: (error: Error) => void;

  constructor(facts: CallFacts) {
    this.clientId = facts.clientId;
    this.node = facts.node;
    this.apiKey = facts.apiKey;
    this.apiName = facts.apiName;
    this.version = facts.version;
    this.request = facts.request;
    this.timeoutMs = facts.timeoutMs;
    this.memory = facts.memory;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const nothing = () => undefined;
    this.ended = this.result.then(nothing, nothing);
  }

  answer(response: unknown): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.isUnanswered = response === undefined;
    this.#resolve(response);
  }

  fail(error: Error): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#reject(error);
  }
}

/** The map of a scripted cluster: what is true, and what clients were told of it. */
export class ScriptedMap implements ClusterMap {
  /** What is true; clients see it after their next refresh. */
  readonly leaders = new Map<string, number[]>();
  /** Topics that may not be seen or do not exist for another reason than being missing. */
  readonly errors = new Map<string, number>();
  readonly coordinators = new Map<string, number>();
  /** Every refresh so far. */
  readonly refreshes: { topics: readonly string[]; create: boolean }[] = [];
  /** Fails refreshes from now on. */
  failure: Error | undefined;
  /** No broker answers from now on. */
  isSilent = false;
  readonly #told = new Map<string, TopicPlaces>();
  readonly #toldErrors = new Map<string, number>();
  readonly #forgotten: CoordinatorKey[] = [];
  readonly #nodes: readonly number[];
  readonly #autoCreatePartitions: number | undefined;
  readonly #clock: Clock;

  constructor(options: ScriptedTransportOptions, nodes: readonly number[]) {
    this.#nodes = nodes;
    this.#autoCreatePartitions = options.autoCreatePartitions;
    this.#clock = options.clock ?? systemClock;
    for (const [name, leaders] of Object.entries(options.topics ?? {})) {
      this.leaders.set(name, [...leaders]);
    }
  }

  /** Moves a partition, or takes its leader away (-1); clients hear of it at their next refresh. */
  setLeader(topic: string, partition: number, node: number): void {
    const leaders = this.leaders.get(topic) ?? [];
    leaders[partition] = node;
    this.leaders.set(topic, leaders);
  }

  topic(name: string): TopicPlaces | undefined {
    return this.#told.get(name);
  }

  topicError(name: string): number | undefined {
    return this.#toldErrors.get(name);
  }

  async refresh(topics: readonly string[], options: { create?: boolean } = {}): Promise<void> {
    this.refreshes.push({ topics, create: options.create ?? false });
    await this.#answered();
    if (this.failure !== undefined) throw this.failure;
    for (const name of topics) this.#tell(name, options.create ?? false);
  }

  async topicNames(): Promise<readonly string[]> {
    return [...this.leaders.keys()];
  }

  async coordinator(of: CoordinatorKey): Promise<number> {
    if (this.isSilent) await this.#answered();
    return this.coordinators.get(`${of.kind} ${of.id}`) ?? this.#nodes[0] ?? 1;
  }

  forgetCoordinator(of: CoordinatorKey): void {
    this.#forgotten.push(of);
  }

  /** What was forgotten so far. */
  get forgotten(): readonly CoordinatorKey[] {
    return this.#forgotten;
  }

  async #answered(): Promise<void> {
    if (this.isSilent) await new Promise(() => {});
    await new Promise(setImmediate);
  }

  #tell(name: string, create: boolean): void {
    const count = this.#autoCreatePartitions;
    const isMade = create && count !== undefined && !this.leaders.has(name);
    if (isMade && !this.errors.has(name)) {
      this.leaders.set(
        name,
        Array.from({ length: count }, (_, n) => this.#nodes[n % this.#nodes.length] ?? 1),
      );
    }
    const leaders = this.leaders.get(name);
    const error = this.errors.get(name) ?? (leaders === undefined ? 3 : 0);
    this.#toldErrors.set(name, error);
    if (error !== 0 || leaders === undefined) {
      this.#told.delete(name);
      return;
    }
    this.#told.set(name, {
      name,
      leaders: [...leaders],
      leaderEpochs: leaders.map(() => 0),
      isInternal: false,
      toldMs: this.#clock.elapsedMs(),
    });
  }
}

/** What a lost connection gives: the broker may or may not have done it. */
export function lostError(node: number, why: string): RetriableError {
  return new RetriableError("kafka.disconnected", `cannot reach broker-${node}:9092: ${why}`);
}
