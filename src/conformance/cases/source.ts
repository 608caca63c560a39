/** Clauses on what a source sends, and on the credit and acknowledgements that it lives by. */
import { FailureClass } from "../../plugin/gen/bulkhead/plugin/v1/error_pb.ts";
import { type Clause, must, NotJudged } from "../clause.ts";
import { enumName } from "../enum-name.ts";
import { messageBytesMax } from "../host-end.ts";
import { groupRssBytes } from "../process-facts.ts";
import { pause } from "../running.ts";
import type { SourceEnd } from "../source-end.ts";
import { type TaskOptions, type TaskRun, type Trial, whatCame } from "../trial.ts";
import { mustStop } from "./task.ts";

const section6 = "proto/README.md, section 6";
const section5 = "proto/README.md, section 5";
const section8 = "proto/README.md, section 8";
const plenty = 100_000_000;

/** Waits for so many batches. @throws NotJudged when the source has not that many to give */
export async function untilBatches(task: SourceEnd, count: number, withinMs: number) {
  const enough = () => (task.batches.length >= count ? true : undefined);
  if ((await task.until(enough, withinMs)) === true) return;
  const failure = whatCame(task).slice(-300);
  throw new NotJudged(
    `the source gave ${task.batches.length} batches, ${count} are needed; its stream said: ${failure}`,
  );
}

/** Resolves when nothing has come for a while; false when that does not happen in time. */
export async function untilQuiet(
  { running, task }: TaskRun<SourceEnd>,
  quietMs: number,
  withinMs: number,
) {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const count = task.batches.length;
    await running.quiet(quietMs);
    if (task.batches.length === count) return true;
  }
  return false;
}

/** A source with a few batches out, fed with enough for a few more. */
async function flowing(trial: Trial, batches = 2, options: TaskOptions = {}) {
  const run = await trial.source(options);
  run.task.keepFed();
  await untilBatches(run.task, batches, trial.answerMs);
  return run;
}

