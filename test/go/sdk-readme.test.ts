/** The programs of the Go SDK's README, run against the contract's other end. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Encoding } from "../../sdk/typescript/src/gen/bulkhead/plugin/v1/record_pb.ts";
import { HostEnd } from "../../sdk/typescript/test/host-end.ts";
import { goMissing, goSdk, runGo } from "../harness/go.ts";
import { temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

const missing = await goMissing();
const skip = missing ?? false;
const readme = readFileSync(join(goSdk, "README.md"), "utf8");
const linesMax = 40;

function codeOf(marker: string): string {
  const code = new RegExp(`<!-- ${marker} -->\\n+\`\`\`go\\n(.*?)\`\`\``, "s").exec(readme)?.[1];
  assert.ok(code, `the README has no ${marker}`);
  return code;
}

/** The program below a marker, as a module of its own beside the SDK, built. */
async function program(marker: string, folder: string, head = ""): Promise<string> {
  const code = head + codeOf(marker);
  const lines = code.trim().split("\n").length;
  assert.ok(lines <= linesMax, `${marker} has ${lines} lines`);
  const module = join(folder, marker);
  await mkdir(module);
  await writeFile(join(module, "main.go"), code);
  // What `go mod tidy` would ask the network for, the SDK has.
  const own = readFileSync(join(goSdk, "go.mod"), "utf8").replace(/^module .*$/m, "module hello");
  await writeFile(join(module, "go.mod"), own);
  await copyFile(join(goSdk, "go.sum"), join(module, "go.sum"));
  const sdk = ["-require", "bulkhead/sdk/go@v0.0.0", "-replace", `bulkhead/sdk/go=${goSdk}`];
  await runGo(["mod", "edit", ...sdk], module);
  await runGo(["build", "-o", "hello", "."], module);
  return join(module, "hello");
}

test("the Go README's hello source has at most 40 lines and goes on behind its offset", {
  skip,
}, async (t) => {
  const path = await program("hello-source", await temporaryDirectory(t));
  const host = await HostEnd.listen();
  try {
    host.offsets.set('{"counter":"main"}', '{"n":41}');
    host.spawn([path]);
    const hello = await host.accepted();
    assert.deepEqual(hello.plugin?.classes, ["example.Counter"]);
    assert.equal(hello.sdk?.language, "go");
    const taskConfig = { topic: "lines" };
    const source = await host.startSource("c", { className: "example.Counter", taskConfig });
    await source.inbox.next("started");
    source.send({ case: "credit", value: { records: 10n, bytes: 1_000_000n } });
    assert.equal((await source.inbox.next("topic")).topic, "lines");
    assert.equal((await source.inbox.next("form")).encoding, Encoding.TEXT);
    const { columns } = await source.inbox.next("records");
    assert.equal(Buffer.from(columns!.arena).toString().slice(0, 7), "line 41");
    assert.equal(Buffer.from(columns!.offsetArena).toString().slice(0, 8), '{"n":42}');
    source.send({ case: "stop", value: { timeoutMs: 1_000n } });
    const stopped = await source.inbox.next("stopped");
    assert.equal(stopped.failure, undefined);
    assert.equal(await source.inbox.ended(), "half-closed");
  } finally {
    await host.close();
  }
});

test("the Go README's hello sink has at most 40 lines and prints what was put", {
  skip,
}, async (t) => {
  const path = await program("hello-sink", await temporaryDirectory(t));
  const host = await HostEnd.listen();
  try {
    const child = host.spawn([path]);
    let printed = "";
    child.stdout?.on("data", (data: Buffer) => {
      printed += data.toString();
    });
    await host.accepted();
    const sink = await host.startSink("c", { className: "example.Print" });
    await sink.inbox.next("started");
    sink.send({ case: "topic", value: { id: 1, topic: "lines" } });
    sink.send({ case: "form", value: { id: 1, encoding: Encoding.TEXT } });
    sink.send({ case: "open", value: { partitions: [{ topic: "lines", partition: 0 }] } });
    await sink.inbox.next("opened");
    const arena = Buffer.from("hello");
    const ids = { valueForms: [1], topics: [1], partitions: [1], offsets: [7n] };
    const columns = { count: 1, arena, valueSizes: [6], ...ids };
    sink.send({ case: "put", value: { putSeq: 1n, columns } });
    const result = await sink.inbox.next("putResult");
    assert.equal(result.kind.case, "ok");
    await waitFor(() => printed.endsWith("\n"), { withinMs: 20_000, what: "a printed line" });
    assert.equal(printed, "lines 7 hello\n");
    sink.send({ case: "stop", value: { timeoutMs: 1_000n } });
    await sink.inbox.next("stopped");
  } finally {
    await host.close();
  }
});

test("the Go README's test of one's own passes, and fails where the source repeats itself", {
  skip,
}, async (t) => {
  const folder = await temporaryDirectory(t);
  const module = join(await program("hello-source", folder), "..");
  const imports = 'import (\n\t"errors"\n\t"testing"\n\n\tbulkhead "bulkhead/sdk/go"\n)\n\n';
  const tests = `package main\n\n${imports}${codeOf("harness")}`;
  await writeFile(join(module, "main_test.go"), tests);
  await runGo(["test", "."], module);
  const main = readFileSync(join(module, "main.go"), "utf8");
  await writeFile(join(module, "main.go"), main.replace('last.Int("n")', 'last.Int("m")'));
  const said = await runGo(["test", "."], module).catch(({ stdout }) => stdout);
  assert.match(said, /FAIL: TestGoesOnBehindWhatWasCommitted/);
});

test("the Go README's transform is a plugin", { skip }, async (t) => {
  const head =
    'package main\n\nimport (\n\t"context"\n\t"strings"\n\n\tbulkhead "bulkhead/sdk/go"\n)\n\n';
  const path = await program("transform", await temporaryDirectory(t), head);
  const host = await HostEnd.listen();
  try {
    host.spawn([path]);
    const hello = await host.accepted();
    assert.deepEqual(hello.plugin?.classes, ["example.Upper"]);
    assert.ok(hello.capabilities.includes("stages"));
  } finally {
    await host.close();
  }
});
