import { StringDecoder } from "node:string_decoder";

const linesMax = 10;
const lineCharsMax = 1_000;

/** The last lines of a stream, cut to a length, each handed on as it comes. */
export class LastLines {
  /** Oldest first. */
  readonly lines: string[] = [];
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  /** The line that has not ended yet was cut already. */
  #cut = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(bytes: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(bytes)).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
    if (this.#rest.length <= lineCharsMax) return;
    this.#take(this.#rest);
    this.#cut = true;
    this.#rest = "";
  }

  /** The stream has ended; a line without end is one. */
  end(): void {
    if (this.#rest !== "") this.#take(this.#rest);
    this.#rest = "";
  }

  #take(line: string): void {
    const goesOn = this.#cut;
    this.#cut = false;
    if (goesOn) return;
    const text = line.replace(/\r$/, "");
    const shown = text.length > lineCharsMax ? `${text.slice(0, lineCharsMax)}…` : text;
    if (shown === "") return;
    this.lines.push(shown);
    if (this.lines.length > linesMax) this.lines.shift();
    this.#onLine(shown);
  }
}
