import type { MessageInitShape } from "@bufbuild/protobuf";
import { writeJson } from "./canonical-json.ts";
import type { OffsetReader } from "./connector-definition.ts";
import { type Deferred, deferred } from "./deferred.ts";
import type { Answer, CallSchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { SourceOffset, SourcePartition } from "./source-record.ts";
import { readValue } from "./value-reader.ts";

const openMax = 64;
const partitionsPerCall = 1_000;
const callMsMax = 60_000;

type Call = MessageInitShape<typeof CallSchema>;

/** Questions to the host: at most 64 open at a time, each answered exactly once. */
export class HostCalls {
  readonly #send: (call: Call) => void;
  readonly #open = new Map<bigint, Deferred<Answer>>();
  readonly #waiting: Deferred<void>[] = [];
  #lastId = 0n;
  #over: Error | undefined;

  constructor(send: (call: Call) => void) {
    this.#send = send;
  }

  answer(answer: Answer): void {
    // Offsets of one call fit into one message; parts of other answers would be joined here.
    const call = this.#open.get(answer.id);
    if (call === undefined || answer.more) return;
    this.#open.delete(answer.id);
    this.#waiting.shift()?.resolve();
    call.resolve(answer);
  }

  /** The session is over: nothing will be answered any more. */
  close(reason: string): void {
    this.#over = new Error(`cannot ask the host: ${reason}`);
    for (const call of this.#open.values()) call.reject(this.#over);
    for (const turn of this.#waiting) turn.reject(this.#over);
    this.#open.clear();
  }

  offsets(connector: string, task: number | undefined): OffsetReader {
    const offsets = async (partitions: readonly SourcePartition[]) => {
      const found: (SourceOffset | null)[] = [];
      for (let at = 0; at < partitions.length; at += partitionsPerCall) {
        const part = partitions.slice(at, at + partitionsPerCall).map((one) => writeJson(one));
        found.push(...(await this.#readOffsets(connector, task, part)));
      }
      return found;
    };
    return {
      offsets,
      offset: async (partition) => (await offsets([partition]))[0] ?? null,
    };
  }

  async #readOffsets(
    connector: string,
    task: number | undefined,
    partitions: string[],
  ): Promise<(SourceOffset | null)[]> {
    const answer = await this.#call(connector, {
      case: "readOffsets",
      value: { partitions, ...(task === undefined ? {} : { task }) },
    });
    if (answer.kind.case !== "readOffsets") {
      const why =
        answer.kind.case === "failure" ? answer.kind.value.text : "no offsets in the answer";
      throw new Error(`cannot read the offsets of ${connector}: ${why}`);
    }
    const texts = answer.kind.value.offsets;
    return partitions.map((_, at) => parseOffset(texts[at]?.offset));
  }

  async #call(connector: string, kind: NonNullable<Call["kind"]>): Promise<Answer> {
    while (this.#open.size >= openMax) {
      const turn = deferred();
      this.#waiting.push(turn);
      await turn.promise;
    }
    if (this.#over !== undefined) throw this.#over;
    this.#lastId += 1n;
    const answer = deferred<Answer>();
    this.#open.set(this.#lastId, answer);
    this.#send({ id: this.#lastId, timeoutMs: BigInt(callMsMax), connector, kind });
    return await answer.promise;
  }
}

/** An offset text as data. */
export function parseOffset(text: string | undefined | null): SourceOffset | null {
  if (text === undefined || text === null) return null;
  return readValue(text, null) as SourceOffset | null;
}
