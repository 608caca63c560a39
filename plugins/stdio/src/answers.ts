import { LineCutter } from "./line-cutter.ts";
import { membersOf, readJson } from "./plain-json.ts";

/** What a line of a sink program's output says about the records it was given. */
export type Answer =
  /** All up to this one are stored. */
  | { readonly at: "through"; readonly id: number }
  | { readonly at: "stored"; readonly id: number }
  | { readonly at: "failed"; readonly id: number; readonly error: string };

const answerBytesMax = 64 * 1024;

/**
 * Reads a line: `7` or `{"ack":7}`, `{"id":7}`, `{"id":7,"error":"…"}`.
 * @throws Error with what is wrong with it
 */
export function parseAnswer(text: string): Answer {
  let data: unknown;
  try {
    data = readJson(text);
  } catch {
    throw new Error("it is not JSON");
  }
  if (typeof data === "number") return { at: "through", id: idOf(data) };
  const members = membersOf(data);
  const through = members?.get("ack");
  if (through !== undefined) return { at: "through", id: idOf(through) };
  if (members?.get("id") === undefined) {
    throw new Error(
      'an answer is a number, {"ack": number}, {"id": number} or {"id": …, "error": …}',
    );
  }
  const id = idOf(members.get("id"));
  const error = members.get("error");
  if (error === undefined || error === null) return { at: "stored", id };
  return { at: "failed", id, error: typeof error === "string" ? error : JSON.stringify(error) };
}

function idOf(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${String(value)} is no record's number`);
}

/** Which records of the running put are answered, and how. Ids go on from put to put. */
export class OpenRecords {
  #first = 1;
  #count = 0;
  #open = 0;
  /** By place in the put; undefined = open. */
  #ends: ("stored" | { readonly error: string } | undefined)[] = [];

  /** Records of the next put are expected; the id of the first. */
  expect(count: number): number {
    this.#first += this.#count;
    this.#count = count;
    this.#open = count;
    this.#ends = new Array(count).fill(undefined);
    return this.#first;
  }

  get allAnswered(): boolean {
    return this.#open === 0;
  }

  /** The first that is not answered. */
  get firstOpen(): number {
    return this.#first + this.#ends.indexOf(undefined);
  }

  /** Records that failed, by their place in the put. */
  get failed(): { readonly index: number; readonly error: string }[] {
    return this.#ends.flatMap((end, index) =>
      typeof end === "object" ? [{ index, error: end.error }] : [],
    );
  }

  /** @throws Error for a record that was not given to the program yet */
  take(answer: Answer): void {
    const last = this.#first + this.#count - 1;
    if (answer.id > last) {
      throw new Error(`it answers record ${answer.id}, and ${last} is the last it was given`);
    }
    if (answer.at === "through") {
      for (let id = this.#first; id <= answer.id; id += 1) this.#settle(id, "stored");
    } else {
      this.#settle(answer.id, answer.at === "failed" ? { error: answer.error } : "stored");
    }
  }

  /** The first answer counts; one of an earlier put changes nothing. */
  #settle(id: number, end: "stored" | { readonly error: string }): void {
    const index = id - this.#first;
    if (index < 0 || this.#ends[index] !== undefined) return;
    this.#ends[index] = end;
    this.#open -= 1;
  }
}

/** Cuts a program's output into answers. */
export class AnswerReader {
  readonly #cutter = new LineCutter(answerBytesMax);
  #line = 0;

  /** Hands each answer on. @throws Error that names the line, with its beginning; also what `take` throws */
  read(bytes: Buffer, take: (answer: Answer) => void): void {
    this.#cutter.push(bytes);
    for (let line = this.#cutter.next(); line !== undefined; line = this.#cutter.next()) {
      this.#line += 1;
      const text = line.at === "line" ? line.bytes.toString() : line.start.toString();
      try {
        if (line.at === "too-long") throw new Error(`it is longer than ${answerBytesMax} bytes`);
        take(parseAnswer(text));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(
          `line ${this.#line} of the program is no answer: ${why}; it is ${JSON.stringify(text.slice(0, 100))}`,
        );
      }
    }
  }
}
