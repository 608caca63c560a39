/** The life of one sink task: a process, a stream, a consumer in its group, and the way back. */

import { once } from "node:events";
import { within } from "../base/deadline.ts";
import { isLate } from "../base/error.ts";
import type { SinkConsumer } from "../kafka/kafka.ts";
import type { PluginProcess, ProcessLease, SinkStream } from "../plugin/plugin.ts";
import { planText } from "../transform/step.ts";
import { DeadLetterQueue } from "./dead-letter-queue.ts";
import { ProcessTask } from "./process-task.ts";
import { PutBuilder } from "./put-builder.ts";
import { PutFence } from "./put-fence.ts";
import type { PutGate } from "./put-gate.ts";
import { RecordFailures } from "./record-failures.ts";
import { SinkDelivery } from "./sink-delivery.ts";
import { SinkLanes } from "./sink-lanes.ts";
import { SinkRecords } from "./sink-records.ts";
import type { SinkWay } from "./sink-way.ts";
import { subscription } from "./subscription.ts";
import { goneError, taskStart } from "./task-failure.ts";
import type { TaskStages } from "./task-stages.ts";

import { UnansweredPuts } from "./unanswered-puts.ts";

/** The contract's limit on records in one batch. */
const batchRecordsMax = 10_000;
/** A put of about this size costs the host least per record. */
const putBytesGoal = 1_048_576;

/** The plugin's side of one task. */
interface PluginSide {
  readonly stream: SinkStream;
  readonly delivery: SinkDelivery;
  readonly lease: ProcessLease;
}

export class SinkTask extends ProcessTask<SinkStream> {
  #polling: AbortController | undefined;
  #shown: "RUNNING" | "PAUSED" | undefined;
  #stopped = false;
  #letters: DeadLetterQueue | undefined;
  #stages: TaskStages | undefined;
  /** Undefined: there are no transforms. */
  #way: SinkWay | undefined;

  override async run(signal: AbortSignal): Promise<void> {
    try {
      await super.run(signal);
    } finally {
      await this.#letters?.close();
      await this.#stages?.close();
    }
  }

  /** The topic for dead letters comes first, as in Connect: without it nothing is started. */
  protected async startIn(process: PluginProcess, signal: AbortSignal): Promise<SinkStream> {
    this.#way = await this.#chain(signal);
    this.#letters = await DeadLetterQueue.open(this.spec, this.parts);
    return process.startSinkTask(taskStart(this.spec), signal);
  }

  /** Most tasks have none, and then none of it is loaded. */
  async #chain(signal: AbortSignal): Promise<SinkWay | undefined> {
    const steps = await this.parts.createSteps();
    if (steps.length === 0) return undefined;
    const { hasStages, TaskStages } = await import("./task-stages.ts");
    if (hasStages(steps)) {
      const { StagedSink } = await import("./staged-sink.ts");
      this.#stages = await TaskStages.open(steps, this.spec.limits, this.parts, signal);
      return new StagedSink(this.parts, this.#stages.chain);
    }
    const { SinkChain } = await import("./sink-chain.ts");
    this.parts.logger.debug(`planned ${planText(steps)}`);
    return new SinkChain(this.parts, steps);
  }

