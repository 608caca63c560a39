/** The host's end of a sink task's stream. Its rules are in proto/README.md ("Sink"). */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Deferred, deferred } from "../base/deferred.ts";
import type { TaskError } from "../base/error.ts";
import { type Columns, type Form, sizeOf } from "../record/columns.ts";
import { encodePut } from "./columns-encode.ts";
import { Credit } from "./credit.ts";
import { decodeMessage } from "./decode-message.ts";
import { OutgoingDefinitions } from "./definitions.ts";
import {
  failureFromProto,
  failureOrUnnamed,
  ownRecordFromProto,
  putResultFromProto,
  sinkOffsetFromProto,
  sinkPartitionFromProto,
  stageFromProto,
} from "./from-proto.ts";
import {
  CloseReason,
  type ErrantReport,
  type FlushResult as FlushResultMessage,
  HostSinkMessageSchema,
  type PutResult as PutResultMessage,
  type SinkTaskMessage,
  SinkTaskMessageSchema,
} from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { limits } from "./limits.ts";
import type {
  Failure,
  FlushResult,
  PutResult,
  SinkEvent,
  SinkOffset,
  SinkPartition,
  SinkStream,
} from "./plugin.ts";
import { protocolError } from "./protocol-error.ts";
import { TaskStream, type TaskStreamOptions } from "./task-stream.ts";
import { failureToProto, formToProto, sinkOffsetToProto } from "./to-proto.ts";

type HostKind = NonNullable<MessageInitShape<typeof HostSinkMessageSchema>["kind"]>;
type SinkKind = SinkTaskMessage["kind"];

interface OpenPut {
  readonly seq: number;
  readonly count: number;
  readonly result: Deferred<PutResult>;
}

interface OpenFlush {
  readonly seq: number;
  readonly offsets: readonly SinkOffset[];
  readonly result: Deferred<FlushResult>;
}

export class RemoteSink implements SinkStream {
  readonly #stream: TaskStream<SinkEvent>;
  readonly #definitions: OutgoingDefinitions;
  readonly #credit = new Credit();
  readonly #puts: OpenPut[] = [];
  readonly #flushes: OpenFlush[] = [];
  readonly #errants = new Map<number, number>();
  #errantBytes = 0;
  readonly #receipts: { reportId: number; failure: Failure | undefined }[] = [];
  #opened: Deferred<Failure | undefined> | undefined;
  #closed: Deferred<Failure | undefined> | undefined;
  #creditWaiter: Deferred<void> | undefined;
  #putSeq = 0;
  #flushSeq = 0;

