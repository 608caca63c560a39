/** Clauses on task streams, for sources and sinks alike. */
import { Blocked, type Clause, must, NotJudged } from "../clause.ts";
import type { Admission } from "../host-end.ts";
import { groupOpenFiles, groupRssBytes } from "../process-facts.ts";
import { pause, type Running } from "../running.ts";
import type { SinkEnd } from "../sink-end.ts";
import { SourceEnd } from "../source-end.ts";
import { type Trial, whatCame } from "../trial.ts";
import { unknownField } from "../wire-bytes.ts";

const streams = "proto/README.md, section 5";
const launch = "proto/README.md, section 2";

/** For what is written "at once": a machine that has other work may take its time over it. */
const helloMs = 2_000;

type Task = SourceEnd | SinkEnd;

const has = (task: Task, name: string) => task.has(name);

function sendStop(task: Task, timeoutMs: number): void {
  task.send({ case: "stop", value: { timeoutMs: BigInt(timeoutMs) } } as never);
}

/** Stop, then Stopped and the plugin's half-close. @throws Broken */
export async function mustStop(trial: Trial, task: Task, when = "Stop"): Promise<void> {
  sendStop(task, trial.answerMs);
  await task.until(() => has(task, "stopped"), trial.answerMs);
  must(has(task, "stopped") === true, `no stopped came after ${when}: ${whatCame(task)}`);
  const closed = await task.until(() => task.ended, trial.answerMs);
  must(closed === "half-closed", `after stopped the stream was ${closed ?? "not half-closed"}`);
}

/** Something for the task to do, so that what follows finds it busy. */
async function keepBusy(task: Task): Promise<void> {
  if (task instanceof SourceEnd) {
    task.keepFed();
    await task.until(() => task.batches[0], 1_000);
    return;
  }
  for (let put = 0; put < 20 && task.hasCredit; put += 1) task.put([{ value: `busy ${put}` }]);
}

async function openIfSink(trial: Trial, task: Task): Promise<void> {
  if (task instanceof SourceEnd) return;
  task.open([{ topic: "conformance", partition: 0 }]);
  await task.until(() => has(task, "opened"), trial.answerMs);
  if (!has(task, "opened")) throw new Blocked("sink.open-close", whatCame(task));
  await task.until(() => task.hasCredit || undefined, trial.answerMs);
  if (!task.hasCredit) throw new Blocked("sink.credit", "the sink gave no credit for puts");
}

async function preparedTask(trial: Trial, admission: Admission) {
  const { running, configs } = await trial.prepared();
  const { id, ticket } = trial.sendStartTask(running, configs, admission);
  return { running, configs, id, ticket };
}

/** Starts the same task again in the same process. @throws Broken */
async function mustStartAgain(
  trial: Trial,
  running: Running,
  configs: Parameters<Trial["sendStartTask"]>[1],
  why: string,
): Promise<void> {
  const { ticket } = trial.sendStartTask(running, configs);
  const begun = () => (ticket.stream && has(ticket.stream, "started")) || undefined;
  const started = await running.until(begun, trial.answerMs);
  must(started === true, `${why}: ${running.program.lastWords}`);
}

