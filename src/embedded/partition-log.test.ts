import assert from "node:assert/strict";
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rm,
  stat,
  symlink,
  truncate,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { afterEach, type TestContext } from "node:test";
import { systemClock } from "../base/clock.ts";
import { RecordCursor } from "../batch/decode.ts";
import { BatchBuilder } from "../batch/encode.ts";
import { createLogger, silentLogger } from "../observe/logger.ts";
import { newRecordSlice } from "../record/record-slice.ts";
import { compact } from "./compaction.ts";
import { positionAt } from "./log-run.ts";
import { PartitionLog } from "./partition-log.ts";
import { type FsyncPolicy, Syncer } from "./syncer.ts";
import { parseTopicConfig } from "./topic-config.ts";

interface LogOptions {
  config?: Record<string, string>;
  lines?: string[];
  fsync?: FsyncPolicy;
}

const opened: PartitionLog[] = [];

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
});

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "partition-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function openLog(directory: string, options: LogOptions = {}): Promise<PartitionLog> {
  const { lines, fsync = "interval" } = options;
  const logger =
    lines === undefined
      ? silentLogger()
      : createLogger({ destination: { write: (line) => void lines.push(line) } });
  const settings = {
    directory,
    defaultPartitionCount: 1,
    retentionMs: -1,
    retentionBytes: -1,
    segmentBytes: 1_000_000,
    cleanIntervalMs: 1_000,
    rebalanceTimeoutMs: 1_000,
  };
  const syncer = new Syncer({ policy: fsync, intervalMs: 60_000, logger });
  const log = new PartitionLog({
    topic: "t",
    partition: 0,
    directory,
    config: parseTopicConfig("t", options.config ?? {}, settings),
    surroundings: { settings, syncer, logger, clock: systemClock },
    ready: async () => {},
  });
  await log.open();
  opened.push(log);
  return log;
}

type Pair = readonly [key: string | null, value: string | null];

function batchOf(pairs: readonly Pair[], timestampMs = 1): BatchBuilder {
  const builder = new BatchBuilder();
  const record = newRecordSlice();
  for (const [key, value] of pairs) {
    for (const [part, text] of [
      [record.key, key],
      [record.value, value],
    ] as const) {
      const bytes = Buffer.from(text ?? "");
      Object.assign(part, { bytes, start: text === null ? -1 : 0, end: bytes.length });
    }
    builder.append(record, timestampMs);
  }
  return builder;
}

const valuesOf = (...values: string[]) => batchOf(values.map((value) => [null, value]));

async function read(log: PartitionLog, from = 0): Promise<(readonly [number, ...Pair])[]> {
  const position = positionAt(from);
  const cursor = new RecordCursor();
  const text = (start: number, end: number) =>
    start < 0 ? null : Buffer.from(cursor.bytes.subarray(start, end)).toString();
  const records: (readonly [number, ...Pair])[] = [];
  for (;;) {
    const run = await log.read(position, 1_000);
    if (run === undefined) return records;
    cursor.reset(run);
    const before = records.length;
    while (cursor.next()) {
      const { keyStart, keyEnd, valueStart, valueEnd, offset } = cursor;
      records.push([offset, text(keyStart, keyEnd), text(valueStart, valueEnd)]);
    }
    assert.equal(records.length - before, run.recordCount);
  }
}

const values = async (log: PartitionLog) => (await read(log)).map(([, , value]) => value);

test("a torn last batch is cut off wherever it was torn, and the log goes on", async (t) => {
  const original = await folder(t);
  const log = await openLog(original);
  await log.append(valuesOf("a", "b"));
  const name = (await readdir(original))[0]!;
  const wholeBytes = (await stat(join(original, name))).size;
  await log.append(valuesOf("torn"));
  await log.close();
  const allBytes = (await stat(join(original, name))).size;
  for (let size = wholeBytes + 1; size < allBytes; size++) {
    const directory = await folder(t);
    await copyFile(join(original, name), join(directory, name));
    await truncate(join(directory, name), size);
    const lines: string[] = [];
    const reopened = await openLog(directory, { lines });
    assert.equal(reopened.endOffset, 2);
    assert.match(lines.join(), new RegExp(`cut ${size - wholeBytes} bytes of an unfinished write`));
    assert.equal(await reopened.append(valuesOf("c")), 2);
    assert.deepEqual(await values(reopened), ["a", "b", "c"], `cut at ${size}`);
    await reopened.close();
    assert.deepEqual(await values(await openLog(directory)), ["a", "b", "c"]);
  }
});

