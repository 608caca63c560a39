import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Encoding } from "../../../sdk/typescript/src/gen/bulkhead/plugin/v1/record_pb.ts";
import type { SinkEnd } from "../../../sdk/typescript/test/host-end.ts";
import { isAlive } from "../../../test/harness/processes.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { logged, openPlace, type Place, stop } from "./stdio-place.ts";

const within = { withinMs: 20_000 };
let place: Place;
let file: string;
let files = 0;

before(async () => {
  place = await openPlace();
});
after(() => place.close());

async function start(config: Record<string, string>): Promise<SinkEnd> {
  files += 1;
  file = join(place.directory, `out-${files}`);
  const taskConfig = { file, ...config };
  const task = await place.host.startSink("c", { className: "bulkhead.StdioSink", taskConfig });
  task.send({ case: "topic", value: { id: 1, topic: "t" } });
  task.send({ case: "name", value: { id: 1, name: "h" } });
  task.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
  task.send({ case: "form", value: { id: 2, encoding: Encoding.JSON } });
  task.send({ case: "form", value: { id: 3, encoding: Encoding.BYTES } });
  return task;
}

const text = 1;
const json = 2;
const bytes = 3;
type Value = readonly [form: number, value: string | Buffer | null];
const texts = (...values: string[]): Value[] => values.map((one) => [text, one]);

function put(task: SinkEnd, values: readonly Value[], seq = 1n): void {
  const parts = values.map(([, value]) => Buffer.from(value ?? ""));
  const columns = {
    count: values.length,
    arena: Buffer.concat(parts),
    valueSizes: values.map(([, value], at) => (value === null ? 0 : parts[at]!.length + 1)),
    valueForms: values.map(([form]) => form),
    topics: [1],
    partitions: [4],
    offsets: values.map((_, at) => (at === 0 ? 70n : 1n)),
    timestamps: [1_700_000_000_000n],
  };
  task.send({ case: "put", value: { putSeq: seq, columns } });
}

/** What became of a put: `ok`, the runs, or the failure's sentence. */
async function result(task: SinkEnd): Promise<string> {
  const { kind } = await task.inbox.next("putResult");
  if (kind.case === "failure") return kind.value.text;
  if (kind.case !== "runs") return String(kind.case);
  return kind.value.runs
    .map(({ count, outcome }) => {
      const failed = outcome?.kind.case === "failed" ? outcome.kind.value.failure?.text : "";
      return `${count} ${outcome?.kind.case}${failed === "" ? "" : `: ${failed}`}`;
    })
    .join(", ");
}

async function flush(task: SinkEnd): Promise<string> {
  const offsets = [{ topic: "t", partition: 3, offset: 80n }];
  task.send({ case: "flush", value: { flushSeq: 1n, offsets } });
  const { failure, safe } = await task.inbox.next("flushResult");
  return failure?.text ?? `${safe.length} safe`;
}

const written = () => (existsSync(file) ? readFileSync(file, "utf8") : "");
const toFile = { shell: 'cat >> "$STDIO_FILE"' };

for (const { format, lines } of [
  { format: "text", lines: ["plain", "zwölf 😀", '{"a": 1.0}', "raw", ""] },
  { format: "json", lines: ['"plain"', '"zwölf 😀"', '{"a": 1.0}', '"cmF3"', "null"] },
  {
    format: "records",
    lines: [
      '"value":"plain"',
      '"value":"zwölf 😀"',
      '"value":{"a": 1.0}',
      '"valueBase64":"cmF3"',
      '"value":null',
    ].map(
      (value, at) =>
        `{"id":${at + 1},"topic":"t","partition":3,"offset":${70 + at},"timestamp":1700000000000,"key":null,${value}}`,
    ),
  },
]) {
  test(`with format=${format} a record is one line, and the program reads all before it ends`, async () => {
    const task = await start({ ...toFile, format });
    put(task, [...texts("plain", "zwölf 😀"), [json, '{"a":\n1.0}'], [bytes, "raw"], [text, null]]);
    assert.equal(await result(task), "ok");
    assert.equal(await flush(task), "1 safe");
    assert.equal(await stop(task), undefined);
    assert.equal(written(), `${lines.join("\n")}\n`);
  });
}

test("a text with a line break fails that record only", async () => {
  const task = await start(toFile);
  put(task, [...texts("a", "b\nc", "d"), [bytes, Buffer.from([0xff])]]);
  assert.equal(
    await result(task),
    "1 stored, 1 failed: its value has a line break, which ends a line: use format=json or records, " +
      "1 stored, 1 failed: its value is not UTF-8 text: use format=json or records, which write base64",
  );
  assert.equal(await stop(task), undefined);
  assert.equal(written(), "a\nd\n");
});

test("a put returns when the program has answered each record, by number", async () => {
  const answer = 'while read -r line; do echo "$line" >> "$STDIO_FILE"; echo "$((n += 1))"; done';
  const task = await start({ shell: answer, acknowledge: "record" });
  for (const seq of [1n, 2n, 3n]) {
    put(task, texts(`a${seq}`, `b${seq}`), seq);
    assert.equal(await result(task), "ok");
    assert.equal(written().split("\n").length - 1, Number(seq) * 2);
  }
  assert.equal(await stop(task), undefined);
});

