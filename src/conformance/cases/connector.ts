/** Clauses on Connector instances: their life, their task configs, their calls, what they log. */
import { ConfigType } from "../../plugin/gen/bulkhead/plugin/v1/config_pb.ts";
import { FailureClass, FailureCode } from "../../plugin/gen/bulkhead/plugin/v1/error_pb.ts";
import { LogLevel } from "../../plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { Blocked, type Clause, must, NotJudged } from "../clause.ts";
import type { Running } from "../running.ts";
import { connectorName, type TaskOptions, type Trial } from "../trial.ts";

const calls = "proto/README.md, section 4";
const session = "proto/README.md, section 3";

/** The situation if the setup has it, else the usual config. */
function ifDescribed(trial: Trial, situation: string): TaskOptions {
  return trial.class.setup.situations[situation] === undefined ? {} : { situation };
}

/** Takes a task as far as it gets, whatever becomes of it; the answer is its process. */
async function runForAWhile(trial: Trial, options: TaskOptions): Promise<Running> {
  const config = await trial.config(options);
  const running = options.running ?? (await trial.ready(options.script));
  await trial.startConnector(running, config);
  const [task] = await trial.taskConfigs(running, 1);
  if (task === undefined) return running;
  const { ticket } = trial.sendStartTask(running, { connector: config, task });
  const begun = () => {
    const kinds = ticket.stream?.messages.map(({ kind }) => kind.case as string) ?? [];
    return kinds.includes("started") || kinds.includes("failure") || undefined;
  };
  await running.until(begun, trial.answerMs);
  if (ticket.stream !== undefined && "keepFed" in ticket.stream) ticket.stream.keepFed(100, 65_536);
  await running.quiet(trial.quietMs);
  return running;
}

/** Waits until the plugin has made a call while it was asked to do `step`. */
async function untilCall(running: Running, ms: number): Promise<void> {
  const called = await running.until(() => running.session.calls[0], ms);
  if (called === undefined) throw new NotJudged("it made no call to the host");
}

