import { type Clock, pause } from "./clock.ts";
import { toFailure } from "./failure.ts";
import { TaskActivity } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { Log } from "./log.ts";
import { RetriableError } from "./plugin-error.ts";
import type { SourceItem } from "./source.ts";
import type { SourceSender } from "./source-sender.ts";
import type { TaskMeter } from "./task-meter.ts";
import type { UserCallbacks } from "./user-callbacks.ts";

export interface PollOptions {
  read: () => AsyncIterable<SourceItem | readonly SourceItem[]>;
  sender: SourceSender;
  /** Slow ones hold the next poll back. */
  callbacks: UserCallbacks;
  meter: TaskMeter;
  log: Log;
  clock: Clock;
  signal: AbortSignal;
}

const retryMsFirst = 100;
const retryMsMax = 30_000;

/**
 * Runs the user's generator until it has nothing more or the signal fires. A retriable failure is
 * repeated with a fresh generator after a pause; any other is thrown.
 */
export async function pollSource(options: PollOptions): Promise<void> {
  const { sender, meter, log, signal } = options;
  let delayMs = retryMsFirst;
  for (;;) {
    const before = sender.sentRecords;
    try {
      await readThrough(options);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RetriableError)) throw error;
      await sender.flush(true);
      if (sender.sentRecords > before) delayMs = retryMsFirst;
      const waitMs = error.retryAfterMs ?? delayMs * (0.8 + 0.4 * Math.random());
      log.warn(`reading failed, again in ${Math.round(waitMs)} ms: ${error.message}`);
      meter.backingOff(toFailure(error));
      await pause(options.clock, waitMs, signal);
      delayMs = Math.min(retryMsMax, delayMs * 2);
      if (signal.aborted) return;
    }
  }
}

/** One life of the generator. */
async function readThrough(options: PollOptions): Promise<void> {
  const { read, sender, callbacks, meter, signal } = options;
  const iterator = iteratorOf(read());
  let over = false;
  try {
    for (;;) {
      const turn = sender.turn();
      if (turn !== undefined) await turn;
      if (callbacks.room !== undefined) await waitForRoom(options);
      if (signal.aborted) return;
      meter.now(TaskActivity.POLLING);
      sender.waiting(true);
      const next = await iterator.next();
      sender.waiting(false);
      meter.overcame();
      if (signal.aborted) return;
      if (next.done === true) {
        over = true;
        await sender.flush(true);
        meter.now(TaskActivity.IDLE);
        return;
      }
      const taken = sender.take(next.value);
      if (taken !== undefined) await taken;
    }
  } catch (error) {
    // A generator that threw is over; one whose record could not be packed is not.
    over = !sender.refused;
    throw error;
  } finally {
    sender.waiting(false);
    if (!over) await iterator.return?.();
  }
}

/** What was polled before does not wait with the next poll. */
async function waitForRoom({ sender, callbacks, meter }: PollOptions): Promise<void> {
  await sender.flush(true);
  meter.now(TaskActivity.IDLE);
  await callbacks.room;
}

function iteratorOf(items: ReturnType<PollOptions["read"]>) {
  const begin: unknown = (items as Partial<typeof items> | undefined)?.[Symbol.asyncIterator];
  if (typeof begin === "function") return items[Symbol.asyncIterator]();
  const what = items === undefined ? "nothing" : `a ${Object(items).constructor.name}`;
  throw new TypeError(`read returned ${what}: it has to be a generator, async *read`);
}
