import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FailureClass } from "../../../sdk/typescript/src/gen/bulkhead/plugin/v1/error_pb.ts";
import { RowReader } from "../../../sdk/typescript/test/row-reader.ts";
import { isAlive } from "../../../test/harness/processes.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { folder, logged, main, openPlace, type Place, stop } from "./stdio-place.ts";

const ownPartition = '{"stream":"stdout"}';
const within = { withinMs: 20_000 };
let place: Place;

before(async () => {
  place = await openPlace();
});
after(() => place.close());

async function start(config: Record<string, string>, records = 1_000_000n) {
  const { host } = place;
  const taskConfig = { topic: "t", ...config };
  const task = await host.startSource("c", { className: "bulkhead.StdioSource", taskConfig });
  task.send({ case: "credit", value: { records, bytes: 1n << 30n } });
  return { task, reader: new RowReader(task) };
}

/** As in a shell's here-document: nothing of it is a word of the shell's. */
const print = (...lines: string[]) => `printf '%s\\n' ${lines.map((one) => `'${one}'`).join(" ")}`;

test("plugin.json is what the program prints", () => {
  const kept = JSON.parse(readFileSync(join(folder, "plugin.json"), "utf8"));
  const printed = JSON.parse(
    execFileSync(process.execPath, [main, "manifest"], { cwd: folder }).toString(),
  );
  // A plugin without a package of its own cannot know how it is started from its folder.
  assert.deepEqual({ ...printed, command: kept.command }, kept);
});

test("lines are texts with their number as offset, and status 0 is the end", async () => {
  const { task, reader } = await start({ shell: "printf 'one\\nzwölf\\r\\n\\nlast'" });
  assert.deepEqual(await reader.until(4), ["one", "zwölf", "", "last"]);
  assert.deepEqual(
    reader.rows.map((row) => [row.topic, row.sourcePartition, row.sourceOffset]),
    [1, 2, 3, 4].map((lines) => ["t", ownPartition, `{"lines":${lines}}`]),
  );
  assert.equal(reader.rows[0]?.value.schema, '{"type":"string","optional":false}');
  await logged(place.host, /exited with status 0: there is nothing more to read/);
  assert.equal(await stop(task), undefined);
});

test("a last line without a line feed counts when its program ends well, however late", async () => {
  const { task, reader } = await start({ shell: "printf 'one\\nlast'; exec >&-; sleep 0.5" });
  assert.deepEqual(await reader.until(2), ["one", "last"]);
  assert.equal(await stop(task), undefined);
});

test("a program is told the committed offset and the config, as first line and as variables", async (t) => {
  place.host.offsets.set(ownPartition, '{"lines":41}');
  t.after(() => place.host.offsets.clear());
  const show = 'read -r first; echo "$first"; echo "$STDIO_LINES $STDIO_OFFSET $STDIO_TASK"';
  const { task, reader } = await start({
    command: `sh,-c,${show}; echo "$STDIO_PAGE_SIZE"; pwd`,
    "page.size": "a  b",
    directory: place.directory,
  });
  assert.deepEqual(await reader.until(4), [
    '{"sourceOffset":{"lines":41}}',
    '41 {"lines":41} 0',
    "a  b",
    place.directory,
  ]);
  assert.equal(reader.rows[3]?.sourceOffset, '{"lines":45}');
  assert.equal(await stop(task), undefined);
});

test("format=records takes every member, and keeps numbers that JavaScript would round", async () => {
  const whole =
    '{"topic":"other","key":{"id":9007199254740993},"value":{"x":1.0,"y":[null,"z"]},"headers":[{"name":"h","value":"v"},{"name":"h","value":2}],"timestamp":1700000000000,"partition":3,"sourcePartition":{"file":"a"},"sourceOffset":{"at":7}}';
  const lines = [
    whole,
    '{"value":null,"sourceOffset":{"at":8}}',
    '{"valueBase64":"aGk=","key":"k"}',
  ];
  const { task, reader } = await start({ format: "records", shell: print(...lines) });
  await reader.until(3);
  const [first, second, third] = reader.rows;
  assert.deepEqual(
    [first?.topic, first?.key.text, first?.value.text, first?.partition, first?.timestamp],
    ["other", '{"id":9007199254740993}', '{"x":1.0,"y":[null,"z"]}', 3, 1_700_000_000_000],
  );
  assert.deepEqual(
    first?.headers.map(({ name, text }) => [name, text]),
    [
      ["h", "v"],
      ["h", "2"],
    ],
  );
  assert.deepEqual([first?.sourcePartition, first?.sourceOffset], ['{"file":"a"}', '{"at":7}']);
  assert.deepEqual(
    [second?.topic, second?.value.text, second?.sourcePartition, second?.sourceOffset],
    ["t", null, ownPartition, '{"at":8}'],
  );
  assert.deepEqual(
    [third?.value.encoding, third?.value.text, third?.key.encoding, third?.sourceOffset],
    ["bytes", "hi", "text", '{"lines":3}'],
  );
  assert.equal(await stop(task), undefined);
});

