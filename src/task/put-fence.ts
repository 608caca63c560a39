import { RecordError } from "../base/error.ts";
import type { Fetched } from "../kafka/kafka.ts";
import type { CrashSuspects, PartitionSuspects } from "./crash-suspects.ts";

/** Keeps records that may have killed their plugin out of the puts of others. */
export class PutFence {
  readonly #suspects: CrashSuspects | undefined;
  #partition: PartitionSuspects | undefined;
  /** Records before this offset need not be asked about; compared with each record. */
  from = Number.POSITIVE_INFINITY;
  /** What is in the put that is being filled is suspected, so it has to be alone on its way. */
  isInside = false;

  constructor(suspects: CrashSuspects | undefined) {
    this.#suspects = suspects;
  }

  /** Only once suspects before it have been sent. */
  start(fetched: Fetched): void {
    this.isInside = false;
    this.#partition = this.#suspects?.partition(fetched);
    this.from = this.#partition?.next(fetched.firstOffset) ?? Number.POSITIVE_INFINITY;
  }

  /** Why a record is left out. */
  reason(): RecordError {
    const times = this.#suspects?.crashesMax ?? 0;
    return new RecordError("task.record_kills", `its plugin died of it, ${killedTimes(times)}`, {
      javaClass: "org.apache.kafka.connect.errors.ConnectException",
      hint: "mend the plugin or the record, then send the record again",
    });
  }

  /** About the record at this offset, with so many in the put: `send` that first, and ask again. */
  judge(offset: number, count: number): "take" | "send" | "leave-out" {
    const known = this.#partition?.at(offset);
    if (known === "left-out") return "leave-out";
    if (known === undefined) {
      if (this.isInside && count > 0) return "send";
      this.isInside = false;
      this.from = this.#partition?.next(offset + 1) ?? Number.POSITIVE_INFINITY;
      return "take";
    }
    if (count > 0 && (!this.isInside || count >= known.recordsMax)) return "send";
    this.isInside = true;
    return "take";
  }
}

/** `3 times in a row`. */
export function killedTimes(crashes: number): string {
  return crashes === 1 ? "once" : `${crashes} times in a row`;
}
