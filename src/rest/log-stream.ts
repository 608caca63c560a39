/**
 * Log lines as server-sent events. The ring is the only buffer: a follower is a place in it, and what
 * the ring has given up before a slow reader came for it is told as a number.
 */
import { Readable } from "node:stream";
import type { LogLine, LogRing } from "../observe/log-ring.ts";

export interface FollowOptions {
  /** The first line that is sent, by its number. */
  readonly fromSeq: number;
  /** pino's number; less severe lines are left out. */
  readonly severityMin: number;
  /** How often a reader is told that there is nothing to tell. */
  readonly heartbeatMs: number;
  /** Fires when the server closes. */
  readonly closing: AbortSignal;
}

/** One push holds about this much, so that a reader that is far behind costs no more. */
const pushCharsMax = 32 * 1_024;

/** Ends with the ring, with the server, or when its reader goes away. */
export class LogStream extends Readable {
  readonly #ring: LogRing;
  readonly #options: FollowOptions;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #onClosing = () => this.#look();
  #seq: number;
  /** The reader wants more and there was nothing. */
  #isIdle = false;
  #forget = () => {};
  #looking: NodeJS.Immediate | undefined;

  constructor(ring: LogRing, options: FollowOptions) {
    super({ highWaterMark: 2 * pushCharsMax });
    this.#ring = ring;
    this.#options = options;
    this.#seq = options.fromSeq;
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs).unref();
    options.closing.addEventListener("abort", this.#onClosing, { once: true });
    // The first bytes send the headers, so that a reader knows that it is connected.
    this.push(": following\n\n");
  }

  override _read(): void {
    const text = this.#gather();
    if (text !== "") this.push(text);
    else if (this.#ring.ended || this.#options.closing.aborted) this.#finish();
    else this.#await();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#heartbeat);
    if (this.#looking !== undefined) clearImmediate(this.#looking);
    this.#options.closing.removeEventListener("abort", this.#onClosing);
    this.#forget();
    done(error);
  }

  #gather(): string {
    const ring = this.#ring;
    let text = "";
    const missed = ring.oldestSeq - this.#seq;
    if (missed > 0) {
      text += `event: dropped\ndata: {"dropped":${missed}}\n\n`;
      this.#seq = ring.oldestSeq;
    }
    while (this.#seq < ring.nextSeq && text.length < pushCharsMax) {
      const line = ring.line(this.#seq);
      this.#seq += 1;
      if (line !== undefined && line.severity >= this.#options.severityMin) {
        text += event(ring, line);
      }
    }
    return text;
  }

  #await(): void {
    this.#isIdle = true;
    this.#forget();
    this.#forget = this.#ring.onNext(() => this.#look());
  }

  /** Later, so that lines that come together cost one look. */
  #look(): void {
    if (!this.#isIdle) return;
    this.#looking ??= setImmediate(() => {
      this.#looking = undefined;
      if (!this.#isIdle) return;
      this.#isIdle = false;
      this._read();
    });
  }

  /** A reader that does not read gets no heartbeats either. */
  #beat(): void {
    if (!this.#isIdle) return;
    this.#isIdle = false;
    this.#forget();
    this.push(": nothing new\n\n");
  }

  #finish(): void {
    const reason = this.#options.closing.aborted ? "the host stops" : "the connector is gone";
    this.push(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
    this.push(null);
  }
}

/** How a line is named in `id` and `Last-Event-ID`. */
export function lineId(ring: LogRing, seq: number): string {
  return `${ring.id}-${seq}`;
}

/**
 * The line after the one that a reader saw last; the oldest when that was in another ring, of a host
 * or a connector that is no more.
 */
export function resumeSeq(ring: LogRing, lastEventId: string): number {
  const seq = Number(/^(.+)-(\d+)$/.exec(lastEventId)?.[2] ?? Number.NaN);
  const isOurs = lastEventId === lineId(ring, seq) && seq < ring.nextSeq;
  return isOurs ? seq + 1 : ring.oldestSeq;
}

function event(ring: LogRing, { seq, text }: LogLine): string {
  return `id: ${lineId(ring, seq)}\ndata: ${text}\n`;
}
