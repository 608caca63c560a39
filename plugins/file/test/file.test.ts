import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FailureClass } from "../../../sdk/typescript/src/gen/bulkhead/plugin/v1/error_pb.ts";
import { Encoding } from "../../../sdk/typescript/src/gen/bulkhead/plugin/v1/record_pb.ts";
import { HostEnd, type SinkEnd, type SourceEnd } from "../../../sdk/typescript/test/host-end.ts";
import { RowReader } from "../../../sdk/typescript/test/row-reader.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const main = join(folder, "dist", "main.js");
const sourceClass = "org.apache.kafka.connect.file.FileStreamSourceConnector";
const sinkClass = "org.apache.kafka.connect.file.FileStreamSinkConnector";

interface Place {
  host: HostEnd;
  /** In a folder that is gone afterwards. */
  path: string;
}

async function withPlugin(run: (place: Place) => Promise<void>): Promise<void> {
  const temporary = mkdtempSync(join(tmpdir(), "bulkhead-file-"));
  const host = await HostEnd.listen();
  try {
    host.spawn([process.execPath, main], { cwd: folder });
    await host.accepted();
    await run({ host, path: join(temporary, "lines.txt") });
  } finally {
    await host.close();
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function startSource({ host, path }: Place, config: Record<string, string> = {}) {
  const taskConfig = { file: path, topic: "t", ...config };
  const task = await host.startSource("c", { className: sourceClass, taskConfig });
  task.send({ case: "credit", value: { records: 1_000_000n, bytes: 1n << 30n } });
  return { task, reader: new RowReader(task) };
}

async function stop(task: SourceEnd | SinkEnd): Promise<void> {
  (task as SourceEnd).send({ case: "stop", value: { timeoutMs: 5_000n } });
  const stopped = await (task as SourceEnd).inbox.next("stopped");
  assert.equal(stopped.failure, undefined);
}

const positions = (reader: RowReader) => reader.rows.map((row) => row.sourceOffset);

test("plugin.json is what the program prints", () => {
  const kept = JSON.parse(readFileSync(join(folder, "plugin.json"), "utf8"));
  const command: string[] = kept.command.slice(1);
  const printed = execFileSync(process.execPath, [...command, "manifest"], { cwd: folder });
  assert.deepEqual(JSON.parse(printed.toString()), kept);
});

test("the source has one task with the connector's config, the sink as many as allowed", async () => {
  await withPlugin(async ({ host }) => {
    for (const [name, count] of [
      [sourceClass, 1],
      [sinkClass, 3],
    ] as const) {
      const config = { file: "/f", topic: "t", other: "x" };
      await host.request(name, { case: "startConnector", value: { className: name, config } });
      const { kind } = await host.request(name, { case: "taskConfigs", value: { tasksMax: 3 } });
      assert.equal(kind.case, "taskConfigs");
      if (kind.case !== "taskConfigs") return;
      assert.equal(kind.value.taskClass, name.replace("Connector", "Task"));
      assert.deepEqual(
        kind.value.configs.map((one) => one.config),
        Array(count).fill(config),
      );
    }
  });
});

test("lines become records with byte positions, and the file is followed as it grows", async () => {
  await withPlugin(async (place) => {
    writeFileSync(place.path, "one\nzwölf\r\nhalf");
    const { task, reader } = await startSource(place);
    assert.deepEqual(await reader.until(2), ["one", "zwölf"]);
    const [row] = reader.rows;
    assert.deepEqual(row?.value, {
      encoding: "text",
      schema: '{"type":"string","optional":false}',
      text: "one",
    });
    assert.deepEqual([row?.topic, row?.key.text, row?.partition], ["t", null, null]);
    assert.equal(row?.sourcePartition, JSON.stringify({ filename: place.path }));
    assert.ok(Math.abs(row.timestamp - Date.now()) < 60_000);
    assert.deepEqual(positions(reader), ['{"position":4}', '{"position":12}']);
    appendFileSync(place.path, " done\nnext\n");
    assert.deepEqual(await reader.until(4), ["one", "zwölf", "half done", "next"]);
    assert.deepEqual(positions(reader).slice(2), ['{"position":22}', '{"position":27}']);
    await stop(task);
  });
});

test("a restarted task goes on behind the stored position", async () => {
  await withPlugin(async (place) => {
    writeFileSync(place.path, "één\ntwo\nthree\n");
    const partition = JSON.stringify({ filename: place.path });
    place.host.offsets.set(partition, '{"position":6}');
    const { task, reader } = await startSource(place);
    assert.deepEqual(await reader.until(2), ["two", "three"]);
    await stop(task);
  });
});

test("a file that is not there yet is waited for, and the log says so", async () => {
  await withPlugin(async (place) => {
    const { task, reader } = await startSource(place);
    const { entries } = await place.host.session.inbox.next("logBatch");
    assert.match(entries[0]?.text ?? "", /lines\.txt is not there yet/);
    writeFileSync(place.path, "here\n");
    assert.deepEqual(await reader.until(1), ["here"]);
    await stop(task);
  });
});

test("a truncated file is waited for until it is longer again, and the log says so", async () => {
  await withPlugin(async (place) => {
    writeFileSync(place.path, "one\ntwo\n");
    const { task, reader } = await startSource(place);
    await reader.until(2);
    truncateSync(place.path, 0);
    const { entries } = await place.host.session.inbox.next("logBatch");
    assert.match(entries[0]?.text ?? "", /became 8 bytes shorter/);
    appendFileSync(place.path, "1234567\nnew\n");
    assert.deepEqual(await reader.until(3), ["one", "two", "new"]);
    await stop(task);
  });
});

test("a long file comes whole, in order, with its positions", async () => {
  await withPlugin(async (place) => {
    const lines = Array.from({ length: 30_000 }, (_, n) => `line ${n} ${"x".repeat(n % 90)}`);
    writeFileSync(place.path, `${lines.join("\n")}\n`);
    const { task, reader } = await startSource(place, { "batch.size": "700" });
    assert.deepEqual(await reader.until(lines.length), lines);
    let position = 0;
    for (const [at, line] of lines.entries()) {
      position += line.length + 1;
      assert.equal(reader.rows[at]?.sourceOffset, `{"position":${position}}`);
    }
    await stop(task);
  });
});

const failures: {
  name: string;
  config: Record<string, string>;
  kind: FailureClass;
  says: RegExp;
}[] = [
  {
    name: "no topic",
    config: { file: "/x" },
    kind: FailureClass.CONFIGURATION,
    says: /Missing required configuration "topic"/,
  },
  {
    name: "no file",
    config: { topic: "t" },
    kind: FailureClass.CONFIGURATION,
    says: /needs the key file/,
  },
  {
    name: "a folder",
    config: { topic: "t", file: tmpdir() },
    kind: FailureClass.FATAL,
    says: /EISDIR/,
  },
];

for (const one of failures) {
  test(`a source with ${one.name} fails and says why`, async () => {
    await withPlugin(async ({ host }) => {
      const task = await host.startSource("c", { className: sourceClass, taskConfig: one.config });
      const failure = await task.inbox.next("failure");
      assert.match(failure.text, one.says);
      assert.equal(failure.failureClass, one.kind);
      await stop(task);
    });
  });
}

async function startSink(
  { host, path }: Place,
  taskConfig: Record<string, string> = { file: path },
) {
  const task = await host.startSink("c", { className: sinkClass, taskConfig });
  await task.inbox.next("started");
  task.send({ case: "topic", value: { id: 1, topic: "t" } });
  task.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
  task.send({ case: "form", value: { id: 2, encoding: Encoding.JSON } });
  task.send({ case: "form", value: { id: 3, encoding: Encoding.JSON, schema: structText } });
  task.send({ case: "form", value: { id: 4, encoding: Encoding.BYTES } });
  return task;
}

const structText =
  '{"type":"struct","fields":[{"type":"int32","optional":false,"field":"a"},{"type":"string","optional":true,"field":"b"}],"optional":false}';

function put(task: SinkEnd, values: readonly [form: number, text: string | null][]): void {
  const parts = values.map(([, text]) => Buffer.from(text ?? ""));
  const columns = {
    count: values.length,
    arena: Buffer.concat(parts),
    valueSizes: values.map(([, text], at) => (text === null ? 0 : parts[at]!.length + 1)),
    valueForms: values.map(([form]) => form),
    topics: [1],
    partitions: [1],
    offsets: values.map(() => 1n),
  };
  task.send({ case: "put", value: { putSeq: 1n, columns } });
}

async function flush(task: SinkEnd): Promise<void> {
  const offsets = [{ topic: "t", partition: 0, offset: 10n }];
  task.send({ case: "flush", value: { flushSeq: 1n, offsets } });
  const result = await task.inbox.next("flushResult");
  assert.equal(result.failure, undefined);
  assert.equal(result.safe.length, 1);
}

test("values are written one a line, as Java prints them", async () => {
  await withPlugin(async (place) => {
    const task = await startSink(place);
    put(task, [
      [1, "plain"],
      [1, "zwölf 😀"],
      [0, null],
      [2, '{"b":1,"a":[1.0,null,"x"]}'],
      [2, "7"],
      [3, '{"a":1,"b":"x"}'],
      [3, '{"a":2,"b":null}'],
      [4, "raw"],
    ]);
    const result = await task.inbox.next("putResult");
    assert.equal(result.kind.case, "ok");
    await flush(task);
    const expected = [
      "plain",
      "zwölf 😀",
      "null",
      "{b=1, a=[1.0, null, x]}",
      "7",
      "Struct{a=1,b=x}",
      "Struct{a=2}",
      "raw",
    ];
    assert.equal(readFileSync(place.path, "utf8"), `${expected.join("\n")}\n`);
    await stop(task);
  });
});

for (const { name, before, after } of [
  { name: "a torn last line gets its end", before: "one\nto", after: "one\nto\nnew\n" },
  { name: "a whole last line is left alone", before: "one\n", after: "one\nnew\n" },
  { name: "an empty file stays without a first empty line", before: "", after: "new\n" },
]) {
  test(`on open, ${name}`, async () => {
    await withPlugin(async (place) => {
      writeFileSync(place.path, before);
      const task = await startSink(place);
      put(task, [[1, "new"]]);
      await task.inbox.next("putResult");
      await stop(task);
      assert.equal(readFileSync(place.path, "utf8"), after);
    });
  });
}

test("without a file lines go to standard output", async () => {
  const host = await HostEnd.listen();
  try {
    const child = host.spawn([process.execPath, main], { cwd: folder });
    let printed = "";
    child.stdout?.on("data", (data: Buffer) => {
      printed += data.toString();
    });
    await host.accepted();
    const task = await startSink({ host, path: "" }, {});
    put(task, [
      [1, "a"],
      [1, "b"],
    ]);
    await task.inbox.next("putResult");
    await waitFor(() => printed.length >= 4, { withinMs: 20_000, what: "both lines" });
    assert.equal(printed, "a\nb\n");
    await flush(task);
    await stop(task);
  } finally {
    await host.close();
  }
});

test("a file in a missing folder fails the start with its path and what to do", async () => {
  await withPlugin(async ({ host, path }) => {
    const file = join(path, "not", "there");
    const task = await host.startSink("c", { className: sinkClass, taskConfig: { file } });
    const failure = await task.inbox.next("failure");
    const start = `Couldn't find or create file '${file}' for FileStreamSinkTask: ENOENT`;
    assert.ok(failure.text.startsWith(start), failure.text);
    assert.ok(failure.stack.includes(start), "the status shows the stack");
    assert.match(failure.hint, /make its folder/);
    assert.equal(failure.failureClass, FailureClass.CONFIGURATION);
    await stop(task);
  });
});
