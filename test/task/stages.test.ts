/** Chains with a stage that lives in a plugin, in tasks: in parts, tried again, gone. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { TaskError } from "../../src/base/error.ts";
import { createConverter } from "../../src/convert/converters.ts";
import type { Failure, SourceOffset, StagePart, StageStream } from "../../src/plugin/plugin.ts";
import { type Columns, emptyColumns, nullForm } from "../../src/record/columns.ts";
import { SourceTask } from "../../src/task/source-task.ts";
import { PluginStage } from "../../src/transform/plugin-stage.ts";
import type { Step } from "../../src/transform/step.ts";
import { transient } from "../harness/fake-sink.ts";
import { FakeProducer, FakeSourceStream } from "../harness/fake-source.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

const unfinished = new Set<() => void>();
afterEach(() => {
  for (const end of unfinished) end();
  unfinished.clear();
});

const soon = { withinMs: 20_000 };

/** Doubles texts; `drop`, `busy` (twice) and `bad` are orders. */
class DoublingStage implements StageStream {
  readonly batches: string[][] = [];
  readonly ended = new Promise<string>(() => {});
  busyTimes = 2;
  gone = false;
  closed = false;

  topicId(): number {
    return 1;
  }

  formId(): number {
    return 1;
  }

  nameId(): number {
    return 1;
  }

  forget(): void {}

  async room(): Promise<void> {}

  async run(operation: string, columns: Columns): Promise<readonly StagePart[]> {
    assert.equal(operation, "apply");
    const values = textsOf(columns);
    this.batches.push(values);
    if (this.gone) throw new TaskError("plugin.gone", "its process was killed");
    const kept: string[] = [];
    const runs = values.map((value) => {
      if (value === "drop") return { count: 1, verdict: "filtered" as const };
      const failure = this.#failureOf(value);
      if (failure !== undefined) return { count: 1, verdict: "failed" as const, failure };
      kept.push(value + value);
      return { count: 1, verdict: "ok" as const };
    });
    const definitions = {
      ...{ topics: [undefined, "t"], names: [], partitions: [] },
      forms: [nullForm, { encoding: "text" as const, schema: null }],
    };
    return [{ runs, columns: columnsOf(kept), definitions }];
  }

  #failureOf(value: string): Failure | undefined {
    if (value === "bad") {
      return { ...transient, class: "data", text: "not this one", exceptionClass: "acme.No" };
    }
    if (value !== "busy" || this.busyTimes === 0) return undefined;
    this.busyTimes -= 1;
    return transient;
  }

  async stop(): Promise<undefined> {
    this.closed = true;
    return undefined;
  }
}

function textsOf({ arena, valueSizes }: Columns): string[] {
  let at = 0;
  return [...valueSizes].map((size) => {
    const text = Buffer.from(arena).toString("utf8", at, at + size - 1);
    at += size - 1;
    return text;
  });
}

function columnsOf(values: readonly string[]): Columns {
  const columns = emptyColumns();
  columns.count = values.length;
  columns.arena = Buffer.from(values.join(""));
  columns.valueSizes = Uint32Array.from(values, (value) => value.length + 1);
  columns.valueForms = Uint32Array.of(1);
  columns.topics = Uint32Array.of(1);
  return columns;
}

function sourceWith(config: Record<string, string>) {
  const stream = new FakeSourceStream();
  const producer = new FakeProducer();
  const stage = new DoublingStage();
  const lease = leaseOf({ startSourceTask: async () => stream });
  const written: (string | null)[] = [];
  const transform = new PluginStage("transforms", "acme.Doubling", {});
  const step: Step = {
    ...{ alias: "d", className: "acme.Doubling", transform, predicate: null, negate: false },
    touches: ["key", "value", "headers"],
  };
  const parts = {
    ...taskParts(lease, { producer: () => producer }),
    keyConverter: createConverter("String", {}, "key"),
    valueConverter: createConverter("String", {}, "value"),
    headerConverter: createConverter("Simple", {}, "header"),
    createSteps: async () => [step],
    openStage: async () => ({ stream: stage, close: async () => void (await stage.stop()) }),
    offsets: {
      read: async () => [],
      write: async (_connector: string, offsets: readonly SourceOffset[]) => {
        written.push(...offsets.map((one) => one.offset));
      },
    },
  };
  const spec = { ...taskSpec("source"), connectorConfig: config };
  const task = new SourceTask(spec, parts, "STARTED", () => {});
  const stopping = new AbortController();
  const running = task.run(stopping.signal);
  running.catch(() => {});
  unfinished.add(() => {
    stopping.abort();
    stream.die("the test is over");
  });
  const stop = () => {
    stopping.abort();
    return running;
  };
  return { stream, producer, stage, task, running, stop, written };
}

test("a batch goes to the stage in one piece, and what it says of each record counts (I7)", async () => {
  const source = sourceWith({ "errors.tolerance": "all" });
  source.stream.records(["a", "drop", "bad", "b"], 0);
  await waitFor(() => source.producer.values.length === 2, { ...soon, what: "what is kept" });
  await source.stop();
  assert.deepEqual(source.stage.batches, [["a", "drop", "bad", "b"]]);
  assert.deepEqual(source.producer.values, ["aa", "bb"]);
  const { meter } = source.task;
  assert.equal(meter.recordsFilteredTotal, 1);
  assert.equal(meter.totalRecordsSkipped, 1);
  assert.deepEqual(source.written, ['{"n":4}']);
  assert.ok(source.stage.closed, "the stage is closed behind its task");
});

test("only the record that may pass goes to the stage again", async () => {
  const source = sourceWith({ "errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "1" });
  source.stream.records(["a", "busy", "b"], 0);
  await waitFor(() => source.producer.values.length === 3, { ...soon, what: "all records" });
  await source.stop();
  assert.deepEqual(source.stage.batches, [["a", "busy", "b"], ["busy"], ["busy"]]);
  assert.deepEqual(source.producer.values, ["aa", "busybusy", "bb"]);
  assert.equal(source.task.meter.totalRetries, 2);
});

test("a failure of the stage names the record, and ends a task that tolerates none", async () => {
  const source = sourceWith({});
  source.stream.records(["a", "bad"], 0);
  await assert.rejects(source.running, (error: Error) => {
    const { message, cause } = error.cause as Error;
    assert.match(message, /^transforming the record .* failed in acme\.Doubling$/);
    assert.equal((cause as Error).message, "not this one");
    return true;
  });
  assert.deepEqual(source.written, ['{"n":1}']);
});

test("I1: a stage that is gone fails the task, and nothing of its batch is committed", async () => {
  const source = sourceWith({ "errors.tolerance": "all" });
  source.stage.gone = true;
  source.stream.records(["a", "b"], 0);
  await assert.rejects(source.running, { code: "plugin.gone" });
  assert.deepEqual(source.producer.values, []);
  assert.deepEqual(source.written, []);
});
