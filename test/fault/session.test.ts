/** What a process can get wrong before, in and around its session, and with its tickets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FaultHost } from "../harness/bystander.ts";
import { waitFor } from "../harness/wait-for.ts";

const late =
  /^cannot start plugin [\w-]+: plugin process \d+ \([\w-]+\) did not say hello within 5000 ms/;

/** Those that never say hello; the host waits for all of them at once. */
const strangers: Record<string, RegExp> = {
  silent: late,
  "garbage-first": late,
  "no-hello": late,
  "not-http2": late,
  "http2-flood": late,
  "many-strangers": late,
};

describe("a process that never says hello", () => {
  let fault: FaultHost;
  const traces = new Map<string, string>();
  before(async () => {
    fault = await FaultHost.start({
      plugins: Object.keys(strangers).map((name) => ({ name, run: ["session", name] })),
      worker: { "plugin.connect.timeout.ms": "5000" },
    });
    await fault.during(async () => {
      const names = Object.keys(strangers);
      await Promise.all(names.map((name) => fault.create(name, `${name}.Source`)));
      for (const name of names) {
        traces.set(name, String((await fault.status(name))?.connector.trace));
        await fault.delete(name);
      }
    });
  });
  after(() => fault.stop());

  for (const [name, says] of Object.entries(strangers)) {
    test(`${name} is told with the time it had`, () => {
      assert.match(traces.get(name) ?? "", says);
    });
  }
});

interface Guest {
  /** Where the reason is; undefined: nobody fails. */
  readonly fails?: "connector" | "task" | "request";
  readonly says?: RegExp;
  /** A line of the plugin's or the host's log. */
  readonly log?: RegExp;
  /** Bytes, where a bound of the contract allows more than other cases need. */
  readonly growthMax?: number;
}

const rejected =
  /exited with code 0 before it said hello; its last lines on stderr:\nrejected: token: the token is unknown, used or too late$/;
const breach = (text: string) =>
  new RegExp(
    `plugin process \\d+ \\([\\w-]+\\) was killed by the host: the plugin broke the contract: ${text}`,
  );
const denied = (what: string) =>
  new RegExp(`${what}: 7 PERMISSION_DENIED: the ticket is unknown, used or too late`);

const guests: Record<string, Guest> = {
  "missing-token": { fails: "connector", says: rejected },
  "wrong-token": { fails: "connector", says: rejected },
  "reused-token": { log: /second session: the token is unknown, used or too late/ },
  past: { fails: "connector", says: /: it speaks protocol 0 to 0, this host speaks 1$/ },
  future: { fails: "connector", says: /: it speaks protocol 2 to 9, this host speaks 1$/ },
  "inverted-range": {
    fails: "connector",
    says: /: it speaks protocol 9 to 1, this host speaks 1$/,
  },
  garbage: { fails: "connector", says: breach("a message has a field of the unknown wire type") },
  "second-hello": { fails: "connector", says: breach("Hello came twice") },
  "huge-message": {
    fails: "connector",
    says: breach("Received message larger than max \\(20971520 vs 4259840\\)"),
  },
  "two-million-entries": {
    fails: "connector",
    says: breach("a message has more than 200000 fields"),
  },
  "declared-gigabyte": { log: /refused: Received message larger than max \(1073741824 vs/ },
  "gzip-bomb": { log: /refused: Received message that decompresses to a size larger than 42598/ },
  "unknown-kind": {},
  "two-replies": {},
  "wrong-reply": {
    fails: "connector",
    says: breach("a reply to StartConnector holds taskConfigs"),
  },
  "empty-reply": { fails: "connector", says: breach("a reply to StartConnector holds nothing") },
  "no-reply": {
    fails: "connector",
    says: /^the plugin did not answer StartConnector of no-reply within 1500 ms$/,
  },
  "no-configs": {
    fails: "request",
    says: /^the plugin did not answer TaskConfigs of no-configs within 1500 ms$/,
    log: /no task configs, asking again: the plugin did not answer TaskConfigs of no-configs/,
  },
  "endless-parts": {
    fails: "request",
    says: /a reply has more than \d+ bytes|did not answer TaskConfigs of endless-parts within/,
    // A reply may have 64 MiB on the wire, and the host has them as messages too.
    growthMax: 160 * 1_048_576,
  },
  "too-many-tasks": {
    fails: "task",
    says: /has generated 10000 tasks, which is greater than 1, the maximum number of tasks/,
  },
  "terrible-failure": {
    fails: "connector",
    says: /^\\u001b\[31mred\\u001b\[0m \\u0000 y{1000,9000} … \(\d+ more characters\)$/,
  },
  "no-start": { fails: "task", says: /^task no-start-0 did not start within 1500 ms$/ },
  "never-opens": { fails: "task", says: /^task never-opens-0 did not start within 1500 ms$/ },
  "wrong-ticket": { log: denied("wrong ticket") },
  "used-ticket": { log: denied("used ticket") },
  "late-ticket": {
    fails: "task",
    says: /^task late-ticket-0 did not start within 1500 ms$/,
    log: denied("late ticket"),
  },
};

describe("a process that says hello", () => {
  let fault: FaultHost;
  before(async () => {
    fault = await FaultHost.start({
      plugins: Object.keys(guests).map((name) => ({ name, run: ["session", name] })),
      worker: {
        "plugin.connect.timeout.ms": "15000",
        "plugin.start.timeout.ms": "1500",
        "plugin.request.timeout.ms": "1500",
      },
    });
  });
  after(() => fault.stop());

  for (const [name, { fails, says = /^$/, log, growthMax }] of Object.entries(guests)) {
    const outcome = fails === undefined ? "and runs" : `and its ${fails} fails`;
    test(`${name}: it is told so ${outcome}`, () =>
      fault.during(
        async () => {
          const from = fault.host.log.length;
          const answer = await fault.create(name, `${name}.Source`, { topic: "junk" });
          if (fails === undefined) await fault.running(name);
          else assert.match(answer === "" ? await failureOf(name, fails) : answer, says);
          if (log !== undefined)
            await waitFor(() => fault.host.log.slice(from).some((line) => log.test(line)), {
              withinMs: 20_000,
              what: `a line of the log like ${log}`,
            });
          await fault.delete(name);
        },
        growthMax === undefined ? {} : { growthMax },
      ));
  }

  function failureOf(name: string, who: Guest["fails"]): Promise<string> {
    return fault.failure(name, who === "task" ? "task" : "connector");
  }
});
