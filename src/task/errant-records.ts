/**
 * Records that a sink's plugin gave up, alone or within a put: each becomes a dead letter with the
 * bytes that stand in the log, its reporter gets a receipt, and no offset moves past it before. Rules
 * of Connect's WorkerErrantRecordReporter and its operator's executeFailed.
 */
import { type Deferred, deferred } from "../base/deferred.ts";
import type { Converter, HeaderConverter } from "../convert/converter.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import type { Failure, OwnRecord, OwnValue, Run, SinkEvent, SinkOffset } from "../plugin/plugin.ts";
import { type DeadLetter, letterErrorOfPlugin, type RecordPlace } from "./dead-letter.ts";
import type { DeadLetterQueue } from "./dead-letter-queue.ts";
import { isTrue } from "./dead-letter-settings.ts";
import { logFailure } from "./failure-log.ts";
import { type OriginalRecord, OriginalRecords } from "./original-record.ts";
import { consumedText } from "./sink-failures.ts";
import type { TaskParts, TaskSpec } from "./task.ts";
import { failureError, toleranceExceeded, unrecoverable } from "./task-failure.ts";

/** What a task says of a record stands under this name, whatever its class. */
export const putStep = { stage: "TASK_PUT", className: "org.apache.kafka.connect.sink.SinkTask" };

/** The records behind one put: where each stood in the log. */
export interface PutPlaces {
  readonly offsets: Float64Array;
  /** In order; each holds the records before `upTo` that the one before does not. */
  readonly spans: readonly (TopicPartition & { readonly upTo: number })[];
}

interface Report {
  readonly place: RecordPlace | null;
  readonly own: OwnRecord | undefined;
  readonly failure: Failure;
  readonly done: (failure: Failure | undefined) => void;
}

export class ErrantRecords {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  readonly #queue: DeadLetterQueue | undefined;
  readonly #originals: OriginalRecords;
  /** `errors.tolerance`: without it the first report ends the task. */
  readonly tolerant: boolean;
  readonly #fail: (error: unknown) => void;
  readonly #closing = new AbortController();
  /** I5: as many as the contract lets a plugin have unanswered, and what its puts hold. */
  readonly #waiting: Report[] = [];
  #working: Promise<void> | undefined;
  #taken = 0;
  #added = 0;
  readonly #waiters: { readonly upTo: number; readonly told: Deferred<void> }[] = [];

  /** `fail` ends the task. */
  constructor(
    spec: TaskSpec,
    parts: TaskParts,
    queue: DeadLetterQueue | undefined,
    fail: (error: unknown) => void,
  ) {
    this.#spec = spec;
    this.#parts = parts;
    this.#queue = queue;
    this.#originals = new OriginalRecords(spec, parts);
    this.tolerant = spec.connectorConfig["errors.tolerance"]?.trim().toLowerCase() === "all";
    this.#fail = fail;
  }

  /** `answer` takes the receipt, once it is known what became of the report. */
  report(
    event: Extract<SinkEvent, { at: "errant" }>,
    answer: (failure: Failure | undefined) => void,
  ): void {
    const { original, own, failure } = event;
    this.#add({ place: original, own, failure, done: answer });
  }

