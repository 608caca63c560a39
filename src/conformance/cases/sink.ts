/** Clauses on the order of what a sink does, its results, credit and flushes. */
import { CloseReason, type PutResult } from "../../plugin/gen/bulkhead/plugin/v1/sink_pb.ts";
import { Blocked, type Clause, must, NotJudged } from "../clause.ts";
import { groupRssBytes } from "../process-facts.ts";
import { pause } from "../running.ts";
import { putTopic, type SinkEnd } from "../sink-end.ts";
import { type TaskOptions, type Trial, whatCame } from "../trial.ts";
import { mustStop } from "./task.ts";

const section7 = "proto/README.md, section 7";
const section5 = "proto/README.md, section 5";

/** What a result says, for a person. */
export function wordsOf(result: PutResult | undefined): string {
  if (result === undefined) return "no result";
  const { kind } = result;
  if (kind.case === "failure") return `failure: ${kind.value.text}`;
  return kind.case ?? "a result that says nothing";
}

/** A sink that has taken one record. @throws Blocked when it does not */
export async function takingSink(trial: Trial, options: TaskOptions = {}) {
  const run = await trial.sink(options);
  const { seq } = run.task.put([{ value: "the first record" }]);
  await run.task.resultsWithin(1, trial.answerMs);
  const result = run.task.resultOf(seq);
  if (result?.kind.case !== "ok" && result?.kind.case !== "runs") {
    throw new Blocked("sink.put", wordsOf(result));
  }
  return run;
}

