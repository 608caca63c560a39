/** Clauses on how a source drains, stops, and goes on after any end. */
import { type Clause, must, NotJudged } from "../clause.ts";
import { canonicalJson } from "../json-text.ts";
import { pause, type Running } from "../running.ts";
import type { SourceRow } from "../source-batch.ts";
import type { SourceEnd } from "../source-end.ts";
import type { TaskRun, Trial } from "../trial.ts";
import { whatCame } from "../trial.ts";
import { untilBatches } from "./source.ts";
import { mustStop } from "./task.ts";

const section6 = "proto/README.md, section 6";
const drainRule =
  "Drain is final. Cancel the running poll at once, send what there is credit for, drop the rest, " +
  "then send Drained. Nothing but Failure and Stopped follows.";
const resumeRule =
  "Offset texts come back exactly as they were sent; what was not committed is read again, and " +
  "nothing else.";

/** Judged for each source class. */
export const sourceEndClauses: readonly Clause[] = [
  {
    id: "source.drain-busy",
    title: "drains while records flow",
    rule: drainRule,
    place: section6,
    hint: "let Drain fire the poll's cancel signal; send drained behind the last batch",
    of: "source",
    async run(trial) {
      const run = await trial.source();
      run.task.keepFed();
      await untilBatches(run.task, 1, trial.answerMs);
      await mustDrain(trial, run);
    },
  },
  {
    id: "source.drain-blocked",
    title: "drains while it waits for credit",
    rule: drainRule,
    place: section6,
    hint: "drop the batch that waits; it will be read again",
    of: "source",
    async run(trial) {
      const run = await trial.source();
      await pause(trial.quietMs);
      await mustDrain(trial, run);
    },
  },
  {
    id: "source.drain-paused",
    title: "drains while it is paused",
    rule: drainRule,
    place: section6,
    hint: "let Drain end the wait for ResumeSource",
    of: "source",
    async run(trial) {
      const run = await trial.source();
      run.task.send({ case: "pause", value: {} });
      await pause(trial.quietMs);
      await mustDrain(trial, run);
    },
  },
  {
    id: "source.stop-blocked",
    title: "stops while it waits for credit",
    rule: "Only Stopped answers Stop; every wait has a deadline.",
    place: section6,
    hint: "let Stop end the wait for credit",
    of: "source",
    async run(trial) {
      const { task } = await trial.source();
      task.give(1, 1);
      await pause(trial.quietMs);
      await mustStop(trial, task, "a Stop without credit");
    },
  },
  {
    id: "source.resume",
    title: "goes on exactly behind the committed offset after a stop",
    rule: resumeRule,
    place: section6,
    hint: "read the offset with ReadOffsets when the task starts; begin with the record behind it",
    of: "source",
    run: (trial) =>
      mustResume(trial, async (_, task) => {
        await mustStop(trial, task).catch(() => {});
      }),
  },
  {
    id: "source.resume-after-kill",
    title: "goes on exactly behind the committed offset after SIGKILL while records flow",
    rule: resumeRule,
    place: section6,
    hint: "keep no state of your own that a crash leaves half done: lock files, local positions",
    of: "source",
    run: (trial) => mustResume(trial, (running) => kill(running)),
  },
  {
    id: "source.resume-after-blocked-kill",
    title: "goes on exactly behind the committed offset after SIGKILL while draining",
    rule: resumeRule,
    place: section6,
    hint: "an offset counts when the host says Committed, not when its record was sent",
    of: "source",
    run: (trial) =>
      mustResume(trial, async (running, task) => {
        task.send({ case: "drain", value: {} });
        await task.first("drained", trial.quietMs);
        await kill(running);
      }),
  },
  {
    id: "source.restart-after-kill",
    title: "starts after a SIGKILL in the middle of its start",
    rule: "Whatever became of a process, the host starts a new one, which starts where the offsets say.",
    place: "proto/README.md, section 2",
    hint: "a start has to cope with what a killed one left",
    of: "source",
    async run(trial) {
      // Its first call gets no answer: that is the middle of a start.
      const { running, configs } = await trial.prepared({ script: { onCall: () => {} } });
      trial.sendStartTask(running, configs);
      await running.until(() => running.session.calls[0], trial.quietMs);
      await kill(running);
      const { task } = await trial.source();
      task.keepFed();
      must(task.of("failure").length === 0, `the next one failed: ${whatCame(task)}`);
    },
  },
];

