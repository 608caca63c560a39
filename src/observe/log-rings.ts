import { type Clock, systemClock } from "../base/clock.ts";
import { LogRing, type RingBounds } from "./log-ring.ts";

export interface RingsBounds extends RingBounds {
  readonly connectorsMax: number;
  /** Of all rings together. */
  readonly totalCharsMax: number;
}

const usual: RingsBounds = {
  linesMax: 1_000,
  charsMax: 1_024 * 1_024,
  connectorsMax: 1_000,
  totalCharsMax: 32 * 1_024 * 1_024,
};

/** A ring of log lines per connector. I5: bounded in lines, characters and connectors. */
export class LogRings {
  readonly #bounds: RingsBounds;
  readonly #clock: Clock;
  readonly #rings = new Map<string, LogRing>();
  #made = 0;
  #chars = 0;
  #ended = false;

  constructor(bounds: Partial<RingsBounds> = {}, clock: Clock = systemClock) {
    this.#bounds = { ...usual, ...bounds };
    this.#clock = clock;
  }

  /** The most lines that a ring can hold. */
  get linesMax(): number {
    return this.#bounds.linesMax;
  }

  /** Adds a line of a connector; `text` ends with its line break. */
  take(connector: string, severity: number, text: string): void {
    const ring = this.of(connector);
    const before = ring.chars;
    ring.append(this.#clock.nowMs(), severity, text);
    this.#chars += ring.chars - before;
    if (this.#chars > this.#bounds.totalCharsMax) this.#halveLargest();
  }

  /** Of a connector that never said anything it is empty. */
  of(connector: string): LogRing {
    const known = this.#rings.get(connector);
    if (known !== undefined) return known;
    if (this.#rings.size >= this.#bounds.connectorsMax) this.#giveUpOne();
    this.#made += 1;
    const id = `${this.#clock.nowMs().toString(36)}${this.#made.toString(36)}`;
    const ring = new LogRing(id, this.#bounds);
    if (this.#ended) ring.end();
    this.#rings.set(connector, ring);
    return ring;
  }

  /** Gives up the rings of connectors that are no more; who follows one is told. */
  keepOnly(exists: (connector: string) => boolean): void {
    for (const connector of [...this.#rings.keys()]) {
      if (!exists(connector)) this.#drop(connector);
    }
  }

  /** Whoever follows a ring is told that nothing more will come. Lines are taken all the same. */
  end(): void {
    this.#ended = true;
    for (const ring of this.#rings.values()) ring.end();
  }

  /** One that nobody follows, if there is one, and that has been silent for longest. */
  #giveUpOne(): void {
    let victim: [connector: string, ring: LogRing] | undefined;
    for (const [connector, ring] of this.#rings) {
      if (victim === undefined || isBetterVictim(ring, victim[1])) victim = [connector, ring];
    }
    if (victim !== undefined) this.#drop(victim[0]);
  }

  #drop(connector: string): void {
    const ring = this.#rings.get(connector);
    if (ring === undefined) return;
    this.#rings.delete(connector);
    this.#chars -= ring.chars;
    ring.end();
  }

  /** Who says most loses most; a quiet connector keeps its few lines. */
  #halveLargest(): void {
    let largest: LogRing | undefined;
    for (const ring of this.#rings.values()) {
      if (largest === undefined || ring.chars > largest.chars) largest = ring;
    }
    if (largest === undefined) return;
    const before = largest.chars;
    largest.halve();
    this.#chars += largest.chars - before;
  }
}

function isBetterVictim(a: LogRing, b: LogRing): boolean {
  if (a.isFollowed !== b.isFollowed) return b.isFollowed;
  return a.lastTimeMs < b.lastTimeMs;
}