  /** The records of a put that failed one by one; true when they end the task. */
  takeRuns(runs: readonly Run[], places: PutPlaces): boolean {
    let isFailing = false;
    let index = 0;
    for (const run of runs) {
      const end = index + run.count;
      if (run.outcome !== "failed") {
        index = end;
        continue;
      }
      isFailing = !this.tolerant;
      for (; index < end; index += 1) {
        this.#add({
          place: placeAt(places, index),
          own: undefined,
          failure: run.failure,
          done: () => {},
        });
      }
    }
    return isFailing;
  }

  /**
   * Resolves once every report so far has its letter, and the letters of these partitions are stored.
   * @throws TaskError `task.dead_letter_failed` when a letter of these partitions was not stored
   */
  async settled(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#taken < this.#added) {
      const waiter = { upTo: this.#added, told: deferred<void>() };
      this.#waiters.push(waiter);
      await waiter.told.promise;
    }
    await this.#queue?.settled(partitions);
  }

  forget(partitions: readonly TopicPartition[]): void {
    this.#queue?.forget(partitions);
  }

  /** Ends what reads; the queue is its owner's. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
    await this.#originals.close();
  }

  #add(report: Report): void {
    this.#parts.meter.totalRecordFailures += 1;
    this.#added += 1;
    this.#waiting.push(report);
    this.#working ??= this.#work();
  }

  /** One after the other, so that letters stand in the order of the reports. */
  async #work(): Promise<void> {
    for (;;) {
      const report = this.#waiting.shift();
      if (report === undefined) break;
      try {
        await this.#take(report);
      } catch (error) {
        this.#fail(unrecoverable(error));
      }
      this.#taken += 1;
      while ((this.#waiters[0]?.upTo ?? Number.POSITIVE_INFINITY) <= this.#taken) {
        this.#waiters.shift()?.told.resolve();
      }
    }
    this.#working = undefined;
  }

  async #take(report: Report): Promise<void> {
    const { failure, done } = report;
    const letter = await this.#letterOf(report);
    // The task has ended while its record was looked for: it comes again, and so does its letter.
    if (letter === undefined) return;
    const record = { logText: () => consumedText(letter.original, letter.timestampMs, 1) };
    logFailure(this.#spec, this.#parts, putStep, record, failureError(failure));
    const queue = this.#queue;
    if (queue !== undefined) {
      await queue.room(this.#closing.signal);
      queue.write(letter, (error) => done(error && receiptFailure(error)));
    }
    if (this.tolerant) {
      if (queue === undefined) done(undefined);
      return;
    }
    // The letter comes first: with it the record can be found when the task is dead.
    await queue?.settled().catch(() => {});
    this.#parts.meter.totalRecordErrors += 1;
    this.#fail(unrecoverable(toleranceExceeded(failureError(failure))));
  }

  async #letterOf({ place, own, failure }: Report): Promise<DeadLetter | undefined> {
    const step = { ...putStep, original: place ?? ownPlace(own) };
    const record = own === undefined ? await this.#original(place) : this.#converted(own);
    if (record === undefined) return undefined;
    return { ...step, ...record, error: letterErrorOfPlugin(failure, step) };
  }

  /** Undefined when the task ends before it is found. */
  async #original(place: RecordPlace | null): Promise<OriginalRecord | undefined> {
    // Nobody reads it where nobody writes letters or names records in the log.
    if (place === null || !this.#needsRecord) return lostRecord;
    const found = await this.#originals.find(place, this.#closing.signal);
    if (found !== null) return found;
    if (this.#closing.signal.aborted) return undefined;
    this.#parts.logger.warn(
      { topic: place.topic, partition: place.partition, offset: place.offset },
      "the task reported a record that the log does not have any more: its dead letter has no bytes",
    );
    return lostRecord;
  }

  get #needsRecord(): boolean {
    const { connectorConfig: config } = this.#spec;
    return this.#queue !== undefined || isTrue(config["errors.log.include.messages"]);
  }

  /** A record that the task made itself goes through the task's converters, as in Connect. */
  #converted(own: OwnRecord): OriginalRecord {
    const { keyConverter, valueConverter, headerConverter } = this.#parts;
    return {
      timestampMs: own.timestampMs,
      key: bytesOf(keyConverter, own.key),
      value: bytesOf(valueConverter, own.value),
      headers: own.headers.map(({ name, value }) => ({
        name: Buffer.from(name, "utf8"),
        value: bytesOf(headerConverter, value),
      })),
    };
  }
}

const lostRecord: OriginalRecord = { timestampMs: -1, key: null, value: null, headers: [] };

function placeAt({ offsets, spans }: PutPlaces, index: number): RecordPlace | null {
  const span = spans.find((one) => index < one.upTo);
  const offset = offsets[index];
  if (span === undefined || offset === undefined) return null;
  return { topic: span.topic, partition: span.partition, offset };
}

/** -1 = the task did not say; Kafka has it nowhere. */
function ownPlace(own: OwnRecord | undefined): SinkOffset | null {
  if (own === undefined) return null;
  return { topic: own.topic, partition: own.partition ?? -1, offset: -1 };
}

function bytesOf(converter: Converter | HeaderConverter, value: OwnValue): Uint8Array | null {
  const plan = converter.sourcePlan(value.form);
  const { lane } = plan;
  if (value.bytes === null) return plan.nullValue();
  if (lane.at === "copy") return value.bytes;
  if (lane.at === "wrap") return Buffer.concat([lane.prefix, value.bytes, lane.suffix]);
  const made = lane.convert(value.bytes, 0, value.bytes.length);
  return made === null ? null : Uint8Array.from(made);
}

function receiptFailure(error: Error): Failure {
  const text = `the dead letter of the record could not be written: ${error.message}`;
  const hint = "see the log of the worker";
  return {
    code: "unavailable",
    class: "fatal",
    text,
    hint,
    exceptionClass: "",
    stack: "",
    causes: [],
  };
}
