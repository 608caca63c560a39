/** Clauses on the session: requests, heartbeats, output, and how it ends. */
import { type Clause, must } from "../clause.ts";
import { pause } from "../running.ts";

const session = "proto/README.md, section 3";
const launch = "proto/README.md, section 2";

/** Judged once for the program. */
export const sessionClauses: readonly Clause[] = [
  {
    id: "requests.one-reply",
    title: "every request gets exactly one final reply",
    rule: "A Request gets exactly one final Reply with the same id.",
    place: session,
    hint: "reply in one place, after the request's work has ended either way",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      const { session } = running;
      const ids = [0, 1, 2, 3, 4, 5].map((n) =>
        session.ask(n % 2 === 0 ? "a" : `b${n}`, { case: "describe", value: {} }),
      );
      ids.push(session.ask("a", { case: "stopConnector", value: {} }));
      const all = () => ids.every((id) => session.finalReplies(id).length > 0) || undefined;
      await running.until(all, trial.answerMs);
      await running.quiet(trial.quietMs);
      for (const id of ids) {
        const count = session.finalReplies(id).length;
        must(count === 1, `request ${id} got ${count} final replies; ${running.program.lastWords}`);
      }
      const strangers = session.of("reply").filter(({ id }) => !ids.includes(id));
      must(strangers.length === 0, `a reply came to ${strangers[0]?.id}, which was never asked`);
    },
  },
  {
    id: "requests.cancel",
    title: "a cancelled request gets exactly one reply too",
    rule: "Cancel: give the request up; still reply (a Failure with code CANCELLED will do).",
    place: session,
    hint: "let Cancel abort the work and let the usual path reply; ignore ids that are over",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      const { session } = running;
      const ids = [1, 2, 3].map((n) => {
        const id = session.ask(`c${n}`, { case: "describe", value: {} });
        session.send({ case: "cancel", value: { requestId: id } });
        return id;
      });
      session.send({ case: "cancel", value: { requestId: 4_711n } });
      const all = () => ids.every((id) => session.finalReplies(id).length > 0) || undefined;
      await running.until(all, trial.answerMs);
      await running.quiet(trial.quietMs);
      for (const id of ids) {
        const count = session.finalReplies(id).length;
        must(count === 1, `a cancelled request got ${count} replies; ${running.program.lastWords}`);
      }
    },
  },
  {
    id: "requests.unknown-class",
    title: "a request for a class that it does not have fails in words",
    rule: "A fault is always a Failure message, never a bare end of a stream.",
    place: "proto/README.md, section 9",
    hint: "look the class up before anything else, and say which classes there are",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      const value = { className: "no.such.Class", config: {} };
      const kind = { case: "startConnector", value } as const;
      const reply = await running.request(kind, trial.answerMs, "nobody");
      must(reply !== undefined, `no reply came; ${running.program.lastWords}`);
      // A connector may also notice when it is asked for its task configs.
      const asked =
        reply.kind.case === "startConnector"
          ? await running.request(
              { case: "taskConfigs", value: { tasksMax: 1 } },
              trial.answerMs,
              "nobody",
            )
          : reply;
      must(asked?.kind.case === "failure", `it was answered with ${asked?.kind.case}`);
      must(asked.kind.value.text !== "", "the failure has no text");
    },
  },
  {
    id: "calls.unknown-answer",
    title: "an answer that nobody waits for is ignored",
    rule: "A late answer is ignored.",
    place: session,
    hint: "look the id up, and do nothing when it is not there",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      const value = { id: 99_999n, kind: { case: "readOffsets" as const, value: { offsets: [] } } };
      running.session.send({ case: "answer", value });
      const answered = await running.answers(trial.answerMs);
      must(answered, `it answered no request any more; ${running.program.lastWords}`);
    },
  },
  {
    id: "heartbeat.interval",
    title: "heartbeats come at the agreed interval, numbered",
    rule: "Heartbeat: every heartbeat_interval_ms, from a timer that user code cannot block.",
    place: session,
    hint: "take the interval from Welcome; raise seq by one each time",
    of: "program",
    async run(trial) {
      const running = await trial.ready({ heartbeatMs: 200 });
      await running.until(
        () => (running.session.of("heartbeat").length >= 6 ? true : undefined),
        trial.answerMs,
      );
      const beats = running.session.of("heartbeat");
      must(beats.length >= 6, `${beats.length} heartbeats came in ${trial.answerMs} ms`);
      const seqs = beats.map(({ seq }) => seq);
      const rising = seqs.every((seq, index) => index === 0 || seq === seqs[index - 1]! + 1n);
      must(rising, `their numbers were ${seqs.join(", ")}`);
      const index = running.session.messages.findIndex(({ kind }) => kind.case === "heartbeat");
      const lastAt = running.session.cameAtMs.at(-1)!;
      const tookMs = lastAt - running.session.cameAtMs[index]!;
      // Five intervals; a machine that is busy may stretch them, nothing may halve them.
      must(tookMs > 300, `six heartbeats came within ${Math.round(tookMs)} ms instead of 1,000`);
      must(tookMs < 4_000, `six heartbeats took ${Math.round(tookMs)} ms instead of 1,000`);
    },
  },
  {
    id: "shutdown",
    title: "Shutdown is answered, then the process exits with 0",
    rule: "Shutdown: finish within timeout_ms: answer ShutdownAck, end the session, exit with 0.",
    place: session,
    hint: "half-close the session after ShutdownAck and end the process yourself",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      const value = { timeoutMs: 5_000n, reason: "the check is over" };
      running.session.send({ case: "shutdown", value });
      const exit = await running.exited(5_000);
      must(running.session.of("shutdownAck").length === 1, "no ShutdownAck came");
      must(exit !== undefined, "the process still ran 5 s after Shutdown");
      must(exit.code === 0, running.program.lastWords);
    },
  },
  {
    id: "host-gone.stdin",
    title: "the end of stdin ends the process within 5 s",
    rule: "stdin stays open and is a liveness pipe. At its end, exit within five seconds.",
    place: launch,
    hint: "read stdin to its end on a thread or listener of its own",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      await running.answers(trial.answerMs);
      running.program.endStdin();
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after the end of stdin");
    },
  },
  {
    id: "host-gone.session",
    title: "the end of the session ends the process within 5 s, without dialling again",
    rule: "At the end of stdin, or of the session, exit within five seconds. Never dial again.",
    place: launch,
    hint: "end the process when the session's stream ends for whatever reason",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      await running.answers(trial.answerMs);
      running.session.end();
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after the end of the session");
      must(running.host.sessions.length === 1, "it opened another session");
    },
  },
  {
    id: "host-gone.socket",
    title: "a connection that is cut ends the process within 5 s, without dialling again",
    rule: "At the end of stdin, or of the session, exit within five seconds. Never dial again.",
    place: launch,
    hint: "treat an error of the session's stream as its end; switch off retries",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      await running.answers(trial.answerMs);
      running.host.cutConnections();
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after its connection was cut");
      must(running.host.sessions.length === 1, "it opened another session");
    },
  },
  {
    id: "host-gone.handshake",
    title: "a connection that is cut before Welcome ends the process within 5 s",
    rule: "At the end of stdin, or of the session, exit within five seconds. Never dial again.",
    place: launch,
    hint: "watch the session's stream from its first moment, not only after Welcome",
    of: "program",
    async run(trial) {
      const running = await trial.ready({ onHello: "nothing" });
      running.host.cutConnections();
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after its connection was cut");
      must(running.host.sessions.length === 1, "it opened another session");
    },
  },
  {
    id: "host-gone.no-orphan",
    title: "nothing that it started outlives it",
    rule: "For a killed host only the stdin rule is promised: its end ends the plugin and what it started.",
    place: launch,
    hint: "end child processes before exiting, or start none",
    of: "program",
    async run(trial) {
      const running = await trial.ready();
      await running.answers(trial.answerMs);
      running.program.endStdin();
      await running.exited(trial.exitMs);
      const gone = await running.groupGone(1_000);
      const left = running.program.living.filter((pid) => pid !== running.program.pid);
      must(gone || left.length === 0, `its process group still has ${left.join(", ")}`);
    },
  },
  {
    id: "output.ignored",
    title: "works though nobody reads stdout and stderr",
    rule: "stdout and stderr are never protocol.",
    place: "proto/README.md, section 1",
    hint: "print what you like, and expect nobody to read it",
    of: "program",
    async run(trial) {
      const running = await trial.launch({}, "discarded");
      const hello = await running.hello(trial.helloMs);
      must(hello !== undefined, "with stdout and stderr discarded it said no hello");
      must(await running.answers(trial.answerMs), "with stdout discarded it answered no request");
    },
  },
  {
    id: "secrets.token",
    title: "the token stays out of logs, output and failures",
    rule: "The token is for this one launch; it travels over stdin and in Hello, nowhere else.",
    place: launch,
    hint: "never print the launch line, nor the messages of the session",
    of: "program",
    async run(trial) {
      const running = await trial.ready({
        logLevels: [{ logger: "", level: 1 }],
        heartbeatMs: 100,
      });
      await running.answers(trial.answerMs);
      await running.request({ case: undefined }, trial.answerMs);
      await running.quiet(trial.quietMs);
      const { session, program, host } = running;
      const others = session.messages.filter(({ kind }) => kind.case !== "hello");
      const said = JSON.stringify(others, (_key, value) =>
        typeof value === "bigint" ? String(value) : value,
      );
      must(!said.includes(host.token), "a message other than hello had the token");
      must(!program.stdout.includes(host.token), "stdout had the token");
      must(!program.stderr.includes(host.token), "stderr had the token");
    },
  },
  {
    id: "sigstop.session",
    title: "goes on after having been stopped for a while",
    rule: "All limits are durations; a process that is stopped and continued is late, not broken.",
    place: session,
    hint: "take no decision from the time between two timer ticks",
    of: "program",
    async run(trial) {
      const running = await trial.ready({ heartbeatMs: 100 });
      const before = running.session.of("heartbeat").length;
      running.program.signal("SIGSTOP");
      await pause(1_000);
      running.program.signal("SIGCONT");
      const beats = () => running.session.of("heartbeat").length > before + 1 || undefined;
      const beating = await running.until(beats, trial.answerMs);
      must(beating === true, `no heartbeat came any more; ${running.program.lastWords}`);
      must(await running.answers(trial.answerMs), "it answered no request any more");
    },
  },
];