/** Judged for each source class. */
export const sourceClauses: readonly Clause[] = [
  {
    id: "source.zero-credit",
    title: "sends no record before it has credit",
    rule: "Both credits start at 0. Sending needs both above zero.",
    place: section5,
    hint: "wait for Credit before the first batch; definitions and started need none",
    of: "source",
    async run(trial) {
      const { running, task } = await trial.source();
      await running.quiet(2 * trial.quietMs);
      must(task.batches.length === 0, `${task.batches.length} batches came without credit`);
      task.give(0, plenty);
      await running.quiet(trial.quietMs);
      must(task.batches.length === 0, "a batch came with credit for bytes but not for records");
      task.give(plenty, 0);
      await untilBatches(task, 1, trial.answerMs);
    },
  },
  {
    id: "source.byte-credit",
    title: "one batch may overdraw the credit for bytes, the next one waits",
    rule: "Sending needs both above zero and may then overdraw. So one large record always passes.",
    place: section5,
    hint: "subtract what a batch costs by the size formula; go on when both are above zero again",
    of: "source",
    run: (trial) => mustOverdrawOnce(trial, plenty, 1),
  },
  {
    id: "source.record-credit",
    title: "one batch may overdraw the credit for records, the next one waits",
    rule: "A batch costs max(1, count) records. Sending needs both above zero and may then overdraw.",
    place: section5,
    hint: "keep two counters; a batch needs both",
    of: "source",
    run: (trial) => mustOverdrawOnce(trial, 1, plenty),
  },
  {
    id: "source.batch-seq",
    title: "batches are numbered from 1",
    rule: "batch_seq starts at 1 and rises by 1.",
    place: section6,
    hint: "one counter for each stream",
    of: "source",
    async run(trial) {
      const { task } = await flowing(trial);
      const seqs = task.batches.map(({ seq }) => seq);
      const right = seqs.every((seq, index) => seq === index + 1);
      must(right, `the numbers were ${seqs.slice(0, 10).join(", ")}`);
    },
  },
  {
    id: "source.columns",
    title: "columns have the right lengths and use ids that were defined",
    rule: "A column has one of the lengths in the table; ids are defined before the first batch that uses them.",
    place: section8,
    hint: "compare with the worked example in section 8, byte by byte",
    of: "source",
    async run(trial) {
      const { task } = await flowing(trial, 2);
      must(task.faults.length === 0, task.faults.slice(0, 3).join("; "));
      const empty = task.rows.find(({ topic }) => topic === "");
      must(empty === undefined, "a record has an empty topic");
    },
  },
  {
    id: "source.size",
    title: "no batch is over the size limit",
    rule: "arena + offset_arena + 64 × (records + headers) + 4,096 ≤ max_message_bytes.",
    place: section5,
    hint: "cut a batch before it gets there",
    of: "source",
    async run(trial) {
      const large =
        trial.class.setup.situations["large"] === undefined ? {} : { situation: "large" };
      const { task } = await trial.source(large);
      task.keepFed(1, 1);
      await untilBatches(task, 1, trial.answerMs);
      const over = task.batches.find(({ costBytes }) => costBytes > messageBytesMax);
      must(over === undefined, `batch ${over?.seq} has a size of ${over?.costBytes} bytes`);
    },
  },
  {
    id: "source.large-record",
    title: "a record as large as the limit allows passes, with little credit",
    rule: "Sending needs both above zero and may then overdraw. So one large record always passes.",
    place: section5,
    hint: "do not compare the size of a batch with the credit",
    of: "source",
    async run(trial) {
      const { task } = await trial.source({ situation: "large" });
      task.give(1, 1);
      await task.until(() => task.batches[0], trial.answerMs);
      const cost = task.batches[0]?.costBytes ?? 0;
      must(task.batches.length > 0, `no batch came: ${whatCame(task)}`);
      must(cost > messageBytesMax / 2, `the first batch has only ${cost} bytes`);
    },
  },
  {
    id: "source.too-large",
    title: "a record over the limit fails the task with its size and the limit",
    rule:
      "A single record over the limit is a Failure with class DATA that names the record's size and " +
      "the limit.",
    place: section5,
    hint: "check each record before it is packed",
    of: "source",
    async run(trial) {
      const { running, task } = await trial.source({ situation: "tooLarge" });
      task.keepFed();
      const failure = await task.first("failure", trial.answerMs);
      must(failure !== undefined, `no failure came: ${whatCame(task)}`);
      const { failureClass, text } = failure;
      must(
        failureClass === FailureClass.DATA,
        `its class is ${enumName(FailureClass, failureClass)}`,
      );
      const limit = text.replaceAll(/[,_]/g, "").includes(String(messageBytesMax));
      must(limit, `its text does not name the limit of ${messageBytesMax} bytes: ${text}`);
      must(await running.answers(trial.answerMs), "the session ended too");
    },
  },
  {
    id: "source.after-failure",
    title: "after its failure a source sends nothing more and still answers Stop",
    rule:
      "A Failure says that the task is over but leaves the stream open until Stop has been answered. " +
      "A source gets its last Acked and Committed.",
    place: section5,
    hint: "keep reading after a Failure; send stopped only when asked",
    of: "source",
    async run(trial) {
      const situation = trial.class.setup.situations["fails"] === undefined ? "tooLarge" : "fails";
      const { running, task } = await trial.source({ situation });
      task.keepFed();
      const failed = await task.first("failure", trial.answerMs);
      if (failed === undefined) throw new NotJudged("the source did not fail");
      await running.quiet(trial.quietMs);
      must(task.ended === undefined, "it ended the stream before it was stopped");
      const at = task.messages.findIndex(({ kind }) => kind.case === "failure");
      const after = task.messages.slice(at + 1).find(({ kind }) => kind.case === "records");
      must(after === undefined, "records came after the failure");
      const last = task.batches.at(-1)?.seq ?? 0;
      if (last > 0) task.ack(last);
      task.commit(last);
      await mustStop(trial, task, "Stop after a failure");
    },
  },
  {
    id: "source.credit-is-no-ack",
    title: "goes on though nothing is acknowledged",
    rule: "Credit is not acknowledgement. A source may have far more records unacknowledged than its window.",
    place: section5,
    hint: "send whenever there is credit; what is unacknowledged is only counted",
    of: "source",
    async run(trial) {
      const { running, task } = await trial.source();
      task.keepFed();
      const more = () => (task.batches.length >= 4 ? true : undefined);
      if ((await task.until(more, 4_000)) === true) return;
      const before = task.batches.length;
      if (before === 0) throw new NotJudged("the source gave no record");
      task.ack(before);
      task.commit(before);
      await running.quiet(trial.quietMs);
      const after = task.batches.length;
      must(after === before, `after ${before} batches it waited until they were acknowledged`);
      throw new NotJudged(`the source gave ${before} batches, 4 are needed`);
    },
  },
  {
    id: "source.acks-cumulative",
    title: "takes acknowledgements of many batches at once, and commits, also empty ones",
    rule: "Acked is cumulative and in order. Committed is sent after every successful commit, even one with nothing new.",
    place: section6,
    hint: "drop everything up to `through`, however much that is",
    of: "source",
    async run(trial) {
      const { running, task } = await flowing(trial, 3);
      task.ack(1);
      task.ack(3);
      task.commit(3);
      task.send({ case: "committed", value: { offsets: [] } });
      const last = task.batches.length;
      if (last > 3) task.ack(last);
      task.commit(last);
      task.send({ case: "committed", value: { offsets: [] } });
      await running.quiet(trial.quietMs);
      must(running.program.exit === undefined, running.program.lastWords);
      const over = task.ended !== undefined || task.of("failure").length > 0;
      must(!over, `the task ended: ${whatCame(task)}`);
    },
  },
  {
    id: "source.runs-wrong",
    title: "outcomes that do not add up end the task at most, not the process",
    rule: "Runs add up to the count of what they answer; anything else is a protocol error, which ends that task. The session stays.",
    place: "proto/README.md, section 9",
    hint: "raise it in the task, where it becomes a Failure",
    of: "source",
    async run(trial) {
      const { running, task } = await flowing(trial, 1);
      const outcome = { kind: { case: "stored", value: {} } } as const;
      const runs = [{ count: 1_000_000, outcome }, { count: 1 }];
      task.send({ case: "acked", value: { through: 1n, runs } });
      await running.quiet(trial.quietMs);
      const answered = await running.answers(trial.answerMs);
      must(answered, `it answered no request any more; ${running.program.lastWords}`);
      await mustStop(trial, task, "Stop after runs that do not add up");
    },
  },
  {
    id: "source.poll-end",
    title: "the batch that ends a poll says so",
    rule: "poll_end is set on the batch that ends what one poll returned.",
    place: section6,
    hint: "without it the host cannot commit the last offset",
    of: "source",
    async run(trial) {
      const run = await flowing(trial, 1);
      const { task } = run;
      task.send({ case: "pause", value: {} });
      const quiet = await untilQuiet(run, trial.quietMs, trial.answerMs);
      if (!quiet) throw new NotJudged("the source did not pause");
      must(task.batches.at(-1)?.pollEnd === true, "the last batch before a pause has no poll_end");
    },
  },
  {
    id: "source.pause",
    title: "pauses and resumes",
    rule: "PauseSource: start no new poll; the running one is sent to its end. ResumeSource ends that.",
    place: section6,
    hint: "look at the flag before each poll",
    of: "source",
    async run(trial) {
      const run = await flowing(trial, 1);
      const { task } = run;
      task.send({ case: "pause", value: {} });
      const quiet = await untilQuiet(run, trial.quietMs, 4_000);
      must(quiet, "records still came 4 s after PauseSource");
      const before = task.batches.length;
      task.send({ case: "resume", value: {} });
      await untilBatches(task, before + 1, trial.answerMs);
    },
  },
  {
    id: "source.memory",
    title: "does not pile up records while it has no credit",
    rule: "A source polls no further while a batch waits for credit.",
    place: section5,
    hint: "wait for credit before the next poll, not after it",
    of: "source",
    async run(trial) {
      const { running, task } = await trial.source();
      task.give(1, 1);
      await untilBatches(task, 1, trial.answerMs);
      await pause(500);
      const before = groupRssBytes(running.program.pid);
      if (before === undefined) throw new NotJudged("this system does not tell a process's memory");
      await pause(2_500);
      const mib = Math.round(((groupRssBytes(running.program.pid) ?? 0) - before) / 2 ** 20);
      must(mib <= 48, `its memory grew by ${mib} MiB in 2.5 s without credit`);
    },
  },
];

/** One batch with that credit, then silence, then another one when exactly its cost came back. */
async function mustOverdrawOnce(trial: Trial, records: number, bytes: number): Promise<void> {
  const { running, task } = await trial.source();
  task.give(records, bytes);
  await untilBatches(task, 1, trial.answerMs);
  await running.quiet(trial.quietMs);
  must(task.overdrafts.length === 0, task.overdrafts[0] ?? "");
  const [first] = task.batches;
  if (task.batches.length > 1 || first === undefined) return;
  task.give(first.costRecords, first.costBytes);
  const second = await task.until(() => task.batches[1], 4_000);
  if (second !== undefined) return;
  task.give(plenty, plenty);
  await running.quiet(trial.quietMs);
  must(
    task.batches.length === 1,
    "given back exactly what its first batch cost it sent nothing; it went on with more",
  );
  throw new NotJudged("the source gave one batch, two are needed");
}
