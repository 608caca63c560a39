/** The puts that a plugin has not answered, and what is to be said when its process dies with them. */
import { errorLine, HostError, TaskError } from "../base/error.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import type { SinkOffset } from "../plugin/plugin.ts";
import { quarantineKey } from "./crash-memory.ts";
import type { SuspectRange } from "./crash-suspects.ts";
import { errorPolicy } from "./error-operator.ts";
import { killedTimes } from "./put-fence.ts";
import type { PutGate } from "./put-gate.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

/** Where reading stands behind these records, and how many of the put come before. */
export interface PutSpan extends SinkOffset {
  readonly upTo: number;
}

/** The records of one put. */
export interface PutRecords {
  readonly offsets: Float64Array;
  readonly spans: readonly PutSpan[];
}

export class UnansweredPuts {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  /** In their order; I5: as many as the stream has room for. */
  readonly #puts: PutRecords[] = [];

  readonly #gate: PutGate | undefined;

  constructor(spec: TaskSpec, parts: TaskParts, gate: PutGate | undefined) {
    this.#gate = gate;
    this.#spec = spec;
    this.#parts = parts;
  }

  /** Waits for the puts of other tasks in the process that are to be alone, or for all to be. */
  async turn(isSuspected: boolean, signal: AbortSignal): Promise<void> {
    await this.#gate?.turn(this, isSuspected, signal);
  }

  /** It was its turn, and it sends nothing. */
  skip(): void {
    if (this.#puts.length === 0) this.#gate?.idle(this);
  }

  /** The task has ended. */
  end(): void {
    if (this.#puts.length > 0) this.#gate?.free(this);
    else this.#gate?.idle(this);
  }

  sent(put: PutRecords): PutRecords {
    this.#puts.push(put);
    return put;
  }

  /** Answers come in the order of puts. */
  answered(): void {
    this.#puts.shift();
    this.skip();
  }

  /** The plugin took its records. */
  took({ spans }: PutRecords): void {
    const { suspects } = this.#parts;
    if (suspects !== undefined) for (const span of spans) suspects.passed(span);
  }

  /** The log of the partition is another one. */
  forget(partition: TopicPartition): void {
    this.#parts.suspects?.forget(partition);
  }

  /** The process died by itself. Answers what fails the task. */
  died(cause: unknown): unknown {
    const { suspects, logger } = this.#parts;
    if (suspects === undefined) return cause;
    const ranges = this.#puts.flatMap(rangesOf);
    const verdict = suspects.died(ranges, this.#gate?.isOnly(this) ?? true);
    if (verdict.at === "unknown") return cause;
    if (verdict.at === "narrowed") {
      const records = ranges.map(rangeText).join(", ");
      logger.warn(
        { records },
        "the plugin died while it had these records: puts of them get smaller",
      );
      return cause;
    }
    const { topic, partition, offset } = verdict.record;
    const found = `the record ${topic}-${partition}@${offset} has killed its plugin ${killedTimes(verdict.crashes)}`;
    if (!errorPolicy(this.#spec.connectorConfig).isTolerant) {
      const hint =
        `mend the plugin, move the group's offset past the record, or have such records left out with ` +
        `errors.tolerance=all (${quarantineKey} says after how many crashes); then restart the task`;
      return new TaskError("task.record_kills", found, { cause, hint });
    }
    // I7: the next run writes its letter.
    suspects.leaveOut(verdict.record);
    const text = `${found} and is left out from now on`;
    logger.error({ topic, partition, offset, reason: errorLine(cause) }, text);
    // A plugin that dies at every put is no matter of records: it is restarted as often as any other.
    const code = verdict.isProgress ? "task.record_quarantined" : "plugin.gone";
    return new TaskError(code, text, { cause });
  }
}

/** What an answer that does not come is rejected with. */
export function isGone(error: unknown): boolean {
  return error instanceof HostError && error.code === "plugin.gone";
}

/** The records of a put by partition; what is empty has none. */
function rangesOf({ offsets, spans }: PutRecords): SuspectRange[] {
  let from = 0;
  return spans.flatMap(({ topic, partition, upTo }) => {
    const count = upTo - from;
    const first = offsets[from];
    const last = offsets[upTo - 1];
    from = upTo;
    if (count === 0 || first === undefined || last === undefined) return [];
    return [{ topic, partition, first, last, count }];
  });
}

function rangeText({ topic, partition, first, last }: SuspectRange): string {
  return first === last
    ? `${topic}-${partition}@${first}`
    : `${topic}-${partition}@${first}..${last}`;
}