  constructor(call: ByteStream, options: TaskStreamOptions) {
    this.#stream = new TaskStream(call, {
      ...options,
      receive: (message) => this.#take(message),
      encodeStop: (timeoutMs) => encode({ case: "stop", value: { timeoutMs: BigInt(timeoutMs) } }),
      onEnd: (error) => this.#end(error),
      onDrain: () => this.#sendReceipts(),
    });
    this.#definitions = new OutgoingDefinitions({
      topic: (id, topic) => this.#send({ case: "topic", value: { id, topic } }),
      name: (id, name) => this.#send({ case: "name", value: { id, name } }),
      form: (id, form) => this.#send({ case: "form", value: formToProto(id, form) }),
    });
  }

  get ended(): Promise<string> {
    return this.#stream.ended;
  }

  get started(): Promise<Failure | undefined> {
    return this.#stream.started;
  }

  get isAsked(): boolean {
    const asked = this.#opened ?? this.#closed ?? this.#puts[0] ?? this.#flushes[0];
    return asked !== undefined && !this.#stream.over;
  }

  topicId(topic: string): number {
    return this.#definitions.topicId(topic);
  }

  formId(form: Form): number {
    return this.#definitions.formId(form);
  }

  nameId(name: string): number {
    return this.#definitions.nameId(name);
  }

  forget(): void {
    this.#definitions.forget();
    this.#send({ case: "forget", value: {} });
  }

  async open(partitions: readonly SinkOffset[]): Promise<Failure | undefined> {
    if (this.#stream.over) throw await this.#stream.gone();
    this.#opened = expectOne(this.#opened, "Open");
    this.#send({ case: "open", value: { partitions: partitions.map(sinkOffsetToProto) } });
    return this.#opened.promise;
  }

  async close(
    partitions: readonly SinkPartition[],
    reason: "revoked" | "lost",
  ): Promise<Failure | undefined> {
    if (this.#stream.over) throw await this.#stream.gone();
    this.#closed = expectOne(this.#closed, "Close");
    const value = {
      partitions: partitions.map(({ topic, partition }) => ({ topic, partition })),
      reason: reason === "revoked" ? CloseReason.REVOKED : CloseReason.LOST,
    };
    this.#send({ case: "close", value });
    return this.#closed.promise;
  }

  rewound(offsets: readonly SinkOffset[]): void {
    this.#send({ case: "rewound", value: { offsets: offsets.map(sinkOffsetToProto) } });
  }

  async room(signal?: AbortSignal): Promise<void> {
    while (!signal?.aborted) {
      if (this.#stream.over) throw await this.#stream.gone();
      // I5: credit bounds what the plugin holds, the outbox what waits here.
      if (this.#credit.open && this.#stream.outbox.hasRoom) return;
      this.#creditWaiter ??= deferred();
      const waiter = this.#creditWaiter;
      const wake = () => waiter.resolve();
      signal?.addEventListener("abort", wake, { once: true });
      const drained = this.#credit.open ? [this.#stream.outbox.drained()] : [];
      await Promise.race([waiter.promise, ...drained]);
      signal?.removeEventListener("abort", wake);
    }
  }

  // Up to its first await an async function runs at once: the message is on its way when it returns.
  async put(columns: Columns, epoch: number): Promise<PutResult> {
    if (this.#stream.over) throw await this.#stream.gone();
    const put = { seq: this.#putSeq + 1, count: columns.count, result: deferred<PutResult>() };
    this.#stream.outbox.send(encodePut(put.seq, epoch, columns));
    this.#putSeq = put.seq;
    this.#credit.spend(Math.max(1, columns.count), sizeOf(columns));
    this.#puts.push(put);
    return put.result.promise;
  }

  async flush(offsets: readonly SinkOffset[]): Promise<FlushResult> {
    if (this.#stream.over) throw await this.#stream.gone();
    this.#flushSeq += 1;
    const flush = { seq: this.#flushSeq, offsets, result: deferred<FlushResult>() };
    this.#flushes.push(flush);
    const value = { flushSeq: BigInt(flush.seq), offsets: offsets.map(sinkOffsetToProto) };
    this.#send({ case: "flush", value });
    return flush.result.promise;
  }

  nextEvent(): Promise<SinkEvent | undefined> {
    return this.#stream.next();
  }

  tryEvent(): SinkEvent | undefined {
    return this.#stream.tryNext();
  }

  errantReceipt(reportId: number, failure: Failure | undefined): void {
    this.#receipts.push({ reportId, failure });
    this.#sendReceipts();
  }

  /** I5: a report counts as unanswered until its receipt does not wait here any more. */
  #sendReceipts(): void {
    while (this.#stream.outbox.hasRoom) {
      const receipt = this.#receipts.shift();
      if (receipt === undefined) return;
      const { reportId, failure } = receipt;
      this.#errantBytes -= this.#errants.get(reportId) ?? 0;
      this.#errants.delete(reportId);
      const value = {
        reportId: BigInt(reportId),
        ...(failure && { failure: failureToProto(failure) }),
      };
      this.#send({ case: "errantReceipt", value });
    }
  }

  stop(timeoutMs: number): Promise<Failure | undefined> {
    return this.#stream.stop(timeoutMs);
  }

  #send(kind: HostKind): void {
    this.#stream.outbox.send(encode(kind));
  }

  #take(message: Buffer): void {
    const { kind } = decodeMessage(SinkTaskMessageSchema, message);
    switch (kind.case) {
      case "credit":
        this.#credit.add(Number(kind.value.records), Number(kind.value.bytes));
        this.#wakeRoom();
        return;
      case "putResult":
        this.#takePutResult(kind.value);
        return;
      case "flushResult":
        this.#takeFlushResult(kind.value);
        return;
      case "opened":
        this.#opened = answer(
          this.#opened,
          kind.value.failure && failureFromProto(kind.value.failure),
        );
        return;
      case "closed":
        this.#closed = answer(
          this.#closed,
          kind.value.failure && failureFromProto(kind.value.failure),
        );
        return;
      case "started":
        this.#stream.takeStarted();
        return;
      case "stopped": {
        const { failure } = kind.value;
        this.#stream.takeStopped(failure && failureFromProto(failure));
        return;
      }
      case "hello":
        throw protocolError("the task's hello came twice");
      default:
        this.#takeEvent(kind);
    }
  }

  /** What the plugin says of its own accord; nothing of it matters once the task ends. */
  #takeEvent(kind: SinkKind): void {
    if (kind.case === "failure") {
      const failure = failureFromProto(kind.value);
      if (this.#stream.takeFailure(failure)) this.#stream.push({ at: "failed", failure });
      return;
    }
    if (!this.#stream.listening) return;
    switch (kind.case) {
      case "requestCommit":
        if (this.#stream.newest?.at !== "request-commit")
          this.#stream.push({ at: "request-commit" });
        return;
      case "rewind": {
        const offsets = kind.value.offsets.map((one) => sinkOffsetFromProto("Rewind", one));
        this.#stream.push({ at: "rewind", offsets, epoch: Number(kind.value.epoch) });
        return;
      }
      case "pause": {
        const partitions = kind.value.partitions.map(sinkPartitionFromProto);
        this.#stream.push({ at: "pause", partitions, epoch: Number(kind.value.epoch) });
        return;
      }
      case "resume": {
        const partitions = kind.value.partitions.map(sinkPartitionFromProto);
        this.#stream.push({ at: "resume", partitions });
        return;
      }
      case "errantReport":
        this.#takeErrant(kind.value);
        return;
      default:
      // A kind of a newer contract that was not agreed on: nothing to do.
    }
  }

  #takePutResult(message: PutResultMessage): void {
    const put = this.#puts[0];
    if (put === undefined || message.putSeq !== BigInt(put.seq)) {
      throw protocolError(
        `a result of put ${message.putSeq} came where put ${put?.seq ?? "none"} was due`,
      );
    }
    const result = putResultFromProto(message, put.count);
    this.#puts.shift();
    put.result.resolve(result);
  }

  #takeFlushResult(message: FlushResultMessage): void {
    const flush = this.#flushes[0];
    if (flush === undefined || message.flushSeq !== BigInt(flush.seq)) {
      throw protocolError(`a result of flush ${message.flushSeq} came where none was due`);
    }
    const epoch = Number(message.epoch);
    const safe = message.safe.map((one) => sinkOffsetFromProto("FlushResult", one));
    // I2: what was not named in the flush may hold records that the plugin has not confirmed.
    for (const offset of safe) checkNamed(offset, flush.offsets);
    this.#flushes.shift();
    flush.result.resolve(
      message.failure === undefined
        ? { at: "safe", offsets: safe, epoch }
        : { at: "failed", failure: failureFromProto(message.failure), epoch },
    );
  }

  /** I5: so many reports may be unanswered, and so large; one always passes. */
  #takeErrant({ reportId, record, stage, failure }: ErrantReport): void {
    const id = Number(reportId);
    const reason = failureOrUnnamed(failure);
    const ownBytes = record.case === "own" ? (record.value.value?.data?.length ?? 0) : 0;
    const bytes = reason.text.length + reason.stack.length + ownBytes + 256;
    if (this.#errants.has(id)) throw protocolError(`errant report ${id} came twice`);
    const full =
      this.#errants.size >= limits.errantReportsMax ||
      (this.#errants.size > 0 && this.#errantBytes + bytes > limits.errantBytesMax);
    if (full) throw protocolError("too many errant reports are unanswered");
    this.#errants.set(id, bytes);
    this.#errantBytes += bytes;
    const original =
      record.case === "original" ? sinkOffsetFromProto("ErrantReport", record.value) : null;
    const own = record.case === "own" ? { own: ownRecordFromProto(record.value) } : {};
    const event = { reportId: id, original, ...own, stage: stageFromProto(stage), failure: reason };
    this.#stream.push({ at: "errant", ...event });
  }

  #wakeRoom(): void {
    this.#creditWaiter?.resolve();
    this.#creditWaiter = undefined;
  }

  #end(error: TaskError): void {
    for (const open of [...this.#puts.splice(0), ...this.#flushes.splice(0)]) {
      open.result.reject(error);
    }
    this.#opened?.reject(error);
    this.#closed?.reject(error);
    this.#wakeRoom();
  }
}

function expectOne(
  open: Deferred<Failure | undefined> | undefined,
  what: string,
): Deferred<Failure | undefined> {
  if (open !== undefined) throw protocolError(`${what} was sent before the last was answered`);
  return deferred();
}

function answer(
  open: Deferred<Failure | undefined> | undefined,
  failure: Failure | undefined,
): undefined {
  if (open === undefined) throw protocolError("Opened or Closed came where none was due");
  open.resolve(failure);
}

function checkNamed(offset: SinkOffset, named: readonly SinkOffset[]): void {
  const { topic, partition } = offset;
  const most = named.find((one) => one.topic === topic && one.partition === partition);
  if (most === undefined) {
    throw protocolError(`a FlushResult names ${topic}-${partition}, which its Flush did not`);
  }
  if (offset.offset > most.offset) {
    throw protocolError(
      `a FlushResult names offset ${offset.offset} of ${topic}-${partition}, beyond ${most.offset}`,
    );
  }
}

function encode(kind: HostKind): Uint8Array {
  return toBinary(HostSinkMessageSchema, create(HostSinkMessageSchema, { kind }));
}
