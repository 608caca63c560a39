import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { PluginKind } from "../src/gen/bulkhead/plugin/v1/config_pb.ts";
import { AlterOffsetsAnswer, Support } from "../src/gen/bulkhead/plugin/v1/connector_pb.ts";
import { FailureClass, FailureCode } from "../src/gen/bulkhead/plugin/v1/error_pb.ts";
import { LogLevel } from "../src/gen/bulkhead/plugin/v1/session_pb.ts";
import { config, type PluginClass, sink, source, transform } from "../src/index.ts";
import { HostEnd } from "./host-end.ts";
import { inTime } from "./inbox.ts";

const table = source({
  class: "acme.TableSourceConnector",
  config: {
    tables: config.list({ required: true, doc: "which" }),
    "poll.ms": config.int({ default: 100, min: 1, importance: "low", group: "Pace" }),
  },
  taskConfigs: async ({ config, texts, tasksMax, previous, offset, log }) => {
    log.info("splitting", { tables: config.tables.length });
    const stored = await offset({ table: "a" });
    return config.tables.slice(0, tasksMax).map((table) => ({
      ...texts,
      table,
      stored: JSON.stringify(stored),
      was: `${previous.length}`,
    }));
  },
  validate({ config, error, recommend, visible }) {
    if (config.tables?.includes("nope")) error("tables", "there is no table nope");
    recommend("tables", ["a", "b"]);
    visible("poll.ms", false);
  },
  async *read() {},
});

async function withSession(
  classes: readonly PluginClass[],
  run: (host: HostEnd) => Promise<void>,
): Promise<void> {
  const host = await HostEnd.listen();
  try {
    host.attach(classes);
    await host.accepted();
    await run(host);
  } finally {
    await host.close();
  }
}

test("hello says who speaks", async () => {
  await withSession([table], async (host) => {
    const hello = await host.accepted();
    assert.deepEqual([hello.protocolMin, hello.protocolMax], [1, 1]);
    assert.equal(hello.sdk?.language, "typescript");
    assert.equal(hello.plugin?.name, "test");
    assert.deepEqual(hello.plugin?.classes, ["acme.TableSourceConnector"]);
    assert.equal(hello.pid, process.pid);
  });
});

test("describe gives the declared keys", async () => {
  await withSession([table], async (host) => {
    const { kind } = await host.request("", { case: "describe", value: {} });
    assert.equal(kind.case, "describe");
    const [found] = kind.case === "describe" ? kind.value.classes : [];
    assert.equal(found?.taskClass, "acme.TableSourceTask");
    assert.equal(found?.version, "1.2.3");
    assert.deepEqual(
      found?.config.map((key) => [
        key.name,
        key.required,
        key.defaultValue,
        key.order,
        key.displayName,
      ]),
      [
        ["tables", true, undefined, -1, "tables"],
        ["poll.ms", false, "100", -1, "poll.ms"],
      ],
    );
    assert.equal(found?.config[1]?.validator?.kind.case, "range");
  });
});

test("describe says of a class what plugin.json would", async () => {
  const full = sink({
    class: "acme.TableSinkConnector",
    version: "9",
    aliases: ["tables-out"],
    documentationUrl: "https://acme.example/tables",
    config: { mode: config.oneOf(["a", "b"], { default: "a" }) },
    put: async () => {},
  });
  await withSession([table, full], async (host) => {
    const { kind } = await host.request("", { case: "describe", value: {} });
    const classes = kind.case === "describe" ? kind.value.classes : [];
    assert.deepEqual(
      classes.map((one) => [one.className, one.kind, one.validates]),
      [
        ["acme.TableSourceConnector", PluginKind.SOURCE, true],
        ["acme.TableSinkConnector", PluginKind.SINK, false],
      ],
    );
    const { version, aliases, documentationUrl, taskClass, config } = classes[1] ?? {};
    assert.deepEqual(
      [version, aliases, documentationUrl, taskClass],
      ["9", ["tables-out"], "https://acme.example/tables", "acme.TableSinkTask"],
    );
    assert.equal(config?.[0]?.validator?.kind.case, "oneOf");
    const named = { case: "describe", value: { className: "acme.TableSinkConnector" } } as const;
    const only = await host.request("", named);
    const found = only.kind.case === "describe" ? only.kind.value.classes : [];
    assert.deepEqual(
      found.map((one) => one.className),
      ["acme.TableSinkConnector"],
    );
  });
});

