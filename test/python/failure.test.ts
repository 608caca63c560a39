/** What plain Python answers once its sink has failed or stops, seen on the wire. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Encoding } from "../../sdk/typescript/src/gen/bulkhead/plugin/v1/record_pb.ts";
import { HostEnd, type SinkEnd } from "../../sdk/typescript/test/host-end.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";

const { python, missing } = await pythonEnvironment();
const skip = missing ?? false;
const partition = { topic: "t", partition: 0 };

/** Runs one task of the Python sink. */
async function withSink(
  file: string,
  run: (task: SinkEnd, put: (seq: bigint, bytes: number) => void, host: HostEnd) => Promise<void>,
): Promise<void> {
  const host = await HostEnd.listen();
  try {
    host.spawn([python, join(repository, "test", "fixtures", "python", "plugin.py")]);
    const { sdk } = await host.accepted();
    assert.equal(sdk?.language, "python");
    assert.match(sdk?.version ?? "", /^\d/);
    const task = await host.startSink("c", {
      className: "fixture.PythonSink",
      taskConfig: { file },
    });
    await task.inbox.next("started");
    task.send({ case: "topic", value: { id: 1, topic: "t" } });
    task.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
    task.send({ case: "open", value: { partitions: [partition] } });
    await task.inbox.next("opened");
    await run(
      task,
      (putSeq, bytes) => {
        const arena = Buffer.alloc(bytes, "x");
        const columns = { count: 1, arena, valueSizes: [bytes + 1], valueForms: [1], topics: [1] };
        task.send({ case: "put", value: { putSeq, columns: { ...columns, offsets: [putSeq] } } });
      },
      host,
    );
  } finally {
    await host.close();
  }
}

async function result(task: SinkEnd): Promise<[bigint, string | undefined, bigint]> {
  const { putSeq, kind, epoch } = await task.inbox.next("putResult");
  await task.inbox.next("credit");
  return [putSeq, kind.case, epoch];
}

test("a Python sink that has failed still answers puts, flush, close and stop", {
  skip,
}, async () => {
  await withSink("/dev/full", async (task, put) => {
    await task.inbox.next("credit");
    put(1n, 100_000);
    put(2n, 10);
    assert.deepEqual(await result(task), [1n, "failure", 1n]);
    assert.deepEqual(await result(task), [2n, "discarded", 1n]);
    task.send({ case: "flush", value: { flushSeq: 1n, offsets: [{ ...partition, offset: 1n }] } });
    const flushed = await task.inbox.next("flushResult");
    assert.equal(flushed.flushSeq, 1n);
    assert.deepEqual(flushed.safe, []);
    assert.ok(flushed.failure !== undefined, "what was not written is not called safe");
    task.send({ case: "close", value: { partitions: [partition] } });
    await task.inbox.next("closed");
    task.send({ case: "stop", value: { timeoutMs: 5_000n } });
    await task.inbox.next("stopped");
    assert.equal(await task.inbox.ended(), "half-closed");
  });
});

test("a Python sink discards the puts that wait when it is stopped", { skip }, async (context) => {
  const file = join(await temporaryDirectory(context), "pipe");
  execFileSync("mkfifo", [file]);
  // Both ends, so that nobody waits for the other to open; what is written stays until it is read.
  const pipe = await open(file, constants.O_RDWR);
  context.after(() => pipe.close());
  await withSink(file, async (task, put, host) => {
    await task.inbox.next("credit");
    put(1n, 1_000_000);
    put(2n, 10);
    put(3n, 10);
    const buffer = Buffer.alloc(65_536);
    // It has begun with the first: a stop before that would discard all three.
    let left = 1_000_001 - (await pipe.read(buffer, 0, 1)).bytesRead;
    task.send({ case: "stop", value: { timeoutMs: 5_000n } });
    // The first put hangs in a full pipe; meanwhile everything sent here is read.
    for (let beats = 0; beats < 6; beats += 1) await host.session.inbox.next("heartbeat");
    assert.ok(!task.inbox.kinds.includes("putResult"));
    while (left > 0) left -= (await pipe.read(buffer)).bytesRead;
    assert.deepEqual(await result(task), [1n, "ok", 0n]);
    assert.deepEqual(await result(task), [2n, "discarded", 0n]);
    assert.deepEqual(await result(task), [3n, "discarded", 0n]);
    await task.inbox.next("stopped");
    assert.equal(await task.inbox.ended(), "half-closed");
  });
});
