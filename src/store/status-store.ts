import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { errorLine, RetriableError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import { levelOfDelay } from "../observe/log-level.ts";
import type { Logger } from "../observe/logger.ts";
import type { ConnectorName, TaskId } from "../state/id.ts";
import type {
  ConnectorState,
  ConnectorStatus,
  InstanceStatus,
  TaskStatus,
} from "../state/status.ts";
import { encodeText } from "./java-json.ts";
import {
  decodeStatus,
  decodeStatusKey,
  decodeTopicKey,
  decodeTopicUse,
  encodeStatus,
  encodeTopicUse,
  type StatusOwner,
  statusKey,
  type TopicUse,
  topicKey,
} from "./status-codec.ts";
import type { OpenLog, RecordLog, StatusStore } from "./store.ts";

export interface StatusStoreOptions {
  readonly openLog: OpenLog;
  readonly topic: string;
  readonly partitionCount: number;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Something new was read. */
  readonly onChange: () => void;
}

type Status = InstanceStatus<ConnectorState>;
/** What a record says; null takes back what its key stands for. */
type Word = Status | TopicUse | null;

/** How often a failed write is repeated while others wait for it (I5). */
const triesMax = 20;
/** After that, and after what does not pass by itself (a full disk), nobody waits: it is tried again. */
const laterMs = 5_000;

/** Resolves when the topic was read to its end. */
export async function openStatusStore(options: StatusStoreOptions): Promise<StatusStore> {
  const store = new TopicStatusStore(options);
  await store.open(options);
  return store;
}

class TopicStatusStore implements StatusStore {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #scope = new Scope();
  /** What was read: the tasks of a connector by number; -1 is the connector itself. */
  readonly #read = new Map<ConnectorName, Map<number, Status>>();
  /** Topics in use, as read. */
  readonly #topics = new Map<ConnectorName, Set<string>>();
  /** What is to be written, the newest of each key (I5: one entry per instance and topic). */
  #unwritten = new Map<string, Word>();
  /** What was put and not read back yet: only to tell what need not be written again. */
  readonly #unread = new Map<string, Word>();
  /** What could not be written; a newer word under the same key takes its place. */
  readonly #late = new Map<string, Word>();
  #isLate = false;
  #writing: Promise<void> | undefined;
  #log!: RecordLog;

  constructor({ logger, clock, onChange }: StatusStoreOptions) {
    this.#logger = logger;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  async open({ openLog, topic, partitionCount }: StatusStoreOptions): Promise<void> {
    this.#log = await openLog({
      topic,
      partitionCount,
      onRecord: (key, value) => this.#take(key, value),
    });
    await this.#log.readToEnd();
  }

  connector(name: ConnectorName): ConnectorStatus | undefined {
    return this.#read.get(name)?.get(-1);
  }

  task({ connector, task }: TaskId): TaskStatus | undefined {
    const status = task < 0 ? undefined : this.#read.get(connector)?.get(task);
    return status as TaskStatus | undefined;
  }

  tasks(name: ConnectorName): { task: number; status: TaskStatus }[] {
    return [...(this.#read.get(name) ?? [])]
      .filter(([task]) => task >= 0)
      .sort(([a], [b]) => a - b)
      .map(([task, status]) => ({ task, status: status as TaskStatus }));
  }

  connectors(): ConnectorName[] {
    return [...new Set([...this.#read.keys(), ...this.#topics.keys()])];
  }

  topics(name: ConnectorName): string[] {
    return [...(this.#topics.get(name) ?? [])].sort();
  }

  /** Called for each batch: what is known costs two look-ups. */
  useTopic({ connector, task }: TaskId, topic: string): void {
    if (this.#topics.get(connector)?.has(topic)) return;
    const key = topicKey({ topic, connector });
    // On its way already, or waiting until the log takes it.
    if (this.#unread.get(key) || this.#late.get(key)) return;
    this.#send(key, { topic, connector, task, discoveredMs: this.#clock.nowMs() });
  }

  forgetTopics(connector: ConnectorName): void {
    const keys = new Set<string>();
    for (const topic of this.#topics.get(connector) ?? []) keys.add(topicKey({ topic, connector }));
    for (const [key, word] of [...this.#unread, ...this.#late]) {
      if (word !== null && "topic" in word && word.connector === connector) keys.add(key);
    }
    for (const key of keys) if (this.#unread.get(key) !== null) this.#send(key, null);
  }

  putConnector: StatusStore["putConnector"] = (connector, status, options) =>
    this.#put({ connector }, status, options?.safe ?? false);

  putTask: StatusStore["putTask"] = ({ connector, task }, status, options) =>
    this.#put({ connector, task }, status, options?.safe ?? false);

  removeConnector(connector: ConnectorName): void {
    this.#remove({ connector });
    this.forgetTopics(connector);
  }

  removeTask({ connector, task }: TaskId): void {
    this.#remove({ connector, task });
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#log.readToEnd();
  }

  async close(): Promise<void> {
    await this.#scope.close();
    await this.#log.close();
  }

  #put(owner: StatusOwner, status: Status, safe: boolean): void {
    if (safe && this.#isOfLaterOwner(owner, status)) return;
    this.#send(statusKey(owner), status);
  }

  /** Written once: asking again before it was read back changes nothing. */
  #remove(owner: StatusOwner): void {
    if (this.#known(owner) !== null) this.#send(statusKey(owner), null);
  }

  #isOfLaterOwner(owner: StatusOwner, { workerId, generation }: Status): boolean {
    const known = this.#known(owner);
    return known !== null && known.workerId !== workerId && known.generation > generation;
  }

  #known(owner: StatusOwner): Status | null {
    const unread = this.#unread.get(statusKey(owner)) as Status | null | undefined;
    if (unread !== undefined) return unread;
    return this.#read.get(owner.connector)?.get(owner.task ?? -1) ?? null;
  }

  #send(key: string, word: Word): void {
    // Deleted first, so that the order of the map is the order of the last puts.
    this.#unwritten.delete(key);
    this.#unwritten.set(key, word);
    this.#late.delete(key);
    this.#unread.set(key, word);
    if (this.#writing !== undefined || this.#scope.signal.aborted) return;
    const writing = this.#write(this.#scope.signal);
    this.#writing = writing;
    this.#scope.spawn(
      () => writing,
      (error) => this.#logger.error(`statuses are no longer written: ${errorLine(error)}`),
    );
  }

  /** Writes until there is nothing left; a status put while one is sent goes with the next round. */
  async #write(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: 100, maxMs: 5_000 });
    while (this.#unwritten.size > 0 && !signal.aborted) {
      const round = this.#unwritten;
      this.#unwritten = new Map();
      try {
        await this.#log.appendAll(
          [...round].map(([key, word]) => ({ key: encodeText(key), value: encoded(word) })),
        );
        backoff.reset();
      } catch (error) {
        if (!(error instanceof RetriableError) || backoff.tries >= triesMax) {
          this.#writeLater(round, error);
          continue;
        }
        this.#unwritten = new Map([...round, ...this.#unwritten]);
        const delayMs = backoff.nextDelayMs();
        const text = `cannot write statuses, trying again: ${errorLine(error)}`;
        this.#logger[levelOfDelay(delayMs)]({ delayMs }, text);
        await this.#clock.sleep(delayMs, signal);
      }
    }
    // In the same turn as the last look at the map: nothing can be put in between and stay there.
    this.#writing = undefined;
  }

  #writeLater(round: ReadonlyMap<string, Word>, error: unknown): void {
    this.#logger.error(
      { keys: [...round.keys()] },
      `cannot write statuses, trying again in ${laterMs} ms: ${errorLine(error)}`,
    );
    for (const [key, word] of round) {
      if (this.#unwritten.has(key)) continue;
      this.#unread.delete(key);
      this.#late.set(key, word);
    }
    if (this.#isLate) return;
    this.#isLate = true;
    this.#scope.spawn(
      async (signal) => {
        await this.#clock.sleep(laterMs, signal);
        this.#isLate = false;
        if (!signal.aborted) for (const [key, word] of this.#late) this.#send(key, word);
      },
      (late) => this.#logger.error(`statuses are no longer written: ${errorLine(late)}`),
    );
  }

  #take(key: Uint8Array | null, value: Uint8Array | null): void {
    const owner = decodeStatusKey(key);
    if (owner === undefined) {
      this.#takeTopic(decodeTopicKey(key), value);
      return;
    }
    const task = owner.task ?? -1;
    if (!this.#unwritten.has(statusKey(owner))) this.#unread.delete(statusKey(owner));
    const status = value === null ? null : decodeStatus(value);
    if (status === undefined) {
      this.#logger.warn({ key: statusKey(owner) }, "status record ignored: it cannot be read");
      return;
    }
    // Another worker has spoken: what this one could not say then is no longer so.
    const late = this.#late.get(statusKey(owner)) as Status | null | undefined;
    if (late && status && late.workerId !== status.workerId) this.#late.delete(statusKey(owner));
    const statuses = this.#read.get(owner.connector) ?? new Map<number, Status>();
    const before = statuses.get(task);
    if (status === null) statuses.delete(task);
    else if (!isOvertaken(owner, status, before)) statuses.set(task, status);
    if (statuses.size > 0) this.#read.set(owner.connector, statuses);
    else this.#read.delete(owner.connector);
    this.#onChange();
  }

  #takeTopic(
    use: Pick<TopicUse, "topic" | "connector"> | undefined,
    value: Uint8Array | null,
  ): void {
    if (use === undefined) return;
    const key = topicKey(use);
    if (!this.#unwritten.has(key)) this.#unread.delete(key);
    if (value !== null && decodeTopicUse(value) === undefined) {
      this.#logger.warn({ key }, "topic status ignored: it cannot be read");
      return;
    }
    const topics = this.#topics.get(use.connector) ?? new Set<string>();
    if (value === null) topics.delete(use.topic);
    else topics.add(use.topic);
    if (topics.size > 0) this.#topics.set(use.connector, topics);
    else this.#topics.delete(use.connector);
    this.#onChange();
  }
}

function encoded(word: Word): Uint8Array | null {
  if (word === null) return null;
  return "topic" in word ? encodeTopicUse(word) : encodeStatus(word);
}

/** The last words of a task's former worker must not hide that it runs elsewhere by now. */
function isOvertaken(owner: StatusOwner, status: Status, before: Status | undefined): boolean {
  return (
    owner.task !== undefined &&
    status.state === "UNASSIGNED" &&
    before?.state === "RUNNING" &&
    before.workerId !== status.workerId &&
    before.generation >= status.generation
  );
}