test("validate joins Connect's messages and the class's own", async () => {
  await withSession([table], async (host) => {
    const given = { tables: "a,nope", "poll.ms": "0" };
    const value = { className: "acme.TableSourceConnector", config: given };
    const { kind } = await host.request("", { case: "validate", value });
    assert.equal(kind.case, "validate");
    if (kind.case !== "validate") return;
    assert.deepEqual(
      kind.value.values.map((one) => [
        one.name,
        one.value,
        one.errors,
        one.recommendedValues,
        one.visible,
      ]),
      [
        ["tables", "a,nope", ["there is no table nope"], ["a", "b"], true],
        [
          "poll.ms",
          "0",
          ["Invalid value 0 for configuration poll.ms: Value must be at least 1"],
          [],
          false,
        ],
      ],
    );
    assert.deepEqual(kind.value.groups, ["Pace"]);
  });
});

test("task configs come from the class, which may ask for offsets meanwhile", async () => {
  await withSession([table], async (host) => {
    host.offsets.set('{"table":"a"}', '{"n":1}');
    const name = "acme.TableSourceConnector";
    const started = await host.request("c", {
      case: "startConnector",
      value: { className: name, config: { tables: "a,b,c" } },
    });
    assert.equal(started.kind.case, "startConnector");
    const { kind } = await host.request("c", {
      case: "taskConfigs",
      value: { tasksMax: 2, previous: [{ config: {} }] },
    });
    assert.equal(kind.case, "taskConfigs");
    if (kind.case !== "taskConfigs") return;
    assert.equal(kind.value.taskClass, "acme.TableSourceTask");
    assert.deepEqual(
      kind.value.configs.map((one) => one.config),
      [
        { tables: "a,b,c", table: "a", stored: '{"n":1}', was: "1" },
        { tables: "a,b,c", table: "b", stored: '{"n":1}', was: "1" },
      ],
    );
    const batch = await host.session.inbox.next("logBatch");
    const [entry] = batch.entries;
    assert.deepEqual(
      [entry?.text, entry?.fields, entry?.connector, entry?.level, entry?.logger],
      ["splitting", { tables: "3" }, "c", LogLevel.INFO, name],
    );
    assert.equal(
      (await host.request("c", { case: "stopConnector", value: {} })).kind.case,
      "stopConnector",
    );
    const gone = await host.request("c", { case: "taskConfigs", value: { tasksMax: 1 } });
    assert.equal(gone.kind.case, "failure");
  });
});

test("without taskConfigs a source has one task and a sink as many as allowed", async () => {
  const plain = source({ class: "Src", async *read() {} });
  const drain = sink({ class: "Snk", put() {} });
  await withSession([plain, drain], async (host) => {
    for (const [name, expected] of [
      ["Src", 1],
      ["Snk", 3],
    ] as const) {
      await host.request(name, {
        case: "startConnector",
        value: { className: name, config: { a: "1" } },
      });
      const { kind } = await host.request(name, { case: "taskConfigs", value: { tasksMax: 3 } });
      const configs =
        kind.case === "taskConfigs" ? kind.value.configs.map((one) => one.config) : [];
      assert.deepEqual(configs, Array(expected).fill({ a: "1" }));
    }
  });
});

