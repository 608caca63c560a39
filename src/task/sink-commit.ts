/** What stands between a sink's records and their committed offsets: flush, dead letters, commit. */
import { within } from "../base/deadline.ts";
import type { SinkConsumer } from "../kafka/kafka.ts";
import type { FlushResult, SinkOffset, SinkStream } from "../plugin/plugin.ts";
import type { ErrantRecords } from "./errant-records.ts";
import type { SinkPositions } from "./sink-positions.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

export class SinkCommit {
  readonly #timeoutMs: number;
  readonly #parts: TaskParts;
  readonly #stream: SinkStream;
  readonly #positions: SinkPositions;
  readonly #errants: ErrantRecords;

  constructor(
    spec: TaskSpec,
    parts: TaskParts,
    stream: SinkStream,
    positions: SinkPositions,
    errants: ErrantRecords,
  ) {
    this.#timeoutMs = spec.limits.offsetFlushTimeoutMs;
    this.#parts = parts;
    this.#stream = stream;
    this.#positions = positions;
    this.#errants = errants;
  }

  /**
   * A turn later, so that what the plugin said before its answer has been noted. One that takes longer
   * than `offset.flush.timeout.ms` is told and counted once; its answer still counts when it comes.
   */
  async flush(named: readonly SinkOffset[]): Promise<FlushResult> {
    const answer = this.#stream.flush(named);
    if ((await within(answer, this.#timeoutMs, "late" as const)) === "late") {
      this.#skipped("Commit of offsets timed out", `no answer within ${this.#timeoutMs} ms`);
    }
    const result = await answer;
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  }

  /**
   * Only offsets whose records before them are taken or have their dead letters. Those that wait for
   * longer than the flush timeout are left for the next round.
   * @throws TaskError `task.dead_letter_failed`
   */
  async commit(consumer: SinkConsumer, offsets: readonly SinkOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    // I2: a record that was reported is not delivered before its letter is stored.
    const settled = this.#errants.settled(offsets).then(() => "settled" as const);
    if ((await within(settled, this.#timeoutMs, "late" as const)) === "late") {
      this.#skipped(
        "Commit of offsets timed out",
        `dead letters were not written within ${this.#timeoutMs} ms`,
      );
      return;
    }
    try {
      await consumer.commit(offsets);
      this.#positions.committed(offsets);
      this.#parts.meter.offsetCommitCompletionTotal += 1;
    } catch (error) {
      this.#parts.meter.offsetCommitSkipTotal += 1;
      this.#parts.logger.error({ err: error }, "cannot commit sink offsets, trying again later");
    }
  }

  #skipped(what: string, reason: string): void {
    this.#parts.meter.offsetCommitSkipTotal += 1;
    this.#parts.logger.warn({ reason }, what);
  }
}