test("format=json makes a line the value", async () => {
  const { task, reader } = await start({
    format: "json",
    shell: print('{"a":1.0}', '"text"', "1234567890123456789", "null"),
  });
  await reader.until(4);
  assert.deepEqual(
    reader.rows.map(({ value }) => [value.encoding, value.text]),
    [
      ["json", '{"a":1.0}'],
      ["text", "text"],
      ["json", "1234567890123456789"],
      ["null", null],
    ],
  );
  assert.equal(await stop(task), undefined);
});

test("a program asks how far a partition of its own is committed", async (t) => {
  place.host.offsets.set('{"file":"a"}', '{"at":5}');
  t.after(() => place.host.offsets.clear());
  const ask = `read -r start; ${print('{"offsetOf":{"file":"a"}}')}; read -r one`;
  const then = `${print('{"offsetOf":{"file":"b"}}')}; read -r two; printf '{"value":[%s,%s]}\\n' "$one" "$two"`;
  const { task, reader } = await start({ format: "records", shell: `${ask}; ${then}` });
  assert.deepEqual(await reader.until(1), [
    '[{"sourcePartition":{"file":"a"},"sourceOffset":{"at":5}},{"sourcePartition":{"file":"b"},"sourceOffset":null}]',
  ]);
  assert.equal(await stop(task), undefined);
});

test("with acks the program is told how many of its lines are in Kafka", async () => {
  const shell =
    'read -r start; echo a; read -r first; echo "$first"; read -r second; echo "$second"';
  const { task, reader } = await start({ acks: "true", shell });
  for (const [rows, last] of [
    [1, "a"],
    [2, '{"acked":1}'],
    [3, '{"acked":2}'],
  ] as const) {
    assert.equal((await reader.until(rows)).at(-1), last);
    const stored = { kind: { case: "stored", value: {} } } as const;
    const runs = [{ count: 1, outcome: stored }];
    task.send({ case: "acked", value: { through: BigInt(reader.batches.length), runs } });
  }
  assert.equal(await stop(task), undefined);
});

test("a status other than 0 fails the task with what was said on stderr, without the password", async () => {
  const shell = `echo one; echo "cannot open: $STDIO_PASSWORD" >&2; printf 'half a line'; exit 3`;
  const { task, reader } = await start({ shell, password: "s3cret" });
  assert.deepEqual(await reader.until(1), ["one"]);
  const failure = await task.inbox.next("failure");
  assert.equal(
    failure.text,
    "the program exited with status 3; its last lines on stderr:\ncannot open: [hidden]",
  );
  assert.equal(await logged(place.host, /cannot open/), "cannot open: [hidden]");
  assert.equal(await stop(task), undefined);
  assert.equal(reader.rows.length, 1);
});

for (const { name, shell, config, says } of [
  {
    name: "that is not JSON",
    shell: `${print("not json")}`,
    config: { format: "json" },
    says: 'line 2 of the program is no record: it is not JSON; it is "not json"',
  },
  {
    name: "with an unknown member",
    shell: print('{"value":1,"vlaue":2}'),
    config: { format: "records" },
    says: /^line 2 of the program is no record: there is no member "vlaue"; a record has topic, key, /,
  },
  {
    name: "that is not UTF-8",
    shell: "printf '\\377\\n'",
    config: {},
    says: 'line 2 of the program is no record: it is not UTF-8; it is "\ufffd"',
  },
  {
    name: "that is too long",
    shell: "head -c 3000 /dev/zero | tr '\\0' x; echo",
    config: { "line.bytes.max": "1024" },
    says: /^line 2 of the program is no record: it is longer than line\.bytes\.max, 1024 bytes; it is "x{100}"$/,
  },
]) {
  test(`a line ${name} fails the task with its number and beginning, or is left out`, async () => {
    const good = config.format === "records" ? '{"value":"good"}' : '"good"';
    const full = `${print(good)}; ${shell}; ${print(good)}`;
    const failing = await start({ ...config, shell: full });
    const { text, failureClass } = await failing.task.inbox.next("failure");
    if (typeof says === "string") assert.equal(text, says);
    else assert.match(text, says);
    assert.equal(failureClass, FailureClass.DATA);
    assert.equal((await failing.reader.until(1)).length, 1);
    assert.equal(await stop(failing.task), undefined);
    const skipping = await start({ ...config, shell: full, "on.bad.line": "skip" });
    await skipping.reader.until(2);
    assert.equal(skipping.reader.rows[1]?.sourceOffset, '{"lines":3}');
    assert.match(await logged(place.host, /^left out: /), /line 2 of the program is no record/);
    assert.equal(await stop(skipping.task), undefined);
  });
}