test("offsets are left to the host, and exactly-once support is what the class says", async () => {
  const once = source({ class: "Once", exactlyOnce: true, async *read() {} });
  await withSession([table, once], async (host) => {
    const altered = await host.request("c", { case: "alterOffsets", value: { className: "Once" } });
    assert.equal(
      altered.kind.case === "alterOffsets" && altered.kind.value.answer,
      AlterOffsetsAnswer.NOT_DONE,
    );
    for (const [name, support] of [
      ["Once", Support.SUPPORTED],
      ["acme.TableSourceConnector", Support.NOT_SAID],
    ] as const) {
      const { kind } = await host.request("c", {
        case: "exactlyOnceSupport",
        value: { className: name },
      });
      assert.equal(kind.case === "exactlyOnceSupport" && kind.value.support, support);
    }
  });
});

test("a request that is not served is answered with unsupported", async () => {
  await withSession([table], async (host) => {
    const { kind } = await host.request("c", { case: undefined } as never);
    assert.equal(kind.case === "failure" && kind.value.code, FailureCode.UNSUPPORTED);
  });
});

test("a class is started as what it is", async () => {
  const keep = transform({ class: "acme.Keep", apply: (record) => record });
  await withSession([table, keep], async (host) => {
    for (const [className, request, text] of [
      [table.definition.class, "openStage", /is a source, not a transform, predicate or converter/],
      ["acme.Keep", "startTask", /is a transformation, not a source or sink/],
      ["acme.Keep", "startConnector", /is a transformation, not a source or sink/],
    ] as const) {
      const { kind } = await host.request("c", { case: request, value: { className } });
      assert.match(kind.case === "failure" ? kind.value.text : "", text);
    }
  });
});

test("an unknown class is a configuration failure that lists what there is", async () => {
  await withSession([table], async (host) => {
    const { kind } = await host.request("c", {
      case: "startConnector",
      value: { className: "x.Y" },
    });
    assert.equal(kind.case, "failure");
    if (kind.case !== "failure") return;
    assert.equal(kind.value.failureClass, FailureClass.CONFIGURATION);
    assert.equal(kind.value.text, "plugin test has no class x.Y; it has acme.TableSourceConnector");
  });
});

test("a cancelled request is answered at once, and only once", async () => {
  const slow = source({
    class: "Slow",
    validate: ({ signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => setTimeout(resolve, 20))),
    async *read() {},
  });
  await withSession([slow], async (host) => {
    const id = host.sendRequest("c", { case: "validate", value: { className: "Slow" } });
    host.session.send({ case: "cancel", value: { requestId: id } });
    const reply = await host.session.inbox.next("reply");
    assert.equal(reply.id, id);
    assert.equal(reply.kind.case === "failure" && reply.kind.value.code, FailureCode.CANCELLED);
    await host.session.inbox.next("heartbeat");
    await host.session.inbox.next("heartbeat");
    assert.ok(!host.session.inbox.kinds.includes("reply"));
  });
});

test("stopping a connector cancels what runs before it", async () => {
  const slow = source({
    class: "Slow",
    taskConfigs: () => new Promise(() => {}),
    async *read() {},
  });
  await withSession([slow], async (host) => {
    await host.request("c", { case: "startConnector", value: { className: "Slow" } });
    const stuck = host.sendRequest("c", { case: "taskConfigs", value: { tasksMax: 1 } });
    const stopping = host.sendRequest("c", { case: "stopConnector", value: {} });
    const first = await host.session.inbox.next("reply");
    assert.equal(first.id, stuck);
    assert.equal(first.kind.case === "failure" && first.kind.value.code, FailureCode.CANCELLED);
    const second = await host.session.inbox.next("reply");
    assert.deepEqual([second.id, second.kind.case], [stopping, "stopConnector"]);
  });
});

test("a monitor runs until the connector stops, asks for new task configs and raises errors", async () => {
  let ended = false;
  const watched = source({
    class: "W",
    config: { fail: config.boolean({ default: false }) },
    async monitor({ config, signal, requestTaskReconfiguration }) {
      if (config.fail) throw new Error("lost sight");
      requestTaskReconfiguration();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      ended = true;
    },
    async *read() {},
  });
  await withSession([watched], async (host) => {
    await host.request("a", { case: "startConnector", value: { className: "W" } });
    const asked = await host.session.inbox.next("event");
    assert.deepEqual([asked.connector, asked.kind.case], ["a", "requestTaskReconfiguration"]);
    await host.request("a", { case: "stopConnector", value: {} });
    assert.equal(ended, true);
    await host.request("b", {
      case: "startConnector",
      value: { className: "W", config: { fail: "true" } },
    });
    const raised = await host.session.inbox.next("event");
    assert.equal(
      raised.kind.case === "raiseError" && raised.kind.value.failure?.text,
      "lost sight",
    );
  });
});

