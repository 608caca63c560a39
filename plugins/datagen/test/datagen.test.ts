import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HostEnd } from "../../../sdk/typescript/test/host-end.ts";
import { RowReader } from "../../../sdk/typescript/test/row-reader.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const main = join(folder, "dist", "main.js");

async function withTask(
  config: Record<string, string>,
  stored: Record<string, string>,
  run: (reader: RowReader) => Promise<void>,
): Promise<void> {
  const host = await HostEnd.listen();
  try {
    for (const [partition, offset] of Object.entries(stored)) host.offsets.set(partition, offset);
    host.spawn([process.execPath, main], { cwd: folder });
    const task = await host.startSource("c", {
      className: "bench.DatagenSource",
      task: 2,
      taskConfig: { topic: "t", ...config },
    });
    task.send({ case: "credit", value: { records: 1_000_000n, bytes: 1n << 30n } });
    await run(new RowReader(task));
    task.send({ case: "stop", value: { timeoutMs: 5_000n } });
    assert.equal((await task.inbox.next("stopped")).failure, undefined);
  } finally {
    await host.close();
  }
}

test("plugin.json is what the program prints", () => {
  const kept = JSON.parse(readFileSync(join(folder, "plugin.json"), "utf8"));
  const command: string[] = kept.command.slice(1);
  const printed = execFileSync(process.execPath, [...command, "manifest"], { cwd: folder });
  assert.deepEqual(JSON.parse(printed.toString()), kept);
});

test("a task makes exactly as many records as asked and tells how far it is", async () => {
  await withTask({ records: "2500", format: "string", "record.size": "30" }, {}, async (reader) => {
    const values = await reader.until(2_500);
    assert.ok(values.every((value) => value.length === 30));
    assert.equal(reader.lastOffsets.get('{"task":"2"}'), '{"n":2500}');
    assert.ok(reader.rows.every((row) => row.key.text === null && row.timestamp > 0));
  });
});

test("a restarted task goes on from its offset", async () => {
  const config = { records: "20", format: "struct" };
  await withTask(config, { '{"task":"2"}': '{"n":17}' }, async (reader) => {
    const values = await reader.until(3);
    assert.deepEqual(
      values.map((value) => JSON.parse(value).id),
      [17, 18, 19],
    );
    assert.match(
      values[0] ?? "",
      /^\{"id":17,"ts":\d+,"name":"[a-z ]{16}",.*"active":false,"score":4\.375,"count":17,/,
    );
    assert.equal(reader.lastOffsets.get('{"task":"2"}'), '{"n":20}');
  });
});

test("a rate is kept", async () => {
  const begun = performance.now();
  await withTask({ rate: "200" }, {}, async (reader) => {
    await reader.until(41);
    const tookMs = performance.now() - begun;
    assert.ok(tookMs >= 200, `41 records at 200 a second took ${tookMs} ms`);
  });
});

test("a stamp that does not fit is a config error", async () => {
  const host = await HostEnd.listen();
  try {
    host.spawn([process.execPath, main], { cwd: folder });
    const taskConfig = { topic: "t", stamp: "true", "record.size": "10" };
    const task = await host.startSource("c", { className: "bench.DatagenSource", taskConfig });
    assert.match(
      (await task.inbox.next("failure")).text,
      /record\.size must be at least 17, not 10/,
    );
  } finally {
    await host.close();
  }
});
