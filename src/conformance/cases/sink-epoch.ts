/** Clauses on retry, rewind, pause and failure of a sink; they need a sink that can be put in the mood. */
import { Blocked, type Clause, must, NotJudged } from "../clause.ts";
import { pause } from "../running.ts";
import { putTopic } from "../sink-end.ts";
import { type Trial, whatCame } from "../trial.ts";
import { wordsOf } from "./sink.ts";
import { mustStop } from "./task.ts";

const section7 = "proto/README.md, section 7";
const epochRule =
  "A put whose epoch is below the plugin's is answered discarded without running, and its credit " +
  "given back.";

/** Judged for each sink class whose setup describes the situation. */
export const sinkEpochClauses: readonly Clause[] = [
  {
    id: "sink.retry",
    title: "puts behind a retry are discarded until the host has seen it",
    rule: epochRule,
    place: section7,
    hint: "raise the epoch by one with each retry; compare before user code runs",
    of: "sink",
    run: (trial) =>
      mustDiscard(trial, "retries", (task) =>
        task.of("putResult").find(({ kind }) => kind.case === "retry"),
      ),
  },
  {
    id: "sink.rewind",
    title: "puts behind a rewind are discarded until the host has seen it",
    rule: epochRule,
    place: section7,
    hint: "raise the epoch by one with each Rewind",
    of: "sink",
    run: (trial) => mustDiscard(trial, "rewinds", (task) => task.of("rewind")[0]),
  },
  {
    id: "sink.pause",
    title: "puts behind a pause are discarded until the host has seen it",
    rule: epochRule,
    place: section7,
    hint: "raise the epoch by one with each PausePartitions",
    of: "sink",
    run: (trial) => mustDiscard(trial, "pauses", (task) => task.of("pause")[0]),
  },
  {
    id: "sink.runs",
    title: "results record by record add up to the batch",
    rule: "runs: record by record: stored or failed; the counts add up to the batch.",
    place: section7,
    hint: "count every record of the batch in exactly one run",
    of: "sink",
    async run(trial) {
      const { task } = await trial.sink({ situation: "failsRecords" });
      task.put([{ value: "one" }, { value: "two" }, { value: "three" }]);
      await task.resultsWithin(1, trial.answerMs);
      const runs = task.of("putResult").flatMap((one) => (one.kind.case === "runs" ? [one] : []));
      if (runs.length === 0) throw new NotJudged("no result came record by record");
      for (const { putSeq, kind } of runs) {
        const list = kind.case === "runs" ? kind.value.runs : [];
        const sum = list.reduce((total, { count }) => total + count, 0);
        const { count } = task.puts[Number(putSeq) - 1] ?? { count: 0 };
        must(sum === count, `the runs of put ${putSeq} add up to ${sum}, not ${count}`);
        const empty = list.find(({ outcome }) => outcome?.kind.case === undefined);
        must(empty === undefined, `a run of put ${putSeq} has no outcome`);
      }
    },
  },
  {
    id: "sink.stop-blocked",
    title: "stops while a put hangs",
    rule: "On Stop the reader fires the cancel signal at once; every wait has a deadline.",
    place: section7,
    hint: "give user code a signal to end by, and answer when it does",
    of: "sink",
    async run(trial) {
      const { task } = await trial.sink({ situation: "blocks" });
      task.put([{ value: "this one hangs" }]);
      task.put([{ value: "this one waits" }]);
      await pause(trial.quietMs);
      await mustStop(trial, task, "Stop while a put hangs");
      must(task.resultOf(2) !== undefined, "the put behind got no result before stopped");
    },
  },
  {
    id: "sink.after-failure",
    title: "after its failure a sink still answers Flush, Close and Stop",
    rule: "After a Failure of the task the rest of the ending is still played: a sink gets Flush and Close, both get Stop and answer it.",
    place: "proto/README.md, section 5",
    hint: "let a failure end the puts, not the queue",
    of: "sink",
    async run(trial) {
      const { task } = await trial.sink({ situation: "fails" });
      task.put([{ value: "this one fails" }]);
      task.put([{ value: "this one comes after" }]);
      const failed = () =>
        task.of("failure").length > 0 ||
        task.of("putResult").some(({ kind }) => kind.case === "failure") ||
        undefined;
      if ((await task.until(failed, trial.answerMs)) === undefined) {
        throw new NotJudged("the sink did not fail");
      }
      await task.resultsWithin(2, trial.answerMs);
      const second = task.resultOf(2)?.kind.case;
      must(second === "discarded", `the put behind the failure got ${wordsOf(task.resultOf(2))}`);
      task.flush();
      const flushed = await task.first("flushResult", trial.answerMs);
      must(flushed !== undefined, `Flush got no answer: ${whatCame(task)}`);
      task.close([{ topic: putTopic, partition: 0 }]);
      const closed = await task.first("closed", trial.answerMs);
      must(closed !== undefined, `Close got no answer: ${whatCame(task)}`);
      await mustStop(trial, task, "Stop after a failure");
    },
  },
];

type Sink = Awaited<ReturnType<Trial["sink"]>>["task"];

/** Put 1 makes the plugin ask for something again; those on their way are void. */
async function mustDiscard(
  trial: Trial,
  situation: string,
  asked: (task: Sink) => { readonly epoch: bigint } | undefined,
): Promise<void> {
  const { task } = await trial.sink({ situation });
  task.put([{ value: "first" }], 0n);
  const request = await task.until(() => asked(task), trial.answerMs);
  if (request === undefined) {
    throw new NotJudged(`the sink did not do what the situation ${situation} says`);
  }
  must(request.epoch === 1n, `it carried the epoch ${request.epoch} instead of 1`);
  const old = [task.put([{ value: "first again" }], 0n), task.put([{ value: "second" }], 0n)];
  await task.resultsWithin(3, trial.answerMs);
  for (const { seq } of old) {
    const result = task.resultOf(seq);
    must(result?.kind.case === "discarded", `a put of epoch 0 was answered ${wordsOf(result)}`);
  }
  if (situation !== "retries") {
    const offsets = [{ topic: putTopic, partition: 0, offset: 0n }];
    if (situation === "rewinds") task.send({ case: "rewound", value: { offsets } });
  }
  const now = task.put([{ value: "first, once more" }], task.epoch);
  await task.resultsWithin(4, trial.answerMs);
  const result = task.resultOf(now.seq);
  if (result === undefined) throw new Blocked("sink.results", "a put got no result");
  must(result.kind.case !== "discarded", "a put of the new epoch was discarded too");
}