for (const c of [
  { name: "zeros, as a file system leaves them", tail: Buffer.alloc(500) },
  { name: "noise", tail: Buffer.from("noise ".repeat(50)) },
]) {
  test(`a tail of ${c.name} is cut off`, async (t) => {
    const directory = await folder(t);
    const log = await openLog(directory);
    await log.append(valuesOf("a"));
    await log.close();
    await appendFile(join(directory, (await readdir(directory))[0]!), c.tail);
    const reopened = await openLog(directory);
    assert.deepEqual(await values(reopened), ["a"]);
    assert.equal(reopened.endOffset, 1);
  });
}

test("a damaged batch in a closed segment is an error that names the file, not silence", async (t) => {
  const directory = await folder(t);
  const log = await openLog(directory, { config: { "segment.bytes": "1" } });
  for (const value of ["a", "b", "c"]) await log.append(valuesOf(value));
  await log.close();
  const first = join(directory, (await readdir(directory)).sort()[0]!);
  const file = await open(first, "r+");
  await file.write("X", 66);
  await file.close();
  const reopened = await openLog(directory);
  await assert.rejects(read(reopened), {
    code: "embedded.log_corrupt",
    message: new RegExp(`cannot read ${first} at byte 0`),
  });
  assert.deepEqual((await read(reopened, 1)).length, 2);
});

test("a small batch that was just written is read without its file, a large one from it", async (t) => {
  const directory = await folder(t);
  const log = await openLog(directory);
  const emptyFile = async () => truncate(join(directory, (await readdir(directory))[0]!), 0);
  const position = positionAt(0);
  for (const value of ["first", "second"]) {
    await log.append(valuesOf(value));
    await emptyFile();
    const run = await log.read(position, 1_000);
    assert.match(Buffer.from(run!.batches).toString("latin1"), new RegExp(value));
  }
  await log.append(valuesOf("x".repeat(20_000)));
  await emptyFile();
  await assert.rejects(log.read(position, 1_000), { code: "embedded.log_corrupt" });
});

test("a full disk fails the batch, keeps the log readable and is over when there is room", async (t) => {
  const directory = await folder(t);
  const log = await openLog(directory, { config: { "segment.bytes": "150" } });
  await log.append(valuesOf("stored ".repeat(12)));
  // The segment that comes next is on a device that is always full.
  const next = join(directory, `${"1".padStart(20, "0")}.log`);
  await symlink("/dev/full", next);
  for (let n = 0; n < 2; n++) {
    await assert.rejects(log.append(valuesOf("lost")), {
      name: "TaskError",
      code: "embedded.disk_full",
      message: `cannot write to t-0: no room is left for the embedded log in ${directory}`,
      hint: /Free some space on the disk/,
    });
    assert.equal(log.endOffset, 1);
    assert.equal((await read(log)).length, 1, "the log stays readable");
    await log.sync();
  }
  await rm(next);
  assert.equal(await log.append(valuesOf("again")), 1);
  assert.deepEqual((await values(log)).at(-1), "again");
  await log.close();
  assert.equal((await read(await openLog(directory))).length, 2);
});

test("batches that wait while a segment cannot be written fail each, in their order", async (t) => {
  const directory = await folder(t);
  await symlink("/dev/full", join(directory, `${"".padStart(20, "0")}.log`));
  const log = await openLog(directory, { fsync: "always" });
  const outcomes = await Promise.allSettled(
    ["a", "b", "c"].map((value) => log.append(valuesOf(value))),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected", "rejected"],
  );
  assert.equal(log.endOffset, 0);
  await rm(join(directory, (await readdir(directory))[0]!));
  assert.equal(await log.append(valuesOf("d")), 0);
});

for (const fsync of ["always", "interval", "never"] as const) {
  test(`appends at the same time keep their order with fsync=${fsync}`, async (t) => {
    const directory = await folder(t);
    const log = await openLog(directory, { fsync, config: { "segment.bytes": "500" } });
    const expected = Array.from({ length: 300 }, (_, n) => `v${n}`);
    const offsets = await Promise.all(expected.map((value) => log.append(valuesOf(value))));
    assert.deepEqual(
      offsets,
      expected.map((_, n) => n),
    );
    assert.deepEqual(await values(log), expected);
    await log.close();
    assert.deepEqual(await values(await openLog(directory)), expected);
  });
}

test("a deleted log takes its files away and refuses what was waiting", async (t) => {
  const directory = join(await folder(t), "partition");
  await mkdir(directory);
  const log = await openLog(directory);
  await log.append(valuesOf("a"));
  await log.delete();
  await assert.rejects(log.append(valuesOf("b")), { code: "kafka.topic_deleted" });
  assert.equal(await log.read(positionAt(0), 100), undefined);
  await assert.rejects(stat(directory), { code: "ENOENT" });
});

const compacted = { "cleanup.policy": "compact", "segment.bytes": "300" };

