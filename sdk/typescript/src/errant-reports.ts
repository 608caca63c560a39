import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Deferred, deferred } from "./deferred.ts";
import { toFailure } from "./failure.ts";
import { FailureClass, FailureCode, Stage } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import type { ErrantReceipt, ErrantReportSchema } from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import type { SinkRecord } from "./sink-record.ts";

type Report = MessageInitShape<typeof ErrantReportSchema>;

const openMax = 1_000;
const openBytesMax = 8 * 1024 * 1024;
const reportBytesFixed = 256;

/** Records that a sink gave up, on their way to the host; bounded in number and bytes. */
export class ErrantReports {
  readonly #send: (report: Report) => void;
  readonly #open = new Map<bigint, { receipt: Deferred<void>; bytes: number }>();
  readonly #waiting: Deferred<void>[] = [];
  #bytes = 0;
  #lastId = 0n;
  #over: string | undefined;

  constructor(send: (report: Report) => void) {
    this.#send = send;
  }

  /** Resolves when the host has settled it; rejects when its policy is to fail. */
  async report(record: SinkRecord, error: unknown): Promise<void> {
    const failure = toFailure(error, { code: FailureCode.DATA, class: FailureClass.DATA });
    const bytes = reportBytesFixed + 2 * (failure.stack.length + failure.text.length);
    while (this.#open.size > 0 && !this.#room(bytes) && this.#over === undefined) {
      const turn = deferred();
      this.#waiting.push(turn);
      await turn.promise;
    }
    if (this.#over !== undefined) throw new Error(`cannot report a record: ${this.#over}`);
    this.#lastId += 1n;
    const receipt = deferred();
    this.#open.set(this.#lastId, { receipt, bytes });
    this.#bytes += bytes;
    const original = {
      topic: record.originalTopic,
      partition: record.originalPartition,
      offset: BigInt(record.offset),
    };
    this.#send({
      reportId: this.#lastId,
      record: { case: "original", value: original },
      stage: Stage.TASK_PUT,
      failure,
    });
    await receipt.promise;
  }

  receipt(receipt: ErrantReceipt): void {
    const open = this.#open.get(receipt.reportId);
    if (open === undefined) return;
    this.#open.delete(receipt.reportId);
    this.#bytes -= open.bytes;
    for (const turn of this.#waiting.splice(0)) turn.resolve();
    if (receipt.failure === undefined) open.receipt.resolve();
    else open.receipt.reject(new Error(receipt.failure.text));
  }

  close(reason: string): void {
    this.#over = reason;
    for (const open of this.#open.values()) {
      open.receipt.reject(new Error(`a report was not settled: ${reason}`));
    }
    this.#open.clear();
    for (const turn of this.#waiting.splice(0)) turn.resolve();
  }

  #room(bytes: number): boolean {
    return this.#open.size < openMax && this.#bytes + bytes <= openBytesMax;
  }
}
