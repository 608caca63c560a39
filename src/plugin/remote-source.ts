/** The host's end of a source task's stream. Its rules are in proto/README.md ("Source"). */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { isJson } from "../base/json-text.ts";
import { type Columns, sizeOf } from "../record/columns.ts";
import { checkSourceColumns } from "./columns-check.ts";
import { decodeRecords, isRecords, type WireRecords } from "./columns-decode.ts";
import { Credit } from "./credit.ts";
import { decodeMessage } from "./decode-message.ts";
import { IncomingDefinitions } from "./definitions.ts";
import { failureFromProto, formFromProto, recordsFromProto } from "./from-proto.ts";
import {
  HostSourceMessageSchema,
  OffsetMode,
  type SourceTaskHello,
  type SourceTaskMessage,
  SourceTaskMessageSchema,
} from "./gen/bulkhead/plugin/v1/source_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { limits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import type { Failure, Run, SourceEvent, SourceOffset, SourceStream } from "./plugin.ts";
import { protocolError } from "./protocol-error.ts";
import { TaskStream, type TaskStreamOptions } from "./task-stream.ts";
import { runToProto, sourceOffsetToProto } from "./to-proto.ts";

export interface RemoteSourceOptions extends TaskStreamOptions {
  canonicalJson: boolean;
}

type HostKind = NonNullable<MessageInitShape<typeof HostSourceMessageSchema>["kind"]>;
type SourceKind = SourceTaskMessage["kind"];

export class RemoteSource implements SourceStream {
  readonly canonicalJson: boolean;
  readonly #stream: TaskStream<SourceEvent>;
  readonly #news: SourceNews;
  readonly #definitions = new IncomingDefinitions();
  readonly #credit = new Credit();
  readonly #messageBytesMax: number;
  readonly #offsetMode: "per-record" | "last";
  #lastSeq = 0;
  #drained: "no" | "asked" | "yes" = "no";

