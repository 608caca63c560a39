import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Encoding } from "../../../sdk/typescript/src/gen/bulkhead/plugin/v1/record_pb.ts";
import { HostEnd } from "../../../sdk/typescript/test/host-end.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const main = join(folder, "dist", "main.js");

test("plugin.json is what the program prints", () => {
  const kept = JSON.parse(readFileSync(join(folder, "plugin.json"), "utf8"));
  const command: string[] = kept.command.slice(1);
  const printed = execFileSync(process.execPath, [...command, "manifest"], { cwd: folder });
  assert.deepEqual(JSON.parse(printed.toString()), kept);
});

test("after every put the file holds records, bytes and the sum of the touched field", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "bulkhead-blackhole-"));
  const host = await HostEnd.listen();
  try {
    host.spawn([process.execPath, main], { cwd: folder });
    const path = join(temporary, "count");
    const task = await host.startSink("c", {
      className: "bench.NullSink",
      task: 1,
      taskConfig: { "count.file": path, "touch.field": "id" },
    });
    await task.inbox.next("started");
    const schema =
      '{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false}';
    task.send({ case: "topic", value: { id: 1, topic: "t" } });
    task.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
    task.send({ case: "form", value: { id: 2, encoding: Encoding.JSON, schema } });
    const put = async (putSeq: bigint, form: number, values: readonly string[]) => {
      const parts = values.map((value) => Buffer.from(value));
      const columns = {
        count: parts.length,
        arena: Buffer.concat(parts),
        valueSizes: parts.map((part) => part.length + 1),
        valueForms: [form],
        topics: [1],
        partitions: [1],
        offsets: parts.map(() => 1n),
      };
      task.send({ case: "put", value: { putSeq, columns } });
      assert.equal((await task.inbox.next("putResult")).kind.case, "ok");
      const counts = readFileSync(`${path}.1`);
      assert.equal(counts.length, 24);
      return [0, 8, 16].map((at) => counts.readBigInt64BE(at));
    };
    assert.deepEqual(await put(1n, 1, ["abc", "de"]), [2n, 5n, 0n]);
    const rows = ['{"id":9007199254740993}', '{"id":-2}', '{"id":3}'];
    assert.deepEqual(await put(2n, 2, rows), [5n, 5n, 9007199254740994n]);
  } finally {
    await host.close();
    rmSync(temporary, { recursive: true, force: true });
  }
});
