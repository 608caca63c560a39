/** User code that goes wrong in a real process: told with its line, and nobody else in it notices. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Encoding } from "../../sdk/typescript/src/gen/bulkhead/plugin/v1/record_pb.ts";
import { HostEnd } from "../../sdk/typescript/test/host-end.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";

const { python, missing } = await pythonEnvironment();
const skip = missing ?? false;
const program = join(repository, "test", "fixtures", "python", "broken.py");
const line = /broken\.py", line \d+/;
const className = "broken.Reading";

test("what Python code raises at any point is told with its line, and the process goes on", {
  skip,
}, async () => {
  const host = await HostEnd.listen();
  try {
    host.spawn([python, program]);
    await host.accepted();
    // A sink that blocks is there all the while.
    const sink = await host.startSink("blocking", { className: "broken.Blocking" });
    await sink.inbox.next("started");
    sink.send({ case: "topic", value: { id: 1, topic: "t" } });
    sink.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
    sink.send({ case: "open", value: { partitions: [{ topic: "t", partition: 0 }] } });
    await sink.inbox.next("opened");
    const ids = { valueForms: [1], topics: [1], partitions: [1], offsets: [0n] };
    const columns = { count: 1, arena: Buffer.from("x"), valueSizes: [2], ...ids };
    sink.send({ case: "put", value: { putSeq: 1n, columns } });

    await assert.rejects(
      host.startSource("c", { className: "broken.Constructed" }),
      /no such thing.*broken\.py.*in __init__/s,
    );
    const validated = await host.request("v", {
      case: "validate",
      value: { className, config: { at: "validate" } },
    });
    const failure = validated.kind.case === "validate" ? validated.kind.value.failure : undefined;
    assert.equal(failure?.text, "no validation");
    assert.match(failure?.stack ?? "", line);

    for (const [at, text] of [
      ["task_configs", /division by zero/],
      ["texts", /task_configs of broken\.Reading returned a str; it returns a list of dicts/],
    ] as const) {
      await host.request(at, { case: "startConnector", value: { className, config: { at } } });
      const { kind } = await host.request(at, { case: "taskConfigs", value: { tasksMax: 1 } });
      assert.equal(kind.case, "failure");
      assert.match(kind.case === "failure" ? kind.value.text : "", text);
    }
    await host.request("m", {
      case: "startConnector",
      value: { className, config: { at: "monitor" } },
    });
    const event = (await host.session.inbox.next("event")).kind;
    assert.equal(event.case, "raiseError");
    const raised = event.case === "raiseError" ? event.value.failure : undefined;
    assert.equal(raised?.text, "watched enough");
    assert.match(raised?.stack ?? "", line);

    for (const [at, text, hint] of [
      ["config", /^no such config$/, /^$/],
      ["start", /^7$/, /^$/],
      ["import", /^No module named 'no_such_package_here'$/, /pip install no_such_package_here$/],
      ["read", /^read enough \\ud800$/, /^$/],
    ] as const) {
      const task = await host.startSource(at, { className, connectorConfig: { at } });
      task.send({ case: "credit", value: { records: 10n, bytes: 1_000_000n } });
      const told = await task.inbox.next("failure");
      assert.match(told.text, text);
      assert.match(told.hint, hint);
      assert.match(told.stack, line);
      // What came before is not lost.
      assert.equal(task.inbox.kinds.includes("records"), at === "read");
      task.send({ case: "stop", value: { timeoutMs: 5_000n } });
      await task.inbox.next("stopped");
    }

    for (let beats = 0; beats < 3; beats += 1) await host.session.inbox.next("heartbeat");
    assert.ok(!sink.inbox.kinds.includes("putResult"), "the sink still blocks");
    sink.send({ case: "stop", value: { timeoutMs: 5_000n } });
    await sink.inbox.next("stopped");
  } finally {
    await host.close();
  }
});

test("a program that cannot be begun says where, and what to install", { skip }, async (t) => {
  const folder = await temporaryDirectory(t);
  for (const [name, text, said] of [
    ["syntax", "from bulkhead_sdk import run\nrun(\n", [/syntax\.py", line 2/, /SyntaxError/]],
    [
      "package",
      "from bulkhead_sdk import run\nimport no_such_package_here.part\n",
      [/package\.py", line 2/, /-m pip install no_such_package_here\n$/],
    ],
    [
      "config",
      "from bulkhead_sdk import run, sink\n@sink('a.B', int)\ndef put(records): ...\nrun(put)\n",
      [/config\.py", line 4/, /int is not a dataclass: put @dataclass above it/],
    ],
  ] as const) {
    const file = join(folder, `${name}.py`);
    await writeFile(file, text);
    const { status, stderr } = spawnSync(python, [file], { encoding: "utf8", timeout: 60_000 });
    assert.equal(status, 1, stderr);
    for (const one of said) assert.match(stderr, one);
  }
});
