/** The host's end of a stage's stream. Its rules are in proto/README.md ("Stages"). */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Deferred, deferred } from "../base/deferred.ts";
import type { TaskError } from "../base/error.ts";
import type { Columns, Definitions, Form } from "../record/columns.ts";
import { checkStageColumns } from "./columns-check.ts";
import { encodeStageBatch } from "./columns-encode.ts";
import { Credit } from "./credit.ts";
import { decodeMessage } from "./decode-message.ts";
import { IncomingDefinitions, OutgoingDefinitions } from "./definitions.ts";
import { failureError } from "./failure-error.ts";
import { failureFromProto, formFromProto } from "./from-proto.ts";
import {
  HostStageMessageSchema,
  StageMessageSchema,
  StageOperation as WireOperation,
} from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import type { Failure, StageKind, StageOperation, StagePart, StageStream } from "./plugin.ts";
import { protocolError } from "./protocol-error.ts";
import {
  checkHeaderCounts,
  decodeStageResult,
  isStageResult,
  stageRuns,
  stageSizeOf,
} from "./stage-result.ts";
import { TaskStream, type TaskStreamOptions } from "./task-stream.ts";
import { formToProto } from "./to-proto.ts";

type HostKind = NonNullable<MessageInitShape<typeof HostStageMessageSchema>["kind"]>;

export interface RemoteStageOptions extends TaskStreamOptions {
  kind: StageKind;
  /** Sends CloseStage; resolves with the failure of the user's stop. */
  askToClose: (timeoutMs: number) => Promise<Failure | undefined>;
}

/** A batch whose result is not there, or not all of it. */
interface OpenBatch {
  readonly seq: number;
  readonly operation: StageOperation;
  readonly count: number;
  readonly headerCounts: Uint32Array;
  readonly parts: StagePart[];
  answered: number;
  bytes: number;
  readonly result: Deferred<readonly StagePart[]>;
}

/** I5: how much larger than a message a result may be in all its parts. */
const resultMessagesMax = 16;

const operations: Readonly<Record<StageOperation, WireOperation>> = {
  apply: WireOperation.APPLY,
  test: WireOperation.TEST,
  "to connect": WireOperation.TO_CONNECT,
  "from connect": WireOperation.FROM_CONNECT,
};

export class RemoteStage implements StageStream {
  readonly #stream: TaskStream<object>;
  readonly #options: RemoteStageOptions;
  readonly #outgoing: OutgoingDefinitions;
  readonly #incoming = new IncomingDefinitions();
  readonly #credit = new Credit();
  readonly #batches: OpenBatch[] = [];
  #roomWaiter: Deferred<void> | undefined;
  #seq = 0;
  /** The stage's own failure, after Started. */
  #failure: TaskError | undefined;