/** What a reader should be left with: per key its last value. */
function lastValues(pairs: readonly (readonly [number, ...Pair])[]): Map<string, string | null> {
  return new Map(pairs.map(([, key, value]) => [key!, value]));
}

test("compaction keeps the last record of each key at its offset, whatever was written", async (t) => {
  const firstSeed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
  const seeds = 5 * Number(process.env["BULKHEAD_ROUNDS"] ?? 1);
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const directory = await folder(t);
    let log = await openLog(directory, { config: compacted });
    const all: (readonly [number, ...Pair])[] = [];
    for (let round = 0; round < 4; round++) {
      for (let n = random(40); n >= 0; n--) {
        const pairs = Array.from({ length: 1 + random(4) }, (): Pair => {
          return [`k${random(8)}`, random(4) === 0 ? null : `v${all.length}-${random(1_000)}`];
        });
        const base = await log.append(batchOf(pairs, Date.now()));
        for (const [i, pair] of pairs.entries()) all.push([base + i, ...pair]);
      }
      await compact(log, Date.now());
      const left = await read(log);
      const offsets = new Set(left.map(([offset]) => offset));
      assert.deepEqual(
        left,
        all.filter(([offset]) => offsets.has(offset)),
        `BULKHEAD_SEED=${seed}: order and content`,
      );
      assert.deepEqual(lastValues(left), lastValues(all), `BULKHEAD_SEED=${seed}: last values`);
      assert.equal(log.endOffset, all.length);
      const middle = random(all.length);
      assert.deepEqual(
        await read(log, middle),
        left.filter(([offset]) => offset >= middle),
        `BULKHEAD_SEED=${seed}: from ${middle}`,
      );
      if (random(2) === 0) {
        await log.close();
        log = await openLog(directory, { config: compacted });
        assert.deepEqual(await read(log), left, `BULKHEAD_SEED=${seed}: reopened`);
      }
    }
    await log.close();
  }
});

test("a record without a value goes when its time is over, and its key is gone", async (t) => {
  const directory = await folder(t);
  const config = { ...compacted, "delete.retention.ms": "1000" };
  const log = await openLog(directory, { config });
  await log.append(batchOf([["a", "1"]], 10_000));
  await log.append(batchOf([["a", null]], 10_000));
  for (let n = 0; n < 10; n++) await log.append(batchOf([["b", String(n)]], 10_000));
  const keysAt = async (nowMs: number) => {
    await compact(log, nowMs);
    return (await read(log)).filter(([, key]) => key === "a");
  };
  assert.deepEqual(await keysAt(11_000), [[1, "a", null]]);
  for (let n = 0; n < 20; n++) await log.append(batchOf([["b", String(n)]], 10_000));
  assert.deepEqual(await keysAt(11_001), []);
});

test("compaction that was killed between its steps is finished at the next start", async (t) => {
  const directory = await folder(t);
  const log = await openLog(directory, { config: compacted });
  for (let n = 0; n < 30; n++) await log.append(batchOf([[`k${n % 3}`, `v${n}`]]));
  const before = await read(log);
  const copies = await folder(t);
  for (const name of await readdir(directory)) {
    await copyFile(join(directory, name), join(copies, name));
  }
  await compact(log, 2);
  const after = await read(log);
  assert.ok(after.length < before.length);
  await log.close();
  // The merged file has its name, but what it was merged from is still there, and a rest of another.
  const left = new Set(await readdir(directory));
  for (const name of await readdir(copies)) {
    if (!left.has(name)) await copyFile(join(copies, name), join(directory, name));
  }
  await copyFile(
    join(copies, (await readdir(copies))[0]!),
    join(directory, "00000000000000000003.log.cleaned"),
  );
  const reopened = await openLog(directory, { config: compacted });
  const found = await read(reopened);
  assert.deepEqual(lastValues(found), lastValues(before));
  const offsets = found.map(([offset]) => offset);
  assert.deepEqual(
    offsets,
    [...new Set(offsets)].sort((a, b) => a - b),
    "no record twice, none out of order",
  );
  assert.ok(!(await readdir(directory)).some((name) => name.endsWith(".cleaned")));
});

test("who is reading while segments are rewritten and deleted misses nothing that is kept", async (t) => {
  const directory = await folder(t);
  const log = await openLog(directory, { config: compacted });
  for (let n = 0; n < 300; n++) await log.append(batchOf([[`k${n}`, `v${n}`]]));
  const reads = Promise.all(Array.from({ length: 5 }, (_, n) => read(log, n)));
  await Promise.all([compact(log, 2), reads]);
  for (const [n, records] of (await reads).entries()) assert.equal(records.length, 300 - n);
});