/** Judged for each class. */
export const connectorClauses: readonly Clause[] = [
  {
    id: "connector.start",
    title: "a connector starts, makes task configs and stops",
    rule: "StartConnector, TaskConfigs and StopConnector are answered with their results.",
    place: calls,
    hint: "see the failure; give a config that can run with --config or --setup",
    of: "class",
    async run(trial) {
      const config = await trial.config();
      const running = await trial.ready();
      const ask = async (kind: Parameters<Running["request"]>[0]) => {
        const reply = await running.request(kind, trial.answerMs, connectorName);
        must(reply !== undefined, `${kind.case} got no reply; ${running.program.lastWords}`);
        const text = reply.kind.case === "failure" ? `: ${reply.kind.value.text}` : "";
        must(reply.kind.case === kind.case, `${kind.case} got ${reply.kind.case}${text}`);
        return reply;
      };
      const value = { className: trial.class.className, config };
      await ask({ case: "startConnector", value });
      await ask({ case: "taskConfigs", value: { tasksMax: 1 } });
      await ask({ case: "stopConnector", value: {} });
    },
  },
  {
    id: "connector.restart",
    title: "a connector can be started again after it was stopped",
    rule: "StartConnector: a Connector instance begins; StopConnector ends it.",
    place: calls,
    hint: "keep nothing of an instance beyond its stop",
    of: "class",
    async run(trial) {
      const config = await trial.config();
      const running = await trial.ready();
      await trial.startConnector(running, config);
      for (let round = 1; round <= 3; round += 1) {
        const stop = { case: "stopConnector", value: {} } as const;
        const stopped = await running.request(stop, trial.answerMs, connectorName);
        must(stopped?.kind.case === "stopConnector", `stop ${round} got ${stopped?.kind.case}`);
        const value = { className: trial.class.className, config };
        const start = { case: "startConnector", value } as const;
        const begun = await running.request(start, trial.answerMs, connectorName);
        must(begun?.kind.case === "startConnector", `start ${round} got ${begun?.kind.case}`);
      }
    },
  },
  {
    id: "task-configs.max",
    title: "makes at most tasks.max task configs",
    rule: "TaskConfigsResult: the task class and at most tasks_max configs.",
    place: calls,
    hint: "spread the work over the tasks there may be",
    of: "class",
    async run(trial) {
      const running = await trial.ready();
      await trial.startConnector(running, await trial.config());
      for (const max of [1, 2, 3, 7]) {
        const configs = await trial.taskConfigs(running, max);
        must(configs.length <= max, `with tasks_max ${max} it made ${configs.length} configs`);
      }
    },
  },
  {
    id: "calls.reader-free",
    title: "other requests are served while a call waits for its answer",
    rule:
      "A call is answered at any time, also while the request that made it is open. Do not block " +
      "the reader of the session on user code.",
    place: session,
    hint: "run user code on a thread or coroutine of its own, never in the reader",
    of: "class",
    async run(trial) {
      const held: (() => void)[] = [];
      const script = { onCall: (_: unknown, answer: () => void) => void held.push(answer) };
      const config = await trial.config(ifDescribed(trial, "calls"));
      const running = await trial.ready({ ...script });
      const { session } = running;
      const begin = session.ask(connectorName, {
        case: "startConnector",
        value: { className: trial.class.className, config },
      });
      const made = session.ask(connectorName, { case: "taskConfigs", value: { tasksMax: 1 } });
      const replied = () => held.length > 0 || session.finalReplies(made).length > 0 || undefined;
      await running.until(replied, trial.answerMs);
      if (held.length === 0) {
        const [reply] = session.finalReplies(made);
        if (reply?.kind.case !== "taskConfigs") {
          throw new Blocked("connector.start", "there are no task configs");
        }
        const task = reply.kind.value.configs[0]?.config ?? {};
        trial.sendStartTask(running, { connector: config, task });
        await untilCall(running, 1_500);
      }
      const answered = await running.answers(2_000);
      must(answered, "while its call had no answer it served no other request for 2 s");
      for (const answer of held) answer();
      const begun = await running.until(() => session.finalReplies(begin)[0], trial.answerMs);
      must(begun !== undefined, "StartConnector got no reply after its call was answered");
    },
  },
  {
    id: "calls.failed",
    title: "a call that fails does not end the process",
    rule: "The host sends exactly one final Answer; a fault is a Failure message.",
    place: session,
    hint: "raise it in the user code that made the call; what it throws fails that request or task",
    of: "class",
    async run(trial) {
      let failed = 0;
      const running = await trial.ready({
        onCall: ({ id }) => {
          failed += 1;
          const failure = {
            code: FailureCode.UNAVAILABLE,
            failureClass: FailureClass.TRANSIENT,
            text: "the offsets cannot be read now",
          };
          const kind = { case: "failure", value: failure } as const;
          running.session.send({ case: "answer", value: { id, kind } });
        },
      });
      const options = { ...ifDescribed(trial, "calls"), running };
      await runForAWhile(trial, options).catch((error: unknown) => {
        // That the step fails is right; whether the process lives is the question.
        if (!(error instanceof Blocked)) throw error;
      });
      if (failed === 0) throw new NotJudged("it made no call to the host");
      must(running.program.exit === undefined, running.program.lastWords);
      must(await running.answers(trial.answerMs), "it answered no request any more");
    },
  },
  {
    id: "log.levels",
    title: "log levels of the host are obeyed",
    rule: "SetLogLevel: change one logger. Welcome names log levels to begin with.",
    place: session,
    hint: "compare each line's level with the one of the longest matching logger before it is kept",
    of: "class",
    async run(trial) {
      const options = ifDescribed(trial, "logs");
      const all = [{ logger: "", level: LogLevel.TRACE }];
      const talking = await runForAWhile(trial, { ...options, script: { logLevels: all } });
      const entries = talking.session.of("logBatch").flatMap((batch) => batch.entries);
      if (entries.length === 0) throw new NotJudged("it logged nothing, at level TRACE");
      const off = [{ logger: "", level: LogLevel.OFF }];
      const silent = await runForAWhile(trial, { ...options, script: { logLevels: off } });
      const still = silent.session.of("logBatch").flatMap((batch) => batch.entries);
      must(still.length === 0, `with level OFF in Welcome it logged: ${still[0]?.text}`);
      const later = await trial.ready({ logLevels: all });
      later.session.send({ case: "setLogLevel", value: { logger: "", level: LogLevel.OFF } });
      await later.answers(trial.answerMs);
      const before = later.session.of("logBatch").length;
      await runForAWhile(trial, { ...options, running: later });
      const after = later.session.of("logBatch").slice(before);
      must(after.length === 0, `after SetLogLevel OFF it logged: ${after[0]?.entries[0]?.text}`);
    },
  },
  {
    id: "secrets.password",
    title: "values of PASSWORD keys and tickets stay out of logs, output and failures",
    rule: "Secrets in configs arrive resolved; a key of type PASSWORD is never shown.",
    place: calls,
    hint: "keep such values in a type that prints stars",
    of: "class",
    async run(trial) {
      const keys = (trial.class.description?.config ?? [])
        .filter(({ type }) => type === ConfigType.PASSWORD)
        .map(({ name }) => name);
      const secret = "conformance-secret-5f1d";
      const config = Object.fromEntries(keys.map((key) => [key, secret]));
      const script = { logLevels: [{ logger: "", level: LogLevel.TRACE }] };
      const running = await trial.ready(script);
      await runForAWhile(trial, { running, config }).catch((error: unknown) => {
        if (!(error instanceof Blocked)) throw error;
      });
      const { session, program, host } = running;
      const told = session.messages.filter(
        ({ kind }) => kind.case === "logBatch" || kind.case === "event",
      );
      const failures = session.of("reply").filter(({ kind }) => kind.case === "failure");
      const streams = host.tickets.flatMap(({ stream }) => stream?.failures ?? []);
      const said = JSON.stringify([told, failures, streams], (_key, value) =>
        typeof value === "bigint" ? String(value) : value,
      );
      const secrets = [
        ...(keys.length > 0 ? [secret] : []),
        ...host.tickets.map(({ text }) => text),
      ];
      for (const one of secrets) {
        const what = one === secret ? `the value of ${keys.join(" or ")}` : "a ticket";
        must(!said.includes(one), `a log line, an event or a failure had ${what}`);
        must(!program.stdout.includes(one), `stdout had ${what}`);
        must(!program.stderr.includes(one), `stderr had ${what}`);
      }
    },
  },
];
