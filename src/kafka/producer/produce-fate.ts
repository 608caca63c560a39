/** What becomes of a batch, by what the broker answered: numbers in, a decision out. */
import { brokerCode, isRetriableCode } from "../broker-error.ts";

export type BatchFate =
  | { readonly at: "stored" }
  /**
   * The same bytes again. `mayBeStored`: the broker may have kept it although it says no. `isMapOld`:
   * ask first who leads the partition.
   */
  | { readonly at: "again"; readonly mayBeStored: boolean; readonly isMapOld: boolean }
  /** Its place in the sequence was refused, so it is certainly not stored. */
  | { readonly at: "refused" }
  /** Its place was refused, perhaps because the whole that it is a half of is stored there. */
  | { readonly at: "doubtful" }
  | { readonly at: "split" }
  | { readonly at: "failed" }
  | { readonly at: "fenced" };

export interface BatchFacts {
  readonly isIdempotent: boolean;
  readonly recordCount: number;
  /** It was split off a batch that may be stored. */
  readonly isInDoubt: boolean;
  /** Nothing before it in its partition is without an outcome. */
  readonly isFirst: boolean;
  /** How often it was answered with a fault that should not come twice. */
  readonly oddAnswers: number;
}

/** A network damages a batch once in a while; ten times in a row it is the batch. */
const damagedTriesMax = 10;

/** `facts` of the batch before this answer; codes as in kafka-clients' `Errors`. */
export function fateOf(code: number, facts: BatchFacts): BatchFate {
  switch (code) {
    case brokerCode.none:
    case brokerCode.duplicateSequenceNumber:
      return { at: "stored" };
    case brokerCode.messageTooLarge:
    case brokerCode.recordListTooLarge:
      return facts.recordCount > 1 ? { at: "split" } : { at: "failed" };
    case brokerCode.outOfOrderSequenceNumber:
    case brokerCode.unknownProducerId:
    case brokerCode.invalidProducerEpoch:
      if (!facts.isIdempotent) return { at: "failed" };
      if (!facts.isInDoubt) return { at: "refused" };
      // Before it is the first, one before it may be what is missing there.
      if (!facts.isFirst) return { at: "again", mayBeStored: true, isMapOld: false };
      return { at: "doubtful" };
    case brokerCode.producerFenced:
      return { at: "fenced" };
    case brokerCode.unknown:
      // What a broker says to a payload it cannot read; for anything else once more is worth a try.
      if (facts.oddAnswers > 0) return { at: "failed" };
      return { at: "again", mayBeStored: true, isMapOld: false };
    case brokerCode.corruptMessage:
      if (facts.oddAnswers >= damagedTriesMax) return { at: "failed" };
      return { at: "again", mayBeStored: false, isMapOld: false };
    default:
      if (!isRetriableCode(code)) return { at: "failed" };
      return { at: "again", mayBeStored: mayBeStored(code), isMapOld: isOfTheMap(code) };
  }
}

/** An answer after which only the first of two is odd; counted for `oddAnswers`. */
export function isOdd(code: number): boolean {
  return code === brokerCode.unknown || code === brokerCode.corruptMessage;
}

/** REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS_AFTER_APPEND: the leader has it. */
function mayBeStored(code: number): boolean {
  return code === brokerCode.requestTimedOut || code === 13 || code === 20;
}

/** Those after which Java's producer asks for metadata (`InvalidMetadataException`). */
function isOfTheMap(code: number): boolean {
  return [3, 5, 6, 9, 13, 56, 72, 74, 75, 100, 103].includes(code);
}