test("a program waits while its records have no credit", async () => {
  const progress = join(place.directory, "progress");
  const lines = 30_000;
  const loop = `{ print line; if (n % 1000 == 0) { print n > "${progress}"; close("${progress}") } }`;
  const shell = `awk 'BEGIN { line = sprintf("%099d", 0); for (n = 1; n <= ${lines}; n++) ${loop} }'`;
  const written = () => (existsSync(progress) ? Number(readFileSync(progress, "utf8")) : 0);
  const { task, reader } = await start({ shell }, 1n);
  await reader.until(1);
  // What it has written before it had to wait is in pipes and one batch.
  for (let still = 0, last = 0; still < 10; last = written()) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    still = written() === last ? still + 1 : 0;
  }
  assert.ok(written() < lines, `${written()} lines were written`);
  task.send({ case: "credit", value: { records: 1_000_000n, bytes: 1n << 30n } });
  assert.equal((await reader.until(lines)).length, lines);
  await waitFor(() => written() === lines, { ...within, what: "the program's end" });
  assert.equal(await stop(task), undefined);
});

test("on.exit=restart starts it again, and skip.lines leaves out what was read before", async () => {
  const counting = await start({
    shell: 'echo "from $STDIO_LINES"',
    "on.exit": "restart",
    "restart.delay.ms": "1",
  });
  // It goes on restarting, so later lines may have come too.
  const counted = (await counting.reader.until(3)).slice(0, 3);
  assert.deepEqual(counted, ["from 0", "from 1", "from 2"]);
  assert.equal(await stop(counting.task), undefined);
  const file = join(place.directory, "list");
  writeFileSync(file, "a\nb\n");
  const printing = await start({
    command: `cat,${file}`,
    "on.exit": "restart",
    "restart.delay.ms": "10",
    "skip.lines": "true",
  });
  assert.deepEqual(await printing.reader.until(2), ["a", "b"]);
  appendFileSync(file, "c\n");
  assert.deepEqual(await printing.reader.until(3), ["a", "b", "c"]);
  assert.equal(printing.reader.rows[2]?.sourceOffset, '{"lines":3}');
  assert.equal(await stop(printing.task), undefined);
});

test("a program that ignores SIGTERM is killed at the stop, with its children", async () => {
  const shell = "trap '' TERM; sleep 1000 & echo $$ $!; wait";
  const { task, reader } = await start({ shell, "stop.timeout.ms": "100" });
  const pids = (await reader.until(1))[0]?.split(" ").map(Number) ?? [];
  assert.equal(pids.filter(isAlive).length, 2);
  assert.equal(await stop(task), undefined);
  await waitFor(() => !pids.some(isAlive), { ...within, what: "the end of both" });
});

test("a child that outlives the program and holds its output is ended", async () => {
  const { task, reader } = await start({ shell: "sleep 1000 & echo $!" });
  const pid = Number((await reader.until(1))[0]);
  await logged(place.host, /left processes behind/);
  await waitFor(() => !isAlive(pid), { ...within, what: "the child's end" });
  assert.equal(await stop(task), undefined);
});

const refusals: {
  name: string;
  config: (directory: string) => Record<string, string>;
  says: RegExp;
}[] = [
  {
    name: "without a program",
    config: () => ({}),
    says: /^give the program as command .* or as shell/,
  },
  {
    name: "with two programs",
    config: () => ({ command: "true", shell: "true" }),
    says: /^command and shell exclude each other/,
  },
  {
    name: "whose keys collide as variables",
    config: () => ({ shell: "true", "a.b": "1", a_b: "2", lines: "3" }),
    says: /^a_b would be the variable STDIO_A_B, which is the one of a\.b already; lines would be the variable STDIO_LINES, which is the number of lines/,
  },
  {
    name: "with a missing program",
    config: () => ({ command: "/no/such/program" }),
    says: /^cannot start the program \/no\/such\/program: there is no such program, or the one that its #! line names$/,
  },
  {
    name: "with a missing folder",
    config: () => ({ command: "true", directory: "/no/such/folder" }),
    says: /^cannot start the program: there is no folder \/no\/such\/folder$/,
  },
  {
    name: "with a file that is not executable",
    config: (directory) => {
      writeFileSync(join(directory, "plain"), "#!/bin/sh\n", { mode: 0o644 });
      return { command: "./plain", directory };
    },
    says: /^cannot start the program \.\/plain: it is not a file with execute permission$/,
  },
];

for (const { name, config, says } of refusals) {
  test(`a source ${name} fails and says what to do`, async () => {
    const { task } = await start(config(place.directory));
    const failure = await task.inbox.next("failure");
    assert.match(failure.text, says);
    assert.equal(failure.failureClass, FailureClass.CONFIGURATION);
    assert.equal(await stop(task), undefined);
  });
}
