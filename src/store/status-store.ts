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
  encodeStatus,
  type StatusOwner,
  statusKey,
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
  /** What is to be written, the newest of each key (I5: one entry per instance). */
  #unwritten = new Map<string, Status | null>();
  /** What was put and not read back yet: only to tell what need not be written again. */
  readonly #unread = new Map<string, Status | null>();
  /** What could not be written; a newer status of the same instance takes its place. */
  readonly #late = new Map<string, Status | null>();
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
    return [...this.#read.keys()];
  }

  putConnector: StatusStore["putConnector"] = (connector, status, options) =>
    this.#put({ connector }, status, options?.safe ?? false);

  putTask: StatusStore["putTask"] = ({ connector, task }, status, options) =>
    this.#put({ connector, task }, status, options?.safe ?? false);

  removeConnector(connector: ConnectorName): void {
    this.#remove({ connector });
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
    const unread = this.#unread.get(statusKey(owner));
    if (unread !== undefined) return unread;
    return this.#read.get(owner.connector)?.get(owner.task ?? -1) ?? null;
  }

  #send(key: string, status: Status | null): void {
    // Deleted first, so that the order of the map is the order of the last puts.
    this.#unwritten.delete(key);
    this.#unwritten.set(key, status);
    this.#late.delete(key);
    this.#unread.set(key, status);
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
          [...round].map(([key, status]) => ({
            key: encodeText(key),
            value: status === null ? null : encodeStatus(status),
          })),
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

  #writeLater(round: ReadonlyMap<string, Status | null>, error: unknown): void {
    this.#logger.error(
      { keys: [...round.keys()] },
      `cannot write statuses, trying again in ${laterMs} ms: ${errorLine(error)}`,
    );
    for (const [key, status] of round) {
      if (this.#unwritten.has(key)) continue;
      this.#unread.delete(key);
      this.#late.set(key, status);
    }
    if (this.#isLate) return;
    this.#isLate = true;
    this.#scope.spawn(
      async (signal) => {
        await this.#clock.sleep(laterMs, signal);
        this.#isLate = false;
        if (!signal.aborted) for (const [key, status] of this.#late) this.#send(key, status);
      },
      (late) => this.#logger.error(`statuses are no longer written: ${errorLine(late)}`),
    );
  }

  #take(key: Uint8Array | null, value: Uint8Array | null): void {
    const owner = decodeStatusKey(key);
    if (owner === undefined) return;
    const task = owner.task ?? -1;
    if (!this.#unwritten.has(statusKey(owner))) this.#unread.delete(statusKey(owner));
    const status = value === null ? null : decodeStatus(value);
    if (status === undefined) {
      this.#logger.warn({ key: statusKey(owner) }, "status record ignored: it cannot be read");
      return;
    }
    // Another worker has spoken: what this one could not say then is no longer so.
    const late = this.#late.get(statusKey(owner));
    if (late && status && late.workerId !== status.workerId) this.#late.delete(statusKey(owner));
    const statuses = this.#read.get(owner.connector) ?? new Map<number, Status>();
    const before = statuses.get(task);
    if (status === null) statuses.delete(task);
    else if (!isOvertaken(owner, status, before)) statuses.set(task, status);
    if (statuses.size > 0) this.#read.set(owner.connector, statuses);
    else this.#read.delete(owner.connector);
    this.#onChange();
  }
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
