/** What a user of the REST API can get wrong, over one host with one good plugin path and one bad. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type HostProcess, repository, startHost } from "../harness/host-process.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";
import { assertNothingLeft, ownEnvironment } from "./program.ts";

/** In one host, which ends well after all of it. */
export function testRefusals(place: LogPlace): void {
  let directory: string;
  let plugins: string;
  let host: HostProcess;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "bulkhead-test-"));
    plugins = join(directory, "plugins");
    await writePlugin("unrunnable", "fixture.Unrunnable", "#!/bin/sh\nexit 0\n", 0o644);
    await writePlugin("absent", "fixture.Absent", undefined);
    const lastWords =
      "echo 'cannot open the store' >&2\necho 'no such host store.test' >&2\nexit 7\n";
    await writePlugin("crashing", "fixture.Crashing", `#!/bin/sh\n${lastWords}`, 0o755);
    const foreign = Buffer.alloc(64);
    foreign.write("7f454c4602010100", 0, "hex");
    // A machine that nobody runs this on.
    foreign.writeUInt16LE(22, 18);
    await writePlugin("foreign", "fixture.Foreign", foreign);
    await writePlugin("scripted", "fixture.Scripted", "#!/no/such/python3\nprint()\n");
    const blackhole = join(repository, "plugins", "blackhole", "dist", "main.js");
    await writePlugin(
      "lying",
      "fixture.Lying",
      `#!/bin/sh\nexec "${process.execPath}" ${blackhole}\n`,
    );
    const twisted = `#!/bin/sh\nexec "${process.execPath}" ${join(plugins, "twisted", "main.mjs")}\n`;
    await writePlugin("twisted", "fixture.Twisted", twisted);
    await writeFile(
      join(plugins, "twisted", "main.mjs"),
      `import { run, sink } from "${join(repository, "sdk", "typescript", "dist", "index.js")}";
run(sink({ class: "fixture.Twisted", put() {} }));
`,
    );
    await writeManifest("cut", '{"name": "cut", "version": ');
    await writeManifest("wrong", '{"name": "wrong", "version": 1, "command": [], "classes": []}');
    const fixtures = join(repository, "test", "fixtures");
    host = await startHost({
      directory,
      worker: {
        "plugin.path": [join(repository, "plugins"), fixtures, plugins].join(","),
        "log.level": "trace",
        ...(await place.worker(directory)),
      },
      env: await ownEnvironment(directory),
    });
  });

  after(async () => {
    host?.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  async function writeManifest(name: string, text: string): Promise<void> {
    await mkdir(join(plugins, name), { recursive: true });
    await writeFile(join(plugins, name, "plugin.json"), text);
  }

  async function writePlugin(
    name: string,
    className: string,
    script?: string | Buffer,
    mode = 0o755,
  ) {
    const classes = [{ class: className, kind: "source", config: [] }];
    const manifest = { name, version: "1.0.0", command: ["./run"], classes };
    await writeManifest(name, JSON.stringify(manifest));
    if (script === undefined) return;
    await writeFile(join(plugins, name, "run"), script);
    await chmod(join(plugins, name, "run"), mode);
  }

  const good = { "connector.class": "FileStreamSource", file: "/nowhere/at/all", topic: "lines" };

  async function refusal(name: string, config: object): Promise<string> {
    const { status, body } = await host.request("POST", "/connectors", { name, config });
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(body.error_code, 400);
    const { body: names } = await host.request("GET", "/connectors");
    assert.ok(!names.includes(name), `${name} was created all the same`);
    return body.message;
  }

  /** What stands between the first and the last line, which Connect's clients know. */
  function problemsIn(message: string): string[] {
    const lines = message.split("\n");
    const count = lines.length - 2;
    assert.equal(
      lines[0],
      `Connector configuration is invalid and contains the following ${count} error(s):`,
    );
    assert.match(lines.at(-1) ?? "", /^You can also find the above list of errors at the endpoint/);
    return lines.slice(1, -1);
  }

  test("an unknown class is answered in Connect's words, with the plugins there are", async () => {
    const message = await refusal("unknown", { ...good, "connector.class": "com.acme.Nope" });
    const start =
      "Failed to find any class that implements Connector and which name matches com.acme.Nope, available connectors are: PluginDesc{klass=class ";
    assert.ok(message.startsWith(start), message);
    const source = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    const location = `${join(repository, "plugins", "file")}/`;
    assert.ok(
      message.includes(
        `PluginDesc{klass=class ${source}, name='${source}', version='0.1.0', encodedVersion=0.1.0, type=source, typeName='source', location='${location}'}`,
      ),
      message,
    );
  });

  test("wrong values are told all at once", async () => {
    const message = await refusal("wrong", {
      "connector.class": "FileStreamSource",
      "tasks.max": "0",
      "batch.size": "many",
      "key.converter": "com.acme.Avro",
      "header.converter": "org.apache.kafka.connect.storage.StringConverter",
      "restart.policy": "always",
    });
    assert.deepEqual(problemsIn(message).sort(), [
      "Invalid value 0 for configuration tasks.max: Value must be at least 1",
      "Invalid value always for configuration restart.policy: String must be one of: none, on-failure",
      "Invalid value com.acme.Avro for configuration key.converter: Class com.acme.Avro could not be found.",
      "Invalid value many for configuration batch.size: Not a number of type INT",
      'Missing required configuration "topic" which has no default value.',
    ]);
  });

  /** Each alone, on a config that is good without it. */
  const refused: Record<string, string>[] = [
    { "exactly.once.support": "required" },
    { "transaction.boundary": "interval" },
    { "offsets.storage.topic": "my-offsets" },
    { "producer.override.acks": "0" },
    { "admin.override.retries": "1" },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of config providers
    { file: "${file:/etc/secrets:path}" },
  ];

  for (const extra of refused) {
    const [key = ""] = Object.keys(extra);
    test(`${key} is refused by its name, and the connector not run without it`, async () => {
      const problems = problemsIn(await refusal("refused", { ...good, ...extra }));
      const named = problems.filter((line) => line.startsWith(`${key} `));
      assert.equal(named.length, 1, problems.join("\n"));
      assert.match(
        named[0] ?? "",
        /not supported by this version of Bulkhead: (remove it|write the)/,
      );
    });
  }

  test("keys of sinks that this version lacks are refused by their names", async () => {
    const sink = { "connector.class": "FileStreamSink", file: "/nowhere/at/all", topics: "lines" };
    const asked = {
      "admin.override.retries": "5",
      "consumer.override.max.poll.records": "1",
    };
    const problems = problemsIn(await refusal("refused", { ...sink, ...asked }));
    assert.deepEqual(problems.map((line) => line.split(" ")[0]).sort(), Object.keys(asked).sort());
  });

  for (const part of ["key", "value", "header"]) {
    test(`a ${part} converter that this version lacks is refused by its key`, async () => {
      const converter = "io.confluent.connect.avro.AvroConverter";
      const message = await refusal("refused", { ...good, [`${part}.converter`]: converter });
      assert.deepEqual(problemsIn(message), [
        `Invalid value ${converter} for configuration ${part}.converter: Class ${converter} could not be found.`,
      ]);
    });
  }

  test("a broken plugin.json is told in the log with what is wrong in it, and the others work", () => {
    const reasons = host.log
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => msg === "a plugin cannot be used")
      .map(({ level, path, reason }) => [level, path, reason]);
    const cut = reasons.find(([, path]) => path === join(plugins, "cut", "plugin.json"));
    assert.match(String(cut), /^warn,.*,it is not JSON: /);
    const wrong = reasons.find(([, path]) => path === join(plugins, "wrong", "plugin.json"));
    assert.match(String(wrong), /version is not a text; command is empty: it must name a program/);
    assert.equal(reasons.length, 2);
  });

  const startFailures: { name: string; className: string; why: RegExp }[] = [
    {
      name: "without execute permission",
      className: "fixture.Unrunnable",
      why: /^cannot start plugin unrunnable: \S+\/run has no execute permission; give it one with chmod \+x$/,
    },
    {
      name: "whose program is missing",
      className: "fixture.Absent",
      why: /^cannot start plugin absent: there is no program \S+\/run; build the plugin, or correct command in its plugin.json$/,
    },
    {
      name: "that is built for another machine",
      className: "fixture.Foreign",
      why: /^cannot start plugin foreign: \S+\/run is built for s390x; this machine is \S+ on \S+: build it for this machine$/,
    },
    {
      name: "whose interpreter is missing",
      className: "fixture.Scripted",
      why: /^cannot start plugin scripted: \S+\/run is a script for \/no\/such\/python3, which is not there: install it, or correct the script's first line$/,
    },
    {
      name: "whose program has other classes than its plugin.json",
      className: "fixture.Lying",
      why: /^the plugin\.json of lying promises the class fixture\.Lying, but its program has only bench\.NullSink: build the program again, or have it write its plugin\.json/,
    },
    {
      name: "that crashes in its start",
      className: "fixture.Crashing",
      why: /^cannot start plugin crashing: plugin process \d+ \(crashing\) exited with code 7 before it said hello; its last lines on stderr:\ncannot open the store\nno such host store.test$/,
    },
  ];

  for (const { name, className, why } of startFailures) {
    test(`a plugin ${name} is told in the answer, the status and the log`, async () => {
      const config = { "connector.class": className };
      const { status, body } = await host.request("POST", "/connectors", {
        name: className,
        config,
      });
      assert.equal(status, 500);
      assert.match(body.message, why);
      const { body: shown } = await host.request("GET", `/connectors/${className}/status`);
      assert.equal(shown.connector.state, "FAILED");
      assert.match(shown.connector.trace, why);
      assert.deepEqual(shown.tasks, []);
      const told = () =>
        host.log
          .map((line) => JSON.parse(line))
          .filter((line) => line.level === "error" && line.connector === className);
      // It comes by another pipe than the answer.
      await waitFor(() => told().length > 0, { withinMs: 20_000, what: "the line in the log" });
      const logged = told();
      assert.equal(logged.length, 1, "told once");
      assert.match(logged[0].msg.replace(`connector ${className} failed: `, ""), why);
      assert.equal((await host.request("DELETE", `/connectors/${className}`)).status, 204);
    });
  }

  test("a class whose plugin.json says that it is a source, and is a sink, fails with that", async () => {
    const config = { "connector.class": "fixture.Twisted" };
    await host.createConnector("twisted", config);
    let trace: string | undefined;
    await waitFor(
      async () => {
        const { body } = await host.request("GET", "/connectors/twisted/status");
        trace = body.tasks?.[0]?.trace;
        return trace !== undefined;
      },
      { withinMs: 30_000, what: "the task to fail" },
    );
    assert.match(
      trace ?? "",
      /the ticket is for a source task, as plugin\.json says of the class: correct its kind there/,
    );
    assert.equal((await host.request("DELETE", "/connectors/twisted")).status, 204);
  });

  test("a secret is in no log, no status and no error", async () => {
    const secret = "hunter2-open-sesame";
    const config = { "connector.class": "fixture.VaultSource", "vault.key": secret };
    const answers: unknown[] = [];
    const ask = async (method: string, path: string, body?: object) => {
      const answer = await host.request(method, path, body);
      answers.push(answer.body);
      return answer;
    };
    const create = (more: object) => ask("POST", "/connectors", { name: "vault", config: more });

    const validate = "/connector-plugins/fixture.VaultSource/config/validate";
    const validated = await ask("PUT", validate, { ...config, name: "vault" });
    assert.equal(validated.status, 200, JSON.stringify(validated.body));
    assert.equal((await create({ ...config, limit: "0" })).status, 400);
    assert.equal((await create({ ...config, "offsets.storage.topic": "o" })).status, 400);
    assert.equal((await create({ ...config, "connector.class": "com.acme.Nope" })).status, 400);
    assert.equal((await create({ "vault.password": secret })).status, 400);
    const broken = await fetch(`${host.restUrl}/connectors`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `{"name": "vault", "config": {"vault.key": ${secret}}}`,
    });
    assert.equal(broken.status, 500);
    answers.push(await broken.text());

    // What creates it is answered with its config, as in Connect.
    const badly = { name: "vault", config: { ...config, start: "badly" } };
    assert.equal((await host.request("POST", "/connectors", badly)).status, 201);
    await waitFor(
      async () =>
        (await host.request("GET", "/connectors/vault/status")).body.tasks[0]?.state === "FAILED",
      { withinMs: 20_000, what: "the task to fail" },
    );
    const { body: status } = await ask("GET", "/connectors/vault/status");
    assert.match(status.tasks[0].trace, /no login with \[hidden\]/);
    for (const said of ["stdout has", "stderr has", "the log has", "no login with [hidden]"]) {
      await waitFor(() => host.log.some((line) => line.includes(said)), {
        withinMs: 20_000,
        what: `"${said}" in the log`,
      });
    }
    for (const text of [...answers.map((answer) => JSON.stringify(answer)), ...host.log]) {
      assert.ok(!text.includes(secret), text);
    }
    assert.equal((await host.request("DELETE", "/connectors/vault")).status, 204);
  });

  test("after all that the host works and ends without a trace", async () => {
    const { status } = await host.request("POST", "/connectors", { name: "good", config: good });
    assert.equal(status, 201);
    await host.waitForState("good", "RUNNING");
    const { body } = await host.request("GET", "/connectors");
    assert.deepEqual(body, ["good"]);
    assert.equal(await host.stop(), 0);
    await assertNothingLeft(directory);
  });
}
