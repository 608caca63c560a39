import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { OutDefinitions } from "./definitions.ts";
import { type Failure, FailureSchema } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import {
  StageMessageSchema,
  StageResultSchema,
  type StageRunSchema,
  StageVerdict,
} from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import { Packer } from "./packer.ts";
import type { SourceRecord } from "./source-record.ts";
import { encodeStageResult } from "./wire-message.ts";

type StageRun = MessageInitShape<typeof StageRunSchema> & { count: number };

// What a failure takes besides its own bytes.
const runBytes = 16;

/** Writes the result of one batch after the other, each in as many messages as it needs. */
export class StageResults {
  readonly #send: (message: Uint8Array) => void;
  readonly #messageBytesMax: number;
  readonly #packer: Packer;
  #seq = 0;
  #runs: StageRun[] = [];

  constructor(send: (message: Uint8Array) => void, messageBytesMax: number) {
    this.#send = send;
    this.#messageBytesMax = messageBytesMax;
    const definitions = new OutDefinitions(send, (kind) =>
      toBinary(StageMessageSchema, create(StageMessageSchema, { kind: kind as never })),
    );
    this.#packer = new Packer(definitions, { messageBytesMax, offsetMode: "none" });
  }

  begin(seq: number): void {
    this.#seq = seq;
  }

  /** The next record, as it goes on. @throws DataError; nothing has then been said of it. */
  ok(record: SourceRecord): void {
    if (!this.#packer.add(record)) {
      this.#write(true);
      this.#packer.add(record);
    }
    this.#say(StageVerdict.OK);
  }

  filtered(): void {
    this.#say(StageVerdict.FILTERED);
  }

  tested(yes: boolean): void {
    this.#say(yes ? StageVerdict.TRUE : StageVerdict.FALSE);
  }

  failed(failure: Failure): void {
    const bytes = toBinary(FailureSchema, failure).length + runBytes;
    const packer = this.#packer;
    const over = packer.costBytes + packer.otherBytes + bytes > this.#messageBytesMax;
    if (over && this.#runs.length > 0) this.#write(true);
    packer.otherBytes += bytes;
    this.#runs.push({ count: 1, verdict: StageVerdict.FAILED, failure });
  }

  finish(): void {
    this.#write(false);
  }

  #say(verdict: StageVerdict): void {
    const last = this.#runs.at(-1);
    if (last?.verdict === verdict) last.count += 1;
    else this.#runs.push({ count: 1, verdict });
  }

  #write(more: boolean): void {
    const result = create(StageResultSchema, { seq: BigInt(this.#seq), runs: this.#runs, more });
    const { count, columns } = this.#packer.takeColumns();
    this.#send(encodeStageResult(toBinary(StageResultSchema, result), count, columns));
    this.#runs = [];
    this.#packer.otherBytes = 0;
  }
}