test("log levels are the host's, and a flood is cut and counted", async () => {
  const noisy = source({
    class: "acme.Noisy",
    async *read({ log, signal }) {
      log.debug("seen");
      log.trace("not seen");
      log.error("with a stack", new Error("why"));
      for (let n = 0; n < 5_000; n += 1) log.info(`line ${n}`);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  await withSession([noisy], async (host) => {
    host.session.send({ case: "setLogLevel", value: { logger: "acme", level: LogLevel.DEBUG } });
    await host.startSource("c", { className: "acme.Noisy", task: 2 });
    const entries = [];
    let dropped = 0;
    while (entries.length + dropped < 5_002) {
      const batch = await host.session.inbox.next("logBatch");
      entries.push(...batch.entries);
      dropped += Number(batch.dropped);
    }
    assert.deepEqual(
      entries.slice(0, 2).map((one) => [one.text, one.connector, one.task]),
      [
        ["seen", "c", 2],
        ["with a stack", "c", 2],
      ],
    );
    assert.match(entries[1]!.exception, /^Error: why\n/);
    assert.ok(dropped > 0);
  });
});

test("a rejected plugin says why and ends", async () => {
  const host = await HostEnd.listen({ reject: true });
  try {
    const session = host.attach([table]);
    const end = await session.ended;
    assert.equal(end.expected, false);
    assert.match(end.reason, /the host rejected this plugin: unknown token/);
  } finally {
    await host.close();
  }
});

// Programs: what only a process of its own can show.

const tsx = import.meta.resolve("tsx");
const index = new URL("../src/index.ts", import.meta.url).href;

async function withProgram(
  code: string,
  run: (
    host: HostEnd,
    child: ReturnType<HostEnd["spawn"]>,
    exit: Promise<number | null>,
  ) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-program-"));
  const host = await HostEnd.listen();
  try {
    const path = join(folder, "main.mts");
    writeFileSync(path, `import { run, source, sink } from "${index}";\n${code}`);
    const child = host.spawn([process.execPath, "--import", tsx, path]);
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    await host.accepted();
    await run(host, child, exit);
  } finally {
    await host.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const stubborn = `
  run(sink({
    class: "S",
    put() {
      console.log("hangs");
      return new Promise(() => {});
    },
  }));`;

// Together: most of their time is the deadline of the one that hangs.
describe("a program", { concurrency: true }, () => {
  test("the end of stdin ends the program, also one whose user code hangs", async () => {
    await withProgram(stubborn, async (host, child, exit) => {
      const task = await host.startSink("c", { className: "S" });
      await task.inbox.next("started");
      task.send({ case: "topic", value: { id: 1, topic: "t" } });
      task.send({
        case: "put",
        value: { putSeq: 1n, columns: { count: 1, topics: [1], offsets: [0n] } },
      });
      await inTime(new Promise((resolve) => child.stdout?.once("data", resolve)), "words");
      child.stdin?.end();
      assert.equal(await inTime(exit, "exit"), 1);
    });
  });

  test("the end of the session ends the program", async () => {
    await withProgram(stubborn, async (host, _, exit) => {
      host.session.end();
      assert.equal(await inTime(exit, "exit"), 1);
    });
  });

  test("shutdown is acknowledged and ends the program with status 0", async () => {
    await withProgram(stubborn, async (host, _, exit) => {
      host.session.send({ case: "shutdown", value: { timeoutMs: 1_000n, reason: "no more work" } });
      await host.session.inbox.next("shutdownAck");
      host.session.end();
      assert.equal(await inTime(exit, "exit"), 0);
    });
  });
});