async function kill(running: Running): Promise<void> {
  running.program.signal("SIGKILL");
  await running.exited(2_000);
}

async function mustDrain(trial: Trial, { running, task }: TaskRun<SourceEnd>): Promise<void> {
  task.send({ case: "drain", value: {} });
  const drained = await task.first("drained", trial.answerMs);
  must(drained !== undefined, `no drained came: ${whatCame(task)}`);
  await running.quiet(trial.quietMs);
  const at = task.messages.findIndex(({ kind }) => kind.case === "drained");
  const after = task.messages.slice(at + 1).map(({ kind }) => kind.case);
  const wrong = after.find((name) => name !== "failure" && name !== "stopped");
  must(wrong === undefined, `after drained came ${wrong}`);
  const last = task.batches.at(-1)?.seq ?? 0;
  if (last > 0) task.ack(last);
  task.commit(last);
  await mustStop(trial, task, "Stop after Drained");
}

/** Runs, commits in the middle, ends somehow, runs again: the same records have to follow. */
async function mustResume(
  trial: Trial,
  end: (running: Running, task: SourceEnd) => Promise<void>,
): Promise<void> {
  const first = await trial.source();
  first.task.keepFed(200);
  await untilBatches(first.task, 3, trial.answerMs);
  first.task.stopFeeding();
  const through = first.task.batches.find(({ pollEnd, offsets }) => pollEnd && offsets.size > 0);
  const followers = first.task.batches
    .filter(({ seq }) => seq > (through?.seq ?? 0))
    .flatMap(({ rows }) => rows);
  if (through === undefined || followers.length === 0) {
    throw new NotJudged("it gave no poll with offsets and another one behind it");
  }
  first.task.ack(through.seq);
  const offsets = first.task.commit(through.seq);
  if (offsets.size === 0) throw new NotJudged("its records have no offsets");
  await end(first.running, first.task);
  await first.running.close();
  await mustFollow(trial, first.task, offsets, followers);
}

async function mustFollow(
  trial: Trial,
  before: SourceEnd,
  offsets: ReadonlyMap<string, string>,
  followers: readonly SourceRow[],
): Promise<void> {
  const running = await trial.ready();
  for (const [partition, offset] of offsets) {
    running.host.offsets.set(canonicalJson(partition), offset);
  }
  const { task } = await trial.source({ running });
  task.keepFed(200);
  const wanted = Math.min(followers.length, 20);
  await task.until(() => (task.rows.length >= wanted ? true : undefined), trial.answerMs);
  const expected = byPartition(followers.slice(0, wanted), before.perRecord);
  const came = byPartition(task.rows, task.perRecord);
  for (const [partition, rows] of expected) {
    const found = came.get(partition) ?? [];
    rows.forEach((row, index) => {
      const other = found[index] ?? "nothing";
      const where = partition === "" ? "" : ` of ${partition}`;
      must(
        other === row,
        `record ${index + 1} behind the committed offset${where} was ${row} and is ${other} now`,
      );
    });
  }
}

/** Records as short texts, by source partition where each record names its own. */
function byPartition(rows: readonly SourceRow[], perRecord: boolean): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { partition, offset, value } of rows) {
    const key = perRecord ? canonicalJson(partition ?? "") : "";
    const text =
      perRecord && typeof offset === "string"
        ? canonicalJson(offset)
        : (value?.toString("latin1").slice(0, 80) ?? "null");
    found.set(key, [...(found.get(key) ?? []), text]);
  }
  return found;
}