  constructor(call: ByteStream, hello: SourceTaskHello, options: RemoteSourceOptions) {
    this.canonicalJson = options.canonicalJson;
    this.#messageBytesMax = options.messageBytesMax;
    this.#offsetMode = hello.offsetMode === OffsetMode.LAST ? "last" : "per-record";
    this.#stream = new TaskStream(call, {
      ...options,
      receive: (message) => this.#receive(message),
      encodeStop: (timeoutMs) => {
        this.#news.flushAll();
        return encode({ case: "stop", value: { timeoutMs: BigInt(timeoutMs) } });
      },
      onEnd: () => {},
      onDrain: () => this.#news.flush(),
    });
    this.#news = new SourceNews(this.#stream.outbox);
  }

  get ended(): Promise<string> {
    return this.#stream.ended;
  }

  get started(): Promise<Failure | undefined> {
    return this.#stream.started;
  }

  next(): Promise<SourceEvent | undefined> {
    return this.#stream.next();
  }

  credit(records: number, bytes: number): void {
    this.#credit.add(records, bytes);
    this.#news.credit(records, bytes);
  }

  acked(through: number, runs: readonly Run[]): void {
    this.#news.acked(through, runs);
  }

  committed(offsets: readonly SourceOffset[]): void {
    this.#news.committed(offsets);
  }

  pause(): void {
    this.#stream.outbox.send(encode({ case: "pause", value: {} }));
  }

  resume(): void {
    this.#stream.outbox.send(encode({ case: "resume", value: {} }));
  }

  drain(): void {
    if (this.#drained === "no") this.#drained = "asked";
    this.#stream.outbox.send(encode({ case: "drain", value: {} }));
  }

  stop(timeoutMs: number): Promise<Failure | undefined> {
    return this.#stream.stop(timeoutMs);
  }

  #receive(message: Buffer): void {
    if (isRecords(message)) {
      const decoded = decodeRecords(message);
      if (decoded !== "irregular") {
        this.#takeRecords(decoded);
        return;
      }
    }
    this.#take(decodeMessage(SourceTaskMessageSchema, message).kind);
  }

  #take(kind: SourceKind): void {
    switch (kind.case) {
      case "topic":
        this.#definitions.define("topics", kind.value.id, kind.value.topic);
        return;
      case "name":
        this.#definitions.define("names", kind.value.id, kind.value.name);
        return;
      case "form":
        this.#definitions.define("forms", kind.value.id, formFromProto(kind.value));
        return;
      case "partition":
        this.#definitions.define("partitions", kind.value.id, kind.value.partition);
        return;
      case "forget":
        this.#definitions.forget();
        return;
      case "records":
        this.#takeRecords(recordsFromProto(kind.value));
        return;
      case "checkpoint":
        this.#takeCheckpoint(kind.value.partition, kind.value.offset ?? null);
        return;
      default:
        this.#takeStep(kind);
    }
  }

  /** The steps of the task's life. */
  #takeStep(kind: SourceKind): void {
    switch (kind.case) {
      case "started":
        this.#stream.takeStarted();
        return;
      case "drained":
        if (this.#drained !== "asked") throw protocolError("Drained came without Drain");
        this.#drained = "yes";
        if (this.#stream.listening) this.#stream.push({ at: "drained" });
        return;
      case "failure": {
        const failure = failureFromProto(kind.value);
        if (this.#stream.takeFailure(failure)) this.#stream.push({ at: "failed", failure });
        return;
      }
      case "stopped": {
        const { failure } = kind.value;
        this.#stream.takeStopped(failure && failureFromProto(failure));
        return;
      }
      case "hello":
        throw protocolError("the task's hello came twice");
      case "dropped":
        throw protocolError("Dropped came, but the host runs the task's chain");
      default:
      // A kind of a newer contract that was not agreed on: nothing to do.
    }
  }

  #takeRecords({ batchSeq, columns, pollEnd, transaction }: WireRecords): void {
    if (this.#drained === "yes") throw protocolError("Records came after Drained");
    if (batchSeq !== this.#lastSeq + 1) {
      throw protocolError(`batch ${batchSeq} came after batch ${this.#lastSeq}`);
    }
    this.#lastSeq = batchSeq;
    if (transaction !== "none") {
      throw protocolError(`batch ${batchSeq} marks a transaction, but the task has none`);
    }
    const definitions = this.#definitions.current;
    const offsetMode = this.#offsetMode;
    checkSourceColumns(columns, {
      offsetMode,
      definitions,
      messageBytesMax: this.#messageBytesMax,
    });
    const sizeBytes = sizeOf(columns);
    this.#credit.receive(costInRecords(columns), sizeBytes);
    if (!this.#stream.listening) return;
    const batch = { batchSeq, columns, definitions, offsetMode, pollEnd, sizeBytes };
    this.#stream.push({ at: "records", ...batch }, "credit");
  }

  #takeCheckpoint(partition: string, offset: string | null): void {
    if (Buffer.byteLength(partition) > limits.partitionBytesMax) {
      throw protocolError(`a Checkpoint's partition is over ${limits.partitionBytesMax} bytes`);
    }
    if (Buffer.byteLength(offset ?? "") > limits.offsetBytesMax) {
      throw protocolError(`a Checkpoint's offset is over ${limits.offsetBytesMax} bytes`);
    }
    for (const text of [partition, offset ?? "null"]) {
      if (isJson(text)) continue;
      throw protocolError(`a Checkpoint has a text that is not JSON: ${text.slice(0, 200)}`);
    }
    if (!this.#stream.listening) return;
    const event = { at: "checkpoint" as const, partition, offset };
    const { newest } = this.#stream;
    // I5: nothing lies between them, so the earlier one has nothing more to say.
    if (newest?.at === "checkpoint" && newest.partition === partition) {
      this.#stream.replaceNewest(event);
    } else this.#stream.push(event);
  }
}

function costInRecords(columns: Columns): number {
  return Math.max(1, columns.count);
}

function encode(kind: HostKind): Uint8Array {
  return toBinary(HostSourceMessageSchema, create(HostSourceMessageSchema, { kind }));
}

/**
 * Credit, acknowledgements and commits on their way to the plugin. I5: while the plugin reads slower
 * than they come they are added up, so what waits is one message of each kind.
 */
class SourceNews {
  readonly #outbox: Outbox;
  #credit: { records: number; bytes: number } | undefined;
  #acked: { through: number; runs: Run[] } | undefined;
  #committed: Map<string, string | null> | undefined;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  credit(records: number, bytes: number): void {
    this.#credit ??= { records: 0, bytes: 0 };
    this.#credit.records += records;
    this.#credit.bytes += bytes;
    this.flush();
  }

  acked(through: number, runs: readonly Run[]): void {
    this.#acked ??= { through, runs: [] };
    this.#acked.through = through;
    for (const run of runs) addRun(this.#acked.runs, run);
    this.flush();
  }

  committed(offsets: readonly SourceOffset[]): void {
    this.#committed ??= new Map();
    for (const { partition, offset } of offsets) this.#committed.set(partition, offset);
    this.flush();
  }

  flush(): void {
    if (this.#outbox.hasRoom) this.flushAll();
  }

  /** Acked precedes the Committed of its offsets. */
  flushAll(): void {
    const credit = this.#credit;
    const acked = this.#acked;
    const committed = this.#committed;
    this.#credit = undefined;
    this.#acked = undefined;
    this.#committed = undefined;
    if (credit !== undefined) {
      const { records, bytes } = credit;
      const value = { records: BigInt(records), bytes: BigInt(bytes) };
      this.#outbox.send(encode({ case: "credit", value }));
    }
    if (acked !== undefined) {
      const value = { through: BigInt(acked.through), runs: acked.runs.map(runToProto) };
      this.#outbox.send(encode({ case: "acked", value }));
    }
    if (committed !== undefined) this.#sendCommitted(committed);
  }

  #sendCommitted(committed: ReadonlyMap<string, string | null>): void {
    let offsets: ReturnType<typeof sourceOffsetToProto>[] = [];
    let chars = 0;
    for (const [partition, offset] of committed) {
      offsets.push(sourceOffsetToProto({ partition, offset }));
      chars += partition.length + (offset?.length ?? 0);
      // A message stays under its limit however many partitions there are: a character is at most
      // three bytes.
      if (chars < committedCharsGoal) continue;
      this.#outbox.send(encode({ case: "committed", value: { offsets } }));
      offsets = [];
      chars = 0;
    }
    if (offsets.length > 0 || committed.size === 0) {
      this.#outbox.send(encode({ case: "committed", value: { offsets } }));
    }
  }
}

const committedCharsGoal = 128 * 1_024;

function addRun(runs: Run[], run: Run): void {
  const last = runs.at(-1);
  if (last === undefined || last.outcome !== run.outcome || run.outcome === "failed") {
    runs.push({ ...run });
  } else last.count += run.count;
}