  constructor(call: ByteStream, options: RemoteStageOptions) {
    this.#options = options;
    this.#stream = new TaskStream(call, {
      ...options,
      receive: (message) => this.#receive(message),
      onEnd: (error) => this.#rejectAll(error),
    });
    this.#outgoing = new OutgoingDefinitions({
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

  topicId(topic: string): number {
    return this.#outgoing.topicId(topic);
  }

  formId(form: Form): number {
    return this.#outgoing.formId(form);
  }

  nameId(name: string): number {
    return this.#outgoing.nameId(name);
  }

  forget(): void {
    this.#outgoing.forget();
    this.#send({ case: "forget", value: {} });
  }

  async room(signal?: AbortSignal): Promise<void> {
    while (!signal?.aborted) {
      await this.#throwIfOver();
      // I5: credit bounds what the plugin holds, the outbox what waits here.
      if (this.#credit.open && this.#stream.outbox.hasRoom) return;
      this.#roomWaiter ??= deferred();
      const waiter = this.#roomWaiter;
      const wake = () => waiter.resolve();
      signal?.addEventListener("abort", wake, { once: true });
      const drained = this.#credit.open ? [this.#stream.outbox.drained()] : [];
      await Promise.race([waiter.promise, ...drained]);
      signal?.removeEventListener("abort", wake);
    }
  }

  // Up to its first await an async function runs at once: the message is on its way when it returns.
  async run(operation: StageOperation, columns: Columns): Promise<readonly StagePart[]> {
    if (this.#failure !== undefined || this.#stream.over) await this.#throwIfOver();
    const { count, headerCounts } = columns;
    const size = stageSizeOf(columns);
    const { messageBytesMax } = this.#options;
    if (size > messageBytesMax) {
      throw protocolError(
        `a batch to a stage counts ${size} bytes; ${messageBytesMax} are allowed`,
      );
    }
    const seq = this.#seq + 1;
    this.#stream.outbox.send(encodeStageBatch(seq, operations[operation], columns));
    this.#seq = seq;
    this.#credit.spend(Math.max(1, count), size);
    const result = deferred<readonly StagePart[]>();
    const parts: StagePart[] = [];
    const open = { seq, operation, count, headerCounts, parts, answered: 0, bytes: 0, result };
    this.#batches.push(open);
    return result.promise;
  }

  async stop(timeoutMs: number): Promise<Failure | undefined> {
    // From here on the plugin's half-close is the answer that is waited for, beside the reply.
    const closed = this.#stream.stop(timeoutMs);
    const [failure] = await Promise.all([this.#options.askToClose(timeoutMs), closed]);
    return failure;
  }

  async #throwIfOver(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#stream.over) throw await this.#stream.gone();
  }

  #send(kind: HostKind): void {
    const message = create(HostStageMessageSchema, { kind });
    this.#stream.outbox.send(toBinary(HostStageMessageSchema, message));
  }

  #receive(message: Buffer): void {
    if (isStageResult(message)) this.#takeResult(message);
    else this.#take(message);
  }

  #take(message: Buffer): void {
    const { kind } = decodeMessage(StageMessageSchema, message);
    switch (kind.case) {
      case "topic":
        this.#incoming.define("topics", kind.value.id, kind.value.topic);
        return;
      case "name":
        this.#incoming.define("names", kind.value.id, kind.value.name);
        return;
      case "form":
        this.#incoming.define("forms", kind.value.id, formFromProto(kind.value));
        return;
      case "forget":
        this.#incoming.forget();
        return;
      case "credit":
        this.#credit.add(Number(kind.value.records), Number(kind.value.bytes));
        this.#wakeRoom();
        return;
      case "started":
        this.#stream.takeStarted();
        return;
      case "failure": {
        const failure = failureFromProto(kind.value);
        if (!this.#stream.takeFailure(failure)) return;
        this.#failure = failureError("run a stage", failure);
        this.#rejectAll(this.#failure);
        return;
      }
      case "result":
        this.#takeResult(message);
        return;
      case "hello":
        throw protocolError("the stage's hello came twice");
      default:
      // A kind of a newer contract that was not agreed on: nothing to do.
    }
  }

  #takeResult(message: Buffer): void {
    // What was due has been given up.
    if (!this.#stream.listening) return;
    const { seq, runs: wireRuns, columns, more } = decodeStageResult(message);
    const open = this.#batches[0];
    if (open === undefined || seq !== open.seq) {
      throw protocolError(`a result of batch ${seq} came where ${open?.seq ?? "none"} was due`);
    }
    const { runs, answered, ok } = stageRuns(open.operation, wireRuns);
    const definitions = this.#incoming.current;
    this.#checkColumns(open.operation, columns, definitions, ok);
    if (this.#options.kind === "header_converter") {
      checkHeaderCounts(open.headerCounts, open.answered, runs, columns);
    }
    open.answered += answered;
    open.bytes += message.length;
    this.#checkParts(open, answered, more);
    open.parts.push({ runs, columns, definitions });
    if (more) return;
    this.#batches.shift();
    open.result.resolve(open.parts);
  }

  #checkColumns(
    operation: StageOperation,
    columns: Columns,
    definitions: Definitions,
    ok: number,
  ): void {
    if (columns.count !== ok) {
      throw protocolError(`a result has ${columns.count} records where its runs say ${ok}`);
    }
    const { messageBytesMax } = this.#options;
    const needs = operation === "apply" ? "topics" : "no topics";
    checkStageColumns(columns, { definitions, messageBytesMax }, needs);
    if (operation === "from connect") checkKafkaBytes(columns, definitions);
  }

  /** I5: what one batch may bring back is bounded, and so is the number of its parts. */
  #checkParts({ seq, count, answered, bytes }: OpenBatch, ofPart: number, more: boolean): void {
    if (answered > count || (!more && answered < count)) {
      throw protocolError(`the runs of result ${seq} add up to ${answered} instead of ${count}`);
    }
    if (more && (ofPart === 0 || answered === count)) {
      throw protocolError(`result ${seq} says that more follows where nothing can`);
    }
    const bytesMax = resultMessagesMax * this.#options.messageBytesMax;
    if (bytes > bytesMax) {
      throw protocolError(`result ${seq} has more than ${bytesMax} bytes in all its parts`);
    }
  }

  #rejectAll(error: TaskError): void {
    for (const { result } of this.#batches.splice(0)) result.reject(error);
    this.#wakeRoom();
  }

  #wakeRoom(): void {
    this.#roomWaiter?.resolve();
    this.#roomWaiter = undefined;
  }
}

/** What goes to Kafka is bytes as they are, or null. */
function checkKafkaBytes(columns: Columns, definitions: Definitions): void {
  for (const ids of [columns.valueForms, columns.headerForms]) {
    for (let i = 0; i < ids.length; i += 1) {
      const form = definitions.forms[ids[i] as number];
      if (form?.encoding === "bytes" && form.schema === null) continue;
      throw protocolError(`a converter answered for Kafka in form ${ids[i]}, which is not bytes`);
    }
  }
}
