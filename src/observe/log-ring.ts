/** The last log lines of one connector, numbered, for whoever wants to read or follow them. */

export interface LogLine {
  /** Rises by one with each line of the ring; the first is 1. */
  readonly seq: number;
  readonly timeMs: number;
  /** pino's number: 30 info, 40 warn. */
  readonly severity: number;
  /** As it went to the log: one line of JSON with its line break. */
  readonly text: string;
}

export interface RingBounds {
  readonly linesMax: number;
  readonly charsMax: number;
}

export class LogRing {
  /** Tells the numbers of this ring from those of one that had its name before. */
  readonly id: string;
  readonly #bounds: RingBounds;
  /** The line `seq` is at `seq % linesMax`. */
  readonly #lines: (LogLine | undefined)[] = [];
  #oldestSeq = 1;
  #nextSeq = 1;
  #chars = 0;
  #ended = false;
  #waiters: (() => void)[] = [];

  constructor(id: string, bounds: RingBounds) {
    this.id = id;
    this.#bounds = bounds;
  }

  /** The number of the oldest line that is kept; `nextSeq` when there is none. */
  get oldestSeq(): number {
    return this.#oldestSeq;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get chars(): number {
    return this.#chars;
  }

  /** Nothing more will come: its connector is gone, or the host is. */
  get ended(): boolean {
    return this.#ended;
  }

  get isFollowed(): boolean {
    return this.#waiters.length > 0;
  }

  get lastTimeMs(): number {
    return this.line(this.#nextSeq - 1)?.timeMs ?? 0;
  }

  /** Undefined for one that is not kept any more, or has not come yet. */
  line(seq: number): LogLine | undefined {
    if (seq < this.#oldestSeq || seq >= this.#nextSeq) return undefined;
    return this.#lines[seq % this.#bounds.linesMax];
  }

  append(timeMs: number, severity: number, text: string): void {
    const { linesMax, charsMax } = this.#bounds;
    // I5: the oldest make room.
    if (this.#nextSeq - this.#oldestSeq >= linesMax) this.#dropOldest();
    while (this.#chars + text.length > charsMax && this.#oldestSeq < this.#nextSeq) {
      this.#dropOldest();
    }
    const seq = this.#nextSeq;
    this.#lines[seq % linesMax] = { seq, timeMs, severity, text };
    this.#nextSeq = seq + 1;
    this.#chars += text.length;
    if (this.#waiters.length > 0) this.#wake();
  }

  /** Gives up the older half of what it holds. */
  halve(): void {
    const half = this.#chars / 2;
    while (this.#chars > half && this.#oldestSeq < this.#nextSeq) this.#dropOldest();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Calls once, after the next line or the end. Returns what takes that back. */
  onNext(waiter: () => void): () => void {
    this.#waiters.push(waiter);
    return () => {
      this.#waiters = this.#waiters.filter((each) => each !== waiter);
    };
  }

  #dropOldest(): void {
    const at = this.#oldestSeq % this.#bounds.linesMax;
    this.#chars -= this.#lines[at]?.text.length ?? 0;
    this.#lines[at] = undefined;
    this.#oldestSeq += 1;
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