  protected async serve(
    stream: SinkStream,
    lease: ProcessLease,
    signal: AbortSignal,
  ): Promise<void> {
    const { pid } = lease.process;
    const gate = this.parts.putGates?.join(pid);
    const delivery = this.#delivery(stream, gate);
    let consumer: SinkConsumer | undefined;
    const wake = () => {
      delivery.interrupt();
      this.#wake();
    };
    const looping = new AbortController();
    const plugin = { stream, delivery, lease };
    const limited = this.#limitStop(signal, looping.signal, plugin);
    const forget = this.target.onChange(() => this.#wake());
    const pumping = this.#pump(stream, delivery);
    signal.addEventListener("abort", wake, { once: true });
    try {
      if (signal.aborted) wake();
      consumer = this.#consumer(delivery);
      delivery.use(consumer, () => this.#wake());
      await this.#loop(delivery, consumer, signal);
    } catch (error) {
      delivery.fail(error);
    } finally {
      looping.abort();
      signal.removeEventListener("abort", wake);
      forget();
      await limited;
      await this.#finish(consumer, plugin);
      await pumping;
      await delivery.end();
      this.parts.putGates?.leave(pid);
    }
    if (delivery.failure !== undefined) throw delivery.failure;
  }

  #delivery(stream: SinkStream, gate: PutGate | undefined): SinkDelivery {
    const { messageBytesMax } = this.spec.limits;
    const builder = new PutBuilder({
      recordsMax: batchRecordsMax,
      bytesMax: messageBytesMax,
      arenaBytesGoal: Math.min(putBytesGoal, messageBytesMax / 2),
    });
    const { meter } = this.parts;
    const failures = new RecordFailures(this.spec, this.parts, this.#letters);
    const way = this.#way ?? new SinkLanes(this.parts);
    const fence = new PutFence(this.parts.suspects);
    const records = new SinkRecords(way, stream, builder, messageBytesMax, failures, meter, fence);
    const puts = new UnansweredPuts(this.spec, this.parts, gate);
    return new SinkDelivery(this.spec, this.parts, stream, records, puts, this.#letters);
  }

  /** Once asked to stop, an open, flush or put that does not end must not hold the task for ever. */
  async #limitStop(signal: AbortSignal, ended: AbortSignal, plugin: PluginSide): Promise<void> {
    const either = AbortSignal.any([signal, ended]);
    if (!either.aborted) await once(either, "abort");
    while (!ended.aborted) {
      await this.parts.clock.sleep(this.spec.limits.stopMsMax, ended);
      if (ended.aborted || !plugin.stream.isAsked) continue;
      await this.#condemn(plugin, "did not finish its last call");
      return;
    }
  }

  #consumer(delivery: SinkDelivery): SinkConsumer {
    const { connector, task } = this.spec.id;
    return this.parts.kafka.sinkConsumer({
      clientId: `connector-consumer-${connector}-${task}`,
      // The group that lag tools and access rules expect.
      groupId: `connect-${connector}`,
      topics: subscription(this.spec.connectorConfig),
      autoOffsetReset: "earliest",
      listener: delivery,
    });
  }

  async #loop(delivery: SinkDelivery, consumer: SinkConsumer, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && delivery.failure === undefined) {
      // Before the round, so that what happens during it still ends the poll.
      this.#polling = new AbortController();
      await delivery.beforePoll(this.target.paused);
      this.#showTarget();
      const fetched = await consumer.poll(delivery.pollMsMax, this.#polling.signal);
      if (fetched.length > 0) await delivery.deliver(fetched);
    }
  }

  #showTarget(): void {
    const state = this.target.paused ? "PAUSED" : "RUNNING";
    if (state === this.#shown) return;
    this.#shown = state;
    this.onState(state);
  }

  /** Notes what the plugin says of its own accord as it comes; the loop acts on it. */
  async #pump(stream: SinkStream, delivery: SinkDelivery): Promise<void> {
    for (;;) {
      const event = await stream.nextEvent();
      if (event === undefined) {
        if (!this.#stopped) delivery.fail(goneError(await stream.ended));
        this.#wake();
        return;
      }
      delivery.note(event);
      this.#wake();
    }
  }

  #wake(): void {
    this.#polling?.abort();
  }

  /** Results, Flush, Close, commit (inside the consumer's close), then Stop. */
  async #finish(consumer: SinkConsumer | undefined, plugin: PluginSide): Promise<void> {
    const { stopMsMax } = this.spec.limits;
    if (consumer !== undefined) await this.#leave(consumer, plugin);
    this.#stopped = true;
    try {
      const failure = await plugin.stream.stop(stopMsMax);
      if (failure) this.parts.logger.warn({ reason: failure.text }, "the plugin's stop failed");
    } catch (error) {
      if (isLate(error)) await this.#condemn(plugin, "did not stop");
    }
  }

  /**
   * Leaves the group, which flushes, closes and commits. The plugin's part has a deadline; a log that is
   * slow to take the commit is the consumer's to bound, and no reason to end a process that others use.
   */
  async #leave(consumer: SinkConsumer, plugin: PluginSide): Promise<void> {
    const { delivery, stream } = plugin;
    const closing = consumer.close().then(
      () => "closed" as const,
      (error: unknown) => {
        delivery.failure ??= error;
        return "closed" as const;
      },
    );
    while ((await within(closing, this.spec.limits.stopMsMax, "late" as const)) === "late") {
      if (!stream.isAsked) continue;
      await this.#condemn(plugin, "did not finish its last put");
      await closing;
    }
  }

  async #condemn({ delivery, lease }: PluginSide, fault: string): Promise<void> {
    const reason = `task ${this.spec.id.connector}-${this.spec.id.task} ${fault}`;
    this.parts.logger.warn({ reason }, "the task did not stop in time, ending its process");
    delivery.fail(goneError(reason));
    await lease.condemn(reason);
  }
}