/** Judged for each sink class. */
export const sinkClauses: readonly Clause[] = [
  {
    id: "sink.open-close",
    title: "Open and Close are each answered once",
    rule: "Open → Opened, Close → Closed. Close has a reason: REVOKED or LOST.",
    place: section7,
    hint: "answer also when the sink has nothing to do for it",
    of: "sink",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      const sink = task as SinkEnd;
      const partition = (number: number) => [{ topic: putTopic, partition: number }];
      const answered = async (name: "opened" | "closed", count: number) => {
        const all = () => (sink.of(name).length >= count ? sink.of(name) : undefined);
        const found = await sink.until(all, trial.answerMs);
        must(found?.length === count, `${found?.length ?? 0} ${name} came, not ${count}`);
        const failed = found.at(-1)?.failure;
        must(failed === undefined, `${name} has a failure: ${failed?.text}`);
      };
      sink.open(partition(0));
      await answered("opened", 1);
      sink.open(partition(1));
      await answered("opened", 2);
      sink.close(partition(0), CloseReason.REVOKED);
      await answered("closed", 1);
      sink.open(partition(0));
      await answered("opened", 3);
      sink.close([...partition(0), ...partition(1)], CloseReason.LOST);
      await answered("closed", 2);
      await running.quiet(trial.quietMs);
      must(sink.of("opened").length === 3, "an Open was answered twice");
      must(sink.of("closed").length === 2, "a Close was answered twice");
    },
  },
  {
    id: "sink.credit",
    title: "gives credit for records and bytes when it has started",
    rule: "Both credits start at 0; Credit adds. started, credit{records, bytes}.",
    place: section7,
    hint: "send Credit behind started, enough for a few large batches",
    of: "sink",
    async run(trial) {
      const { task } = await trial.startedTask();
      const sink = task as SinkEnd;
      await sink.until(() => sink.hasCredit || undefined, trial.answerMs);
      const given = `${sink.grantedRecords} records and ${sink.grantedBytes} bytes`;
      must(sink.hasCredit, `it gave ${given}`);
    },
  },
  {
    id: "sink.put",
    title: "takes records and says ok",
    rule: "Every Put gets exactly one PutResult; ok: every record was taken.",
    place: section7,
    hint: "see the failure; give a config that can run with --config or --setup",
    of: "sink",
    async run(trial) {
      const { task } = await trial.sink();
      const { seq } = task.put([{ value: "one" }, { value: "two" }, { value: "three" }]);
      await task.resultsWithin(1, trial.answerMs);
      const result = task.resultOf(seq);
      must(result?.kind.case === "ok" || result?.kind.case === "runs", wordsOf(result));
    },
  },
  {
    id: "sink.results",
    title: "twenty puts get twenty results, in order",
    rule: "Every Put gets exactly one PutResult, in order.",
    place: section7,
    hint: "one queue and one user thread",
    of: "sink",
    async run(trial) {
      const { running, task } = await takingSink(trial);
      for (let n = 0; n < 20; n += 1) task.put([{ value: `record ${n}` }]);
      await task.resultsWithin(21, trial.answerMs);
      await running.quiet(100);
      const seqs = task.of("putResult").map(({ putSeq }) => Number(putSeq));
      const right = seqs.length === 21 && seqs.every((seq, index) => seq === index + 1);
      must(right, `the results were for puts ${seqs.join(", ") || "none"}`);
    },
  },
  {
    id: "sink.epoch",
    title: "the epoch is 0 while nothing was asked again",
    rule: "The epoch is the plugin's, from 0; retry, failure, Rewind and PausePartitions raise it by one.",
    place: section7,
    hint: "an ok result carries the epoch as it is",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      task.put([{ value: "another" }], 0n);
      await task.resultsWithin(2, trial.answerMs);
      const asked = task.of("rewind").length + task.of("pause").length;
      if (asked > 0) throw new NotJudged("the sink asked for a rewind or a pause");
      const epochs = task.of("putResult").map(({ epoch }) => epoch);
      must(
        epochs.every((epoch) => epoch === 0n),
        `results carried the epochs ${epochs.join(", ")}`,
      );
    },
  },
  {
    id: "sink.credit-returned",
    title: "gives back exactly what a put cost, once",
    rule: "The receiver gives back exactly these two numbers, once, when the records have left its buffers.",
    place: section5,
    hint: "compute the cost from the columns by the formula of section 5, empty puts included",
    of: "sink",
    async run(trial) {
      const { running, task } = await takingSink(trial);
      await running.quiet(trial.quietMs);
      const records = task.grantedRecords;
      const bytes = task.grantedBytes;
      const headers = [{ name: "h", value: "x" }];
      const puts = [
        task.put([{ key: "k", value: "hello", headers }, { value: "again" }]),
        task.put([]),
        task.put([{ value: null, form: "tombstone" }]),
      ];
      await task.resultsWithin(4, trial.answerMs);
      await running.quiet(trial.quietMs);
      const costRecords = puts.reduce((sum, put) => sum + put.costRecords, 0);
      const costBytes = puts.reduce((sum, put) => sum + put.costBytes, 0);
      const backRecords = task.grantedRecords - records;
      const backBytes = task.grantedBytes - bytes;
      must(
        backRecords === costRecords && backBytes === costBytes,
        `of ${costRecords} records and ${costBytes} bytes it gave back ${backRecords} and ${backBytes}`,
      );
    },
  },
  {
    id: "sink.empty-put",
    title: "a put without records gets its result too",
    rule: "A batch has 0 to 10,000 records; at 0 all columns are empty. Every Put gets one PutResult.",
    place: section7,
    hint: "do nothing, say ok and give one record of credit back",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      const { seq } = task.put([]);
      await task.resultsWithin(2, trial.answerMs);
      const result = task.resultOf(seq);
      must(result?.kind.case === "ok" || result?.kind.case === "runs", wordsOf(result));
    },
  },
  {
    id: "sink.stream-order",
    title: "puts and flushes are done in stream order",
    rule: "Open, Close, Flush, Rewound and Put run one after the other, in stream order.",
    place: section7,
    hint: "put Flush into the same queue as Put",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      for (let n = 0; n < 5; n += 1) task.put([{ value: `before ${n}` }]);
      task.flush(1);
      task.put([{ value: "between" }]);
      task.flush(1);
      const both = () => (task.of("flushResult").length >= 2 ? true : undefined);
      await task.until(both, trial.answerMs);
      const story = task.messages.flatMap(({ kind }) => {
        if (kind.case === "putResult") return [`put ${kind.value.putSeq}`];
        return kind.case === "flushResult" ? [`flush ${kind.value.flushSeq}`] : [];
      });
      const expected = [1, 2, 3, 4, 5, 6].map((n) => `put ${n}`);
      expected.push("flush 1", "put 7", "flush 2");
      must(story.join() === expected.join(), `the answers came as ${story.join(", ")}`);
    },
  },
  {
    id: "sink.flush",
    title: "a flush is answered with no more than it named",
    rule: "FlushResult.safe says what may be committed: all of it, less, or nothing. Nothing beyond what was named.",
    place: section7,
    hint: "answer with the offsets of the Flush that are stored for good",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      task.put([{ value: "a" }, { value: "b" }]);
      await task.resultsWithin(2, trial.answerMs);
      const seqs = [task.flush(1), task.flush(3), task.flush()];
      const all = () => (task.of("flushResult").length >= seqs.length ? true : undefined);
      await task.until(all, trial.answerMs);
      const results = task.of("flushResult");
      const came = results.map(({ flushSeq }) => flushSeq).join();
      must(came === seqs.join(), `flushes ${seqs} were answered by results ${came || "none"}`);
      for (const [index, most] of [1n, 3n, -1n].entries()) {
        const result = results[index];
        if (result === undefined) continue;
        must(result.failure === undefined, `flush failed: ${result.failure?.text}`);
        for (const { topic, partition, offset = 0n } of result.safe) {
          const place = `${topic}-${partition} up to ${offset}`;
          const named = topic === putTopic && partition === 0 && offset <= most;
          must(named, `flush ${index + 1} named ${most < 0 ? "nothing" : most}; safe has ${place}`);
        }
      }
    },
  },
  {
    id: "sink.rebalance",
    title: "goes on after a rebalance: flush, close, open, put",
    rule: "Flush, FlushResult, Close, Closed, commit; Open and Close name only what is new or gone.",
    place: section7,
    hint: "closing one partition must not end the others",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      const own = [{ topic: putTopic, partition: 0 }];
      task.flush(1);
      await task.first("flushResult", trial.answerMs);
      task.close(own);
      await task.first("closed", trial.answerMs);
      task.open(own);
      const opened = await task.until(() => task.of("opened")[1], trial.answerMs);
      if (opened === undefined) throw new Blocked("sink.open-close", whatCame(task));
      const { seq } = task.put([{ value: "after the rebalance" }]);
      await task.resultsWithin(2, trial.answerMs);
      const result = task.resultOf(seq);
      must(result?.kind.case === "ok" || result?.kind.case === "runs", wordsOf(result));
    },
  },
  {
    id: "sink.stop-busy",
    title: "every put gets its result though Stop comes in between",
    rule: "On Stop puts still queued are answered discarded, the user's stop runs last.",
    place: section7,
    hint: "empty the queue before stopped",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      for (let n = 0; n < 50 && task.hasCredit; n += 1) task.put([{ value: `record ${n}` }]);
      await mustStop(trial, task, "Stop with puts queued");
      const missing = task.puts.filter(({ seq }) => task.resultOf(seq) === undefined);
      must(missing.length === 0, `${missing.length} puts got no result before stopped`);
      const kinds = new Set(task.of("putResult").map(wordsOf));
      const wrong = [...kinds].find((kind) => !["ok", "runs", "discarded"].includes(kind));
      must(wrong === undefined, `a put was answered with ${wrong}`);
    },
  },
  {
    id: "sink.restart-after-kill",
    title: "takes the same records again after SIGKILL in the middle of a put",
    rule: "Unanswered puts are undelivered: a new process gets them again.",
    place: "proto/README.md, section 3",
    hint: "a start has to cope with what a killed one left: lock files, torn lines",
    of: "sink",
    async run(trial) {
      const { running, task } = await takingSink(trial);
      for (let n = 0; n < 50 && task.hasCredit; n += 1) task.put([{ value: `record ${n}` }]);
      running.program.signal("SIGKILL");
      await running.exited(2_000);
      const again = await takingSink(trial).catch((error: unknown) => {
        if (error instanceof Blocked) return error;
        throw error;
      });
      must(!(again instanceof Blocked), `the next process did not: ${(again as Error).message}`);
    },
  },
  {
    id: "sink.memory",
    title: "keeps its memory within bounds when all its credit is used",
    rule: "Data is held back by credit: it bounds what a receiver holds.",
    place: section5,
    hint: "give no more credit than may lie in memory",
    of: "sink",
    async run(trial) {
      const { running, task } = await takingSink(trial);
      const before = groupRssBytes(running.program.pid);
      if (before === undefined) throw new NotJudged("this system does not tell a process's memory");
      const value = Buffer.alloc(256 * 1024, 120);
      let sent = 0;
      while (task.hasCredit && sent < 128) {
        task.put([{ value, form: { encoding: "text" } }]);
        sent += 1;
      }
      // Up to 32 MiB on a machine that has other work: as long as results come, it is only slow.
      let results = task.count("putResult");
      let deadline = performance.now() + 2 * trial.answerMs;
      while (performance.now() < deadline) {
        if (task.count("putResult") > results) {
          results = task.count("putResult");
          deadline = performance.now() + 2 * trial.answerMs;
        }
        const mib = Math.round(((groupRssBytes(running.program.pid) ?? 0) - before) / 2 ** 20);
        must(mib <= 256, `its memory grew by ${mib} MiB over puts of ${sent / 4} MiB`);
        if (task.count("putResult") > sent) return;
        await pause(50);
      }
      throw new Blocked(
        "sink.results",
        `${sent} puts of 256 KiB did not get their results in time`,
      );
    },
  },
];
