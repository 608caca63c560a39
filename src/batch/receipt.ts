/** What whoever sends records hears of them. */

/**
 * Told once for each record that was given to `send` with it. A receipt belongs to one message of a
 * plugin; `indexes` are the numbers that `send` was called with.
 */
export interface Receipt {
  /**
   * The records `indexes[from]` to `indexes[to - 1]` are stored, as durable as the log promises, with
   * the offsets `baseOffset`, `baseOffset + 1`, … of this partition. The array must not be kept.
   */
  stored(indexes: readonly number[], from: number, to: number, at: StoredAt): void;
  /** The same, but they could not be stored and nothing will be tried any more. */
  failed(indexes: readonly number[], from: number, to: number, error: Error): void;
}

/** Where a run of records was stored, one offset after the other. */
export interface StoredAt {
  readonly topic: string;
  readonly partition: number;
  /** -1 where the log does not tell: acks=0, or a repeat it knows only to be stored. */
  readonly baseOffset: number;
  /** Of each record where it has none of its own; -1 where records keep theirs. */
  readonly logAppendTimeMs: number;
}
