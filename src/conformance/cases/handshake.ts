/** Clauses on launch, handshake and versions. */
import type { Hello } from "../../plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { Blocked, type Clause, must, NotJudged } from "../clause.ts";
import type { Running } from "../running.ts";
import type { Trial } from "../trial.ts";
import { lengthField, unknownField } from "../wire-bytes.ts";

const launch = "proto/README.md, section 2";

async function helloOf(trial: Trial): Promise<{ running: Running; hello: Hello }> {
  const running = await trial.ready();
  const [hello] = running.session.of("hello");
  if (hello === undefined) throw new Blocked("hello.in-time", running.program.lastWords);
  return { running, hello };
}

/** In the order of a plugin's life; the first decides whether the others can be judged. */
export const handshakeClauses: readonly Clause[] = [
  {
    id: "hello.in-time",
    title: "says hello within 30 s of its start",
    rule: "The host gives a plugin 30 s from its start to Hello, then ends it.",
    place: launch,
    hint: "read one line of JSON from stdin, dial its address with authority localhost, write Hello",
    of: "program",
    async run(trial) {
      const running = await trial.launch();
      const hello = await running.hello(trial.helloMs);
      must(hello !== undefined, `no hello came; ${running.program.lastWords}`);
    },
  },
  {
    id: "hello.first",
    title: "hello is the first message, and comes once",
    rule: "Hello is the first message of the session.",
    place: launch,
    hint: "start heartbeats and logs after Welcome",
    of: "program",
    async run(trial) {
      const { running } = await helloOf(trial);
      await running.quiet(trial.quietMs);
      const kinds = running.session.messages.map(({ kind }) => kind.case);
      must(kinds[0] === "hello", `the first message was ${kinds[0]}`);
      must(kinds.filter((one) => one === "hello").length === 1, "hello came more than once");
    },
  },
  {
    id: "hello.token",
    title: "hello carries the token of the launch line",
    rule: "Hello carries the token; it is opaque, for this one launch, accepted once.",
    place: launch,
    hint: "copy the member token as it is",
    of: "program",
    async run(trial) {
      const { running, hello } = await helloOf(trial);
      must(hello.token === running.host.token, "hello carried another token");
    },
  },
  {
    id: "hello.content",
    title: "hello says who the plugin is and which versions it speaks",
    rule:
      "Hello carries the range of protocol versions, who made the SDK, the plugin's name, version " +
      "and class names, and its process id.",
    place: launch,
    hint: "fill protocol_min and protocol_max with 1, and sdk, plugin and pid",
    of: "program",
    async run(trial) {
      const { hello } = await helloOf(trial);
      const { protocolMin, protocolMax, sdk, plugin } = hello;
      const range = `${protocolMin} to ${protocolMax}`;
      must(protocolMin <= 1 && protocolMax >= 1, `its protocol range is ${range}, without 1`);
      must(!!sdk?.language && !!sdk.name, "the language or name of the SDK is missing");
      must(!!plugin?.name && !!plugin.version, "the plugin's name or version is missing");
      must(plugin.classes.length > 0, "it names no class");
      must(new Set(plugin.classes).size === plugin.classes.length, "it names a class twice");
      must(hello.pid > 0, "the process id is missing");
    },
  },
  {
    id: "hello.manifest",
    title: "hello and plugin.json name the same plugin",
    rule: "plugin.json is the static copy of what the plugin says of itself.",
    place: "proto/README.md, section 4",
    hint: "generate plugin.json from the program",
    of: "program",
    async run(trial) {
      const { manifest } = trial.subject;
      if (manifest === undefined) return notAFolder();
      const { hello } = await helloOf(trial);
      const said = `${hello.plugin?.name} ${hello.plugin?.version}`;
      const listed = `${manifest.name} ${manifest.version}`;
      must(said === listed, `hello says ${said}, plugin.json says ${listed}`);
      const classes = manifest.classes.map(({ className }) => className);
      const lacking = classes.filter((one) => !hello.plugin?.classes.includes(one));
      must(lacking.length === 0, `hello does not name ${lacking.join(", ")} of plugin.json`);
    },
  },
  {
    id: "reject.exit",
    title: "a rejected plugin prints the reason and exits with an error",
    rule:
      "Reject has a code, a sentence and the range that the host speaks; print the sentence to " +
      "stderr and exit with a status other than 0.",
    place: launch,
    hint: "end the process at once; do not wait for the end of stdin",
    of: "program",
    async run(trial) {
      const running = await trial.ready({ onHello: "reject" });
      const exit = await running.exited(trial.exitMs);
      must(exit !== undefined, "it still ran 5 s after Reject");
      must(exit.code !== 0, "it exited with 0");
      const sentence = "this host takes no plugin today";
      const printed = await running.changes.until(
        () => running.program.stderr.includes(sentence) || undefined,
        trial.exitMs,
      );
      must(printed === true, "stderr does not have the sentence of Reject");
    },
  },
  {
    id: "reject.no-redial",
    title: "a rejected plugin does not dial again",
    rule: "Never dial again: the host starts a new process instead.",
    place: launch,
    hint: "a rejected session ends the process; switch off retries of the gRPC library",
    of: "program",
    async run(trial) {
      const running = await trial.ready({ onHello: "reject" });
      await running.exited(1_500);
      must(running.host.sessions.length === 1, "it opened another session after Reject");
    },
  },
  {
    id: "version.newer-host",
    title: "a host that also speaks a newer protocol is greeted as usual",
    rule: "protocol is the highest contract version that the host speaks; ignore members that you do not know.",
    place: launch,
    hint: "take the launch line for what it needs of it, and let Hello and Welcome agree on the version",
    of: "program",
    async run(trial) {
      const running = await trial.launch({ launch: { protocol: 7, zone: { name: "b" } } });
      const hello = await running.hello(trial.helloMs);
      must(hello !== undefined, `no hello came; ${running.program.lastWords}`);
    },
  },
  {
    id: "version.unknown-fields",
    title: "fields, capabilities and messages of a newer host are ignored",
    rule: "A feature is a capability; a side ignores those it does not know. Changes are made by adding.",
    place: "proto/README.md, section 11",
    hint: "decode leniently, and do nothing for a message whose kind is not set",
    of: "program",
    async run(trial) {
      const running = await trial.ready({
        welcomeTail: unknownField(),
        capabilities: ["something_newer"],
      });
      running.session.sendBytes(unknownField());
      running.session.sendBytes(new Uint8Array());
      const answered = await running.answers(trial.answerMs);
      must(answered, `it answered no request any more; ${running.program.lastWords}`);
    },
  },
  {
    id: "version.unknown-request",
    title: "an unknown request is answered UNSUPPORTED",
    rule:
      "A request that you do not know or serve gets a Failure with code UNSUPPORTED. That includes " +
      "a Request whose kind is not set, which is how one from a newer host looks.",
    place: "proto/README.md, section 3",
    hint: "give the switch over kinds a default that replies",
    of: "program",
    async run(trial) {
      const { running } = await helloOf(trial);
      const { session } = running;
      const unset = session.ask("newer", { case: undefined });
      // Id 900, connector "newer" and a kind that only a newer host has, as field 3 of HostMessage.
      const request = [Buffer.from([8, 132, 7]), lengthField(3, Buffer.from("newer"))];
      session.sendBytes(lengthField(3, Buffer.concat([...request, unknownField()])));
      for (const [id, what] of [
        [unset, "a request whose kind is not set"],
        [900n, "a request of an unknown kind"],
      ] as const) {
        const reply = await running.until(() => session.finalReplies(id)[0], trial.answerMs);
        must(reply !== undefined, `${what} got no reply; ${running.program.lastWords}`);
        must(reply.kind.case === "failure", `${what} was answered with ${reply.kind.case}`);
        must(reply.kind.value.code === 9, `${what} failed with code ${reply.kind.value.code}`);
      }
    },
  },
];

function notAFolder(): never {
  throw new NotJudged("there is no plugin.json: the check was given a command");
}
