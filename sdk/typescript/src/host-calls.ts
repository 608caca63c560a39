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

interface Question {
  readonly connector: string;
  readonly task: number | undefined;
  readonly partitions: readonly string[];
  /** What came so far: a long answer comes in parts. */
  readonly offsets: (string | undefined)[];
  readonly answer: Deferred<readonly (string | undefined)[]>;
}

/**
 * Questions to the host: at most 64 open at a time, the others wait their turn. Each is settled: by
 * the host's answer, by its time limit, or by the end of the session.
 */
export class HostCalls {
  readonly #send: (call: Call) => void;
  readonly #timeoutMs: number;
  /** Also those that have timed out: the host still counts them until it has answered. */
  readonly #open = new Map<bigint, Question>();
  readonly #waiting = new Set<Question>();
  #lastId = 0n;
  #over: Error | undefined;

  constructor(send: (call: Call) => void, timeoutMs = callMsMax) {
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  answer(answer: Answer): void {
    const question = this.#open.get(answer.id);
    if (question === undefined) return;
    const { offsets, partitions } = question;
    const { kind } = answer;
    if (kind.case !== "readOffsets") {
      const why = kind.case === "failure" ? kind.value.text : "no offsets in the answer";
      question.answer.reject(cannotRead(question, why));
    } else if (offsets.length + kind.value.offsets.length > partitions.length) {
      this.#refuseCount(question, offsets.length + kind.value.offsets.length);
    } else {
      for (const one of kind.value.offsets) offsets.push(one.offset);
    }
    if (answer.more) return;
    // An offset goes with its partition by place only, so one too few would shift the others.
    if (offsets.length < partitions.length) this.#refuseCount(question, offsets.length);
    question.answer.resolve(offsets);
    this.#open.delete(answer.id);
    this.#askNext();
  }

  /** The session is over: nothing will be answered any more. */
  close(reason: string): void {
    this.#over = new Error(`cannot ask the host: ${reason}`);
    for (const one of [...this.#open.values(), ...this.#waiting]) one.answer.reject(this.#over);
    this.#open.clear();
    this.#waiting.clear();
  }

  offsets(connector: string, task: number | undefined): OffsetReader {
    const offsets = async (partitions: readonly SourcePartition[]) => {
      const found: (SourceOffset | null)[] = [];
      for (let at = 0; at < partitions.length; at += partitionsPerCall) {
        const part = partitions.slice(at, at + partitionsPerCall).map((one) => writeJson(one));
        for (const text of await this.#readOffsets(connector, task, part)) {
          found.push(parseOffset(text));
        }
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
    partitions: readonly string[],
  ): Promise<readonly (string | undefined)[]> {
    if (this.#over !== undefined) throw this.#over;
    const answer = deferred<readonly (string | undefined)[]>();
    const question: Question = { connector, task, partitions, offsets: [], answer };
    const timer = setTimeout(() => {
      this.#waiting.delete(question);
      answer.reject(cannotRead(question, `the host has not answered in ${this.#timeoutMs} ms`));
    }, this.#timeoutMs);
    this.#waiting.add(question);
    this.#askNext();
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** In the order they came, as far as there is room. */
  #askNext(): void {
    for (const question of this.#waiting) {
      if (this.#open.size >= openMax) return;
      this.#waiting.delete(question);
      this.#lastId += 1n;
      this.#open.set(this.#lastId, question);
      const { connector, task, partitions } = question;
      const value = { partitions: [...partitions], ...(task === undefined ? {} : { task }) };
      const kind = { case: "readOffsets", value } as const;
      this.#send({ id: this.#lastId, timeoutMs: BigInt(this.#timeoutMs), connector, kind });
    }
  }

  #refuseCount(question: Question, count: number): void {
    const wanted = question.partitions.length;
    const why = `the host answered with ${count} offsets for ${wanted} partitions`;
    question.answer.reject(cannotRead(question, why));
  }
}

function cannotRead({ connector }: Question, why: string): Error {
  return new Error(`cannot read the offsets of ${connector}: ${why}`);
}

/** An offset text as data. */
export function parseOffset(text: string | undefined | null): SourceOffset | null {
  if (text === undefined || text === null) return null;
  return readValue(text, null) as SourceOffset | null;
}