test("a program refuses records one by one, in any order, and the others are stored", async () => {
  const shell = `while read -r line; do :; if [ "$((n += 1))" = 3 ]; then echo '{"id":2,"error":"no such account"}'; echo '{"id":3}'; echo '{"id":1}'; fi; done`;
  const task = await start({ shell, acknowledge: "record", format: "records" });
  put(task, texts("a", "b", "c"));
  assert.equal(await result(task), "1 stored, 1 failed: no such account, 1 stored");
  assert.equal(await stop(task), undefined);
});

test("with acknowledge=batch a line ends each batch, and one answer does for all", async () => {
  const shell = `while read -r line; do case $line in '{"batch":'*) echo "$line" >> "$STDIO_FILE"; echo '{"ack":'"\${line#*:}" ;; esac; done`;
  const task = await start({ shell, acknowledge: "batch", format: "records" });
  put(task, texts("a", "b"), 1n);
  assert.equal(await result(task), "ok");
  put(task, texts("c", "d", "e"), 2n);
  assert.equal(await result(task), "ok");
  assert.equal(written(), '{"batch":2}\n{"batch":5}\n');
  assert.equal(await stop(task), undefined);
});

test("with acknowledge=exit a flush ends the program, and its status says whether all is stored", async () => {
  const shell =
    'sort >> "$STDIO_FILE"; echo end >> "$STDIO_FILE"; test "$(tail -n 2 "$STDIO_FILE" | head -n 1)" != bad';
  const task = await start({ shell, acknowledge: "exit" });
  assert.equal(await flush(task), "1 safe");
  put(task, texts("b", "a"), 1n);
  assert.equal(await result(task), "ok");
  assert.equal(await flush(task), "1 safe");
  assert.equal(written(), "a\nb\nend\n");
  put(task, texts("bad"), 2n);
  assert.equal(await result(task), "ok");
  assert.equal(await flush(task), "the program exited with status 1");
  assert.equal(await stop(task), undefined);
});

for (const { name, config, values, says } of [
  {
    name: "never reads",
    config: { shell: "sleep 1000" },
    values: texts("x".repeat(300_000)),
    says: /^the program has read nothing of its input for 300 ms$/,
  },
  {
    name: "never answers",
    config: { shell: "cat > /dev/null", acknowledge: "record" },
    values: texts("a"),
    says: /^the program has not answered record 1 within 300 ms; does it write its answers out at once\?$/,
  },
  {
    name: "ends before it has read all",
    config: {
      shell: "read -r line; echo 'disk is full' >&2; exit 5",
      "program.timeout.ms": "20000",
    },
    values: texts("x".repeat(300_000), "y".repeat(300_000)),
    says: /^the program exited with status 5 before it had taken all its records; its last lines on stderr:\ndisk is full$/,
  },
  {
    name: "ends before it has answered",
    config: { shell: "read -r line", acknowledge: "record", "program.timeout.ms": "20000" },
    values: texts("a"),
    says: /^the program exited with status 0 before it had taken all its records$/,
  },
  {
    name: "answers in other words",
    config: {
      shell: "echo stored; cat > /dev/null",
      acknowledge: "record",
      "program.timeout.ms": "20000",
    },
    values: texts("a"),
    says: /^line 1 of the program is no answer: it is not JSON; it is "stored"$/,
  },
  {
    name: "answers what it was not given",
    config: {
      shell: "echo 9; cat > /dev/null",
      acknowledge: "record",
      "program.timeout.ms": "20000",
    },
    values: texts("a"),
    says: /^line 1 of the program is no answer: it answers record 9, and 1 is the last it was given; it is "9"$/,
  },
]) {
  test(`a program that ${name} fails the put with what it did`, async () => {
    const task = await start({ "program.timeout.ms": "300", "stop.timeout.ms": "100", ...config });
    put(task, values);
    assert.match(await result(task), says);
    assert.equal(await stop(task), undefined);
  });
}

test("a program that has ended by itself is seen at the next flush, and its output is in the log", async () => {
  const task = await start({ shell: "echo 'a word of mine'; exit 2" });
  await logged(place.host, /a word of mine/);
  // Its last word may come before its exit is seen.
  let said = "";
  await waitFor(
    async () => {
      said = await flush(task);
      return said !== "1 safe";
    },
    { ...within, what: "a flush that fails" },
  );
  assert.match(said, /^the program exited with status 2 before it had taken all/);
  assert.equal(await stop(task), undefined);
});

test("a program that does not end at the end of its input is ended, with its children", async () => {
  const shell = 'trap "" TERM; sleep 1000 & echo "$$ $!" >> "$STDIO_FILE"; wait; wait; sleep 1000';
  const task = await start({ shell, "stop.timeout.ms": "100" });
  await waitFor(() => written().endsWith("\n"), { ...within, what: "the pids" });
  const pids = written().trim().split(" ").map(Number);
  assert.equal(await stop(task), undefined);
  await waitFor(() => !pids.some(isAlive), { ...within, what: "the end of both" });
  await logged(place.host, /does not end when it is asked to: SIGKILL/);
});

test("acknowledge=batch without format=records is refused", async () => {
  const task = await start({ ...toFile, acknowledge: "batch" });
  const failure = await task.inbox.next("failure");
  assert.match(failure.text, /^acknowledge=batch needs format=records/);
  assert.equal(await stop(task), undefined);
});