/** Judged for each class. */
export const taskClauses: readonly Clause[] = [
  {
    id: "task.start",
    title: "a task starts",
    rule: "StartTask is answered once the stream is open; started follows when user code's start returned.",
    place: streams,
    hint: "open the stream at the address given, write hello with the ticket, then start",
    of: "class",
    async run(trial) {
      const { running, id, ticket } = await preparedTask(trial, "at-once");
      const stream = await running.until(() => ticket.stream, trial.answerMs);
      must(stream !== undefined, `no task stream was opened; ${running.program.lastWords}`);
      await stream.until(() => has(stream, "started"), trial.answerMs);
      must(has(stream, "started") === true, `no started came: ${whatCame(stream)}`);
      const reply = await running.session.replyTo(id, trial.answerMs);
      must(reply?.kind.case === "startTask", `StartTask was answered with ${reply?.kind.case}`);
    },
  },
  {
    id: "task.hello-at-once",
    title: "the stream's first message is hello, written without waiting",
    rule: "The plugin opens the stream and writes at once hello{ticket}, without waiting for anything.",
    place: streams,
    hint: "write hello before you wait for the initial metadata",
    of: "class",
    async run(trial) {
      const { running, ticket } = await preparedTask(trial, "held");
      const stream = await trial.streamOf(running, ticket);
      await stream.until(() => has(stream, "hello"), helloMs);
      must(has(stream, "hello") === true, "no hello came before the host sent its metadata");
      must(stream.messages[0]?.kind.case === "hello", `the stream began with ${stream.story}`);
    },
  },
  {
    id: "task.ticket",
    title: "hello presents the ticket of its StartTask",
    rule: "The plugin opens the task stream and presents the ticket on it.",
    place: streams,
    hint: "copy the ticket as it is",
    of: "class",
    async run(trial) {
      const { running, ticket } = await preparedTask(trial, "at-once");
      const stream = await trial.streamOf(running, ticket);
      const presented = await stream.until(() => stream.presented, trial.answerMs);
      if (presented === undefined) throw new Blocked("task.hello-at-once", whatCame(stream));
      must(presented === ticket.text, "hello presented another ticket");
    },
  },
  {
    id: "task.waits-for-yes",
    title: "user code starts only after the host has taken the ticket",
    rule: "Initial metadata: the ticket was good: only now user code starts.",
    place: streams,
    hint: "wait for the call's initial metadata before the user's start",
    of: "class",
    async run(trial) {
      const { running, ticket } = await preparedTask(trial, "held");
      const stream = await trial.streamOf(running, ticket);
      // It serves while the host says nothing, so that a start has had its time.
      await running.answers(trial.answerMs);
      await running.quiet(trial.quietMs);
      const early = stream.messages.filter(({ kind }) => kind.case !== "hello");
      must(early.length === 0, `before the yes it sent ${early[0]?.kind.case}`);
      stream.accept();
      await stream.until(() => has(stream, "started"), trial.answerMs);
      must(has(stream, "started") === true, `no started came after the yes: ${whatCame(stream)}`);
    },
  },
  {
    id: "task.ticket-refused",
    title: "a refused ticket ends that stream and nothing else",
    rule:
      "A ticket that is unknown, late or used ends that new stream with PERMISSION_DENIED and " +
      "touches nothing else.",
    place: streams,
    hint: "treat it as the end of this start: reply, clean up, keep the session",
    of: "class",
    async run(trial) {
      const { running, configs, id, ticket } = await preparedTask(trial, "refused");
      await trial.streamOf(running, ticket);
      const { session } = running;
      const reply = await running.until(() => session.finalReplies(id)[0], trial.answerMs);
      must(reply !== undefined, `StartTask got no reply; ${running.program.lastWords}`);
      await running.quiet(100);
      const count = session.finalReplies(id).length;
      must(count === 1, `StartTask got ${count} replies`);
      await mustStartAgain(trial, running, configs, "the task could not be started afterwards");
    },
  },
  {
    id: "task.without-connector",
    title: "a task starts in a process without a Connector instance",
    rule:
      "A task never needs a StartConnectorRequest in the same process: in a cluster the two may " +
      "run on different machines.",
    place: "proto/README.md, section 4",
    hint: "take all that a task needs from StartTask",
    of: "class",
    async run(trial) {
      const { running, configs } = await trial.prepared();
      await running.close();
      const other = await trial.ready();
      await mustStartAgain(trial, other, configs, "no started came in a process of its own");
    },
  },
  {
    id: "task.unknown-message",
    title: "a message of a newer host on a task stream is ignored",
    rule: "A change is made by adding; ignore what you do not know.",
    place: "proto/README.md, section 11",
    hint: "do nothing for a message whose kind is not set",
    of: "class",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      task.sendBytes(unknownField());
      task.sendBytes(new Uint8Array());
      // What it makes of them may come after the answer to what was asked later.
      await running.answers(trial.answerMs);
      await running.quiet(300);
      must(running.program.exit === undefined, running.program.lastWords);
      const failed = has(task, "failure");
      must(failed === undefined && task.ended === undefined, `the task ended: ${whatCame(task)}`);
    },
  },
  {
    id: "task.stop",
    title: "Stop is answered by stopped and a half-close",
    rule: "Only Stopped answers Stop and ends a stream.",
    place: streams,
    hint: "send stopped as the last message, then half-close; keep the call until the host has ended it",
    of: "class",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      await mustStop(trial, task);
      const count = task.count("stopped");
      must(count === 1, `stopped came ${count} times`);
      const last = task.messages.at(-1)?.kind.case;
      must(last === "stopped", `after stopped came ${last}`);
      must(await running.answers(trial.answerMs), `the session ended too`);
    },
  },
  {
    id: "task.stop-early",
    title: "Stop before started is answered too",
    rule: "Before Started the host sends only credit, definitions and Stop; a Stop then is answered by Stopped alone.",
    place: streams,
    hint: "look for Stop while user code starts, and once more when it has",
    of: "class",
    async run(trial) {
      const { running, ticket } = await preparedTask(trial, "held");
      const stream = await trial.streamOf(running, ticket);
      stream.accept();
      await mustStop(trial, stream, "a Stop that came before started");
    },
  },
  {
    id: "task.stop-busy",
    title: "Stop is answered while the task is busy",
    rule: "On Stop user code's cancel signal fires at once; every wait has a deadline.",
    place: streams,
    hint: "read Stop ahead of what is queued; give user code a signal to end by",
    of: "class",
    async run(trial) {
      const { task } = await trial.startedTask();
      await openIfSink(trial, task);
      await keepBusy(task);
      await mustStop(trial, task, "a Stop in the middle of work");
    },
  },
  {
    id: "task.restart",
    title: "the task can be started again in the same process",
    rule: "A process serves any number of tasks, one after the other and side by side.",
    place: streams,
    hint: "keep all state of a task in an object of its own",
    of: "class",
    async run(trial) {
      const { running, configs } = await trial.prepared();
      for (let round = 1; round <= 2; round += 1) {
        const { ticket } = trial.sendStartTask(running, configs);
        const stream = await trial.streamOf(running, ticket);
        await stream.until(() => has(stream, "started"), trial.answerMs);
        if (round === 1 && !has(stream, "started")) {
          throw new Blocked("task.start", whatCame(stream));
        }
        must(has(stream, "started") === true, `start ${round}: ${whatCame(stream)}`);
        sendStop(stream, trial.answerMs);
        await stream.until(() => stream.ended, trial.answerMs);
        if (round === 1 && !has(stream, "stopped")) throw new Blocked("task.stop", "no stopped");
      }
    },
  },
  {
    id: "task.cut-stream",
    title: "a task stream that the host breaks off ends that task and nothing else",
    rule: "A stream that ends without Stopped makes its task FAILED; the session goes on.",
    place: streams,
    hint: "treat the stream's error as a stop of its task",
    of: "class",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      task.refuse("the task was given up");
      // What it makes of the end may come after its first answer.
      await running.answers(trial.answerMs);
      await running.quiet(300);
      const answered = await running.answers(trial.answerMs);
      must(answered, `it answered no request any more; ${running.program.lastWords}`);
    },
  },
  {
    id: "task.socket-cut",
    title: "a connection that is cut during work ends the process within 5 s",
    rule: "At the end of the session start no further user call and exit within five seconds.",
    place: launch,
    hint: "end the process when the session ends, also while user code runs",
    of: "class",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      await openIfSink(trial, task);
      await keepBusy(task);
      running.host.cutConnections();
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after its connection was cut");
      must(running.host.sessions.length === 1, "it opened another session");
    },
  },
  {
    id: "task.stdin-end",
    title: "the end of stdin during work ends the process within 5 s, and what it started",
    rule: "At the end of stdin exit within five seconds, by force if need be.",
    place: launch,
    hint: "watch stdin beside user code",
    of: "class",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      await openIfSink(trial, task);
      await keepBusy(task);
      running.program.endStdin();
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after the end of stdin");
      const gone = await running.groupGone(1_000);
      const left = running.program.living.filter((pid) => pid !== running.program.pid);
      must(gone || left.length === 0, `its process group still has ${left.join(", ")}`);
    },
  },
  {
    id: "task.sigstop",
    title: "a task goes on after its process was stopped for a while",
    rule: "A process that is stopped and continued is late, not broken.",
    place: streams,
    hint: "take no decision from the time between two timer ticks",
    of: "class",
    async run(trial) {
      const { running, task } = await trial.startedTask();
      await openIfSink(trial, task);
      running.program.signal("SIGSTOP");
      await pause(800);
      running.program.signal("SIGCONT");
      must(await running.answers(trial.answerMs), running.program.lastWords);
      // What it makes of the stop may come after its first answer.
      await running.quiet(300);
      must(await running.answers(trial.answerMs), running.program.lastWords);
      const over = has(task, "failure") ?? (task.ended !== undefined || undefined);
      must(over === undefined, `the task ended: ${whatCame(task)}`);
    },
  },
  {
    id: "task.leak",
    title: "a hundred starts leave nothing behind",
    rule: "Nothing outlives a task: its stream, files and memory are given back when it has stopped.",
    place: streams,
    hint: "close what start opened, also when the task failed; drop the task's object",
    of: "class",
    async run(trial) {
      const { running, configs } = await trial.prepared();
      const { pid } = running.program;
      const rounds = async (count: number) => {
        for (let round = 0; round < count; round += 1) {
          const { ticket } = trial.sendStartTask(running, configs);
          const stream = await trial.streamOf(running, ticket);
          await stream.until(() => has(stream, "started"), trial.answerMs);
          if (!has(stream, "started")) throw new Blocked("task.restart", whatCame(stream));
          sendStop(stream, trial.answerMs);
          await stream.until(() => stream.ended, trial.answerMs);
          if (!has(stream, "stopped")) throw new Blocked("task.stop", whatCame(stream));
        }
      };
      await rounds(20);
      const filesBefore = groupOpenFiles(pid);
      const rssBefore = groupRssBytes(pid);
      if (filesBefore === undefined || rssBefore === undefined) {
        throw new NotJudged("this system does not tell a process's memory and open files");
      }
      await rounds(80);
      const files = (groupOpenFiles(pid) ?? 0) - filesBefore;
      must(files <= 10, `${files} more files are open after 80 starts`);
      const mib = Math.round(((groupRssBytes(pid) ?? 0) - rssBefore) / 2 ** 20);
      must(mib <= 48, `its memory grew by ${mib} MiB over 80 starts`);
    },
  },
];
