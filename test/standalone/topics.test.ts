/** The commands that look into a log: topics, their records, and lines written to them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import { Commands } from "../harness/commands.ts";
import { fill } from "../harness/embedded-log.ts";
import { program, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

async function commands(context: TestContext): Promise<Commands> {
  return new Commands(await temporaryDirectory(context));
}

test("lines become records with keys, nulls and headers, and come back in every format", async (t) => {
  const log = await commands(t);
  const written = await log.run(
    ["write", "t", "--key-separator", ":", "--null", "NULL", "--header", "h=é"],
    "a:1\nb:NULL\nc:x:y",
  );
  assert.deepEqual([written.status, written.stderr], [0, "wrote 3 records to t\n"]);
  assert.equal(await log.print("read", "t"), "1\nnull\nx:y\n");
  assert.equal(
    await log.print("read", "t", "--keys", "--headers", "--offsets"),
    "0:0\th:é\ta\t1\n0:1\th:é\tb\tnull\n0:2\th:é\tc\tx:y\n",
  );
  assert.equal(
    await log.print("read", "t", "--format", "hex", "--keys"),
    "61\t31\n62\tnull\n63\t783a79\n",
  );
  const [first] = (await log.print("read", "t", "--format", "json")).split("\n");
  const { timestamp, ...record } = JSON.parse(first ?? "");
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  const headers = [{ key: "h", value: "é" }];
  assert.deepEqual(record, { topic: "t", partition: 0, offset: 0, headers, key: "a", value: "1" });
});

test("a part of a topic: from an offset, the last ones, a limit, one partition", async (t) => {
  const log = await commands(t);
  await log.print(
    "topic",
    "create",
    "two",
    "--partitions",
    "2",
    "--setting",
    "retention.ms=1000000",
  );
  await log.run(["write", "two", "--partition", "0"], "0\n1\n2\n3\n");
  await log.run(["write", "two", "--partition", "1"], "10\n11\n");
  const read = (...args: string[]) => log.print("read", "two", ...args);
  assert.deepEqual((await read()).trim().split("\n").sort(), ["0", "1", "10", "11", "2", "3"]);
  assert.equal(await read("--partition", "0", "--from", "2"), "2\n3\n");
  assert.equal(await read("--partition", "1", "--last", "1"), "11\n");
  assert.equal(await read("--partition", "0", "--limit", "1"), "0\n");
  assert.equal(await read("--from", "end"), "");
  const { stdout } = await log.run(["topic", "describe", "two"]);
  assert.match(stdout, /^0 +4$/m);
  assert.match(stdout, /^1 +2$/m);
  assert.match(stdout, /^retention\.ms +1000000$/m);
  assert.deepEqual(JSON.parse(await log.print("topic", "describe", "two", "--json")).partitions, [
    { partition: 0, endOffset: 4 },
    { partition: 1, endOffset: 2 },
  ]);
});

test("topics are made, listed and deleted", async (t) => {
  const log = await commands(t);
  assert.equal(await log.print("topic", "create", "b"), "made topic b\n");
  await log.print("topic", "create", "a");
  assert.equal(await log.print("topic", "list"), "a\nb\n");
  assert.equal(await log.print("topic", "delete", "b"), "deleted topic b\n");
  assert.equal(await log.print("topic", "list", "--json"), '["a"]\n');
});

test("follow goes on until Ctrl-C, and whoever stops reading ends it", async (t) => {
  const log = await commands(t);
  await log.run(["write", "t"], "one\n");
  const following = log.start("read", "t", "--follow");
  let seen = "";
  following.stdout.on("data", (chunk) => {
    seen += chunk;
  });
  await waitFor(() => seen === "one\n", { withinMs: 20_000, what: "the record" });
  following.kill("SIGINT");
  assert.deepEqual(await once(following, "close"), [0, null]);
  await log.run(["write", "t"], `${"x".repeat(1_000)}\n`.repeat(20_000));
  const cut = log.start("read", "t");
  await once(cut.stdout, "data");
  cut.stdout.destroy();
  assert.deepEqual(await once(cut, "close"), [0, null]);
});

test("bytes that are no UTF-8 stay what they are", async (t) => {
  const log = await commands(t);
  const child = log.start("write", "t");
  child.stdin.end(Buffer.of(0xff, 0x00, 0xfe, 10));
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.equal(await log.print("read", "t", "--format", "hex"), "ff00fe\n");
  const record = JSON.parse(await log.print("read", "t", "--format", "json"));
  assert.deepEqual(record.value, { base64: "/wD+" });
});

test("what cannot be done is told with what to do, and what was written before stays", async (t) => {
  const log = await commands(t);
  const { status, stderr } = await log.run(
    ["write", "t", "--key-separator", ":"],
    "a:1\nb2\nc:3\n",
  );
  assert.equal(
    stderr,
    "bulkhead: cannot write line 2 to t (1 are written): it has no key separator\n",
  );
  assert.equal(status, 3);
  assert.equal(await log.print("read", "t"), "1\n");
  for (const { args, says } of [
    {
      args: ["read", "none"],
      says: "bulkhead: cannot find topic none\n  hint: bulkhead topic list",
    },
    {
      args: ["read", "t", "--partition", "3"],
      says: "bulkhead: cannot read partition 3 of t: it has 1",
    },
    {
      args: ["read", "t", "--from", "top"],
      says: "bulkhead: cannot read from top\n  hint: --from takes",
    },
    { args: ["topic", "create", "t"], says: "bulkhead: cannot make topic t: there is one\n" },
    { args: ["topic", "create", "a b"], says: 'bulkhead: cannot use topic "a b": its name has' },
    { args: ["topic", "delete", "none"], says: "bulkhead: cannot find topic none\n" },
  ]) {
    const refused = await log.run(args);
    assert.ok(refused.stderr.startsWith(says), refused.stderr);
    assert.notEqual(refused.status, 0);
  }
});

test("which log is meant comes from the option or the worker file", async (t) => {
  const log = await commands(t);
  await log.run(["write", "t"], "one\n");
  const worker = join(log.directory, "worker.properties");
  await writeFile(worker, `bootstrap.servers=${log.log}\n`);
  const run = async (...args: string[]) => {
    const child = spawn(process.execPath, [program, ...args], { timeout: 60_000 });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return stdout + stderr;
  };
  assert.equal(await run("read", "t", "--config", worker), "one\n");
  assert.match(await run("read", "t"), /^bulkhead: cannot tell which log is meant\n {2}hint: add/);
  const empty = join(log.directory, "empty");
  await mkdir(empty);
  const nothing = await run("read", "t", "--bootstrap-server", `embedded:${empty}`);
  assert.match(nothing, /^bulkhead: cannot look into .*: there is no embedded log in it\n/);
});

test("a folder that a host has open is looked at as it is just then; whoever writes is refused", async (t) => {
  const log = await commands(t);
  await log.run(["write", "t"], "one\n");
  await log.run(["write", "other"], "two\n");
  const kafka = await openEmbedded({ directory: join(log.directory, "log") });
  t.after(() => kafka.close());
  await fill(kafka, "t", ["two"]);
  assert.equal(await log.print("topic", "list"), "other\nt\n");
  assert.equal(await log.print("read", "t"), "one\ntwo\n");
  assert.match(await log.print("topic", "describe", "t"), /^0 +2$/m);
  for (const args of [
    ["write", "t"],
    ["read", "t", "--follow"],
    ["topic", "delete", "t"],
  ]) {
    const { status, stderr } = await log.run(args, "three\n");
    assert.match(stderr, new RegExp(`: process ${process.pid} is using it\n`));
    assert.equal(status, 2);
  }
  assert.deepEqual(readdirSync(log.directory), ["log"]);
  await fill(kafka, "t", ["three"]);
  assert.equal(await log.print("read", "t", "--last", "1"), "three\n");
});
