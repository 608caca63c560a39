/** What keeps a worker from starting: told with the file, the key and what to do; nothing is left. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { startHost, temporaryDirectory } from "../harness/host-process.ts";
import { assertNothingLeft, bulkhead, writeWorker } from "./program.ts";

/** How the lines of an error begin that the program reports; the rest of the line may say more. */
function assertSays(stderr: string, starts: readonly string[]): void {
  const lines = stderr.split("\n");
  for (const start of starts) {
    assert.ok(
      lines.some((line) => line.startsWith(start)),
      `no line starts with "${start}" in:\n${stderr}`,
    );
  }
  assert.doesNotMatch(stderr, /^ +at /m, "a stack says nothing to a user");
}

const unreadable: { name: string; make(path: string): Promise<unknown>; why: string }[] = [
  {
    name: "is missing",
    make: async () => undefined,
    why: "there is no such file or folder (ENOENT)",
  },
  { name: "is a folder", make: (path) => mkdir(path), why: "it is a folder (EISDIR)" },
  {
    name: "links to itself",
    make: (path) => symlink(path, path),
    why: "its links go round in a circle (ELOOP)",
  },
];

for (const { name, make, why } of unreadable) {
  test(`a worker file that ${name} is named with the reason`, async (context) => {
    const directory = await temporaryDirectory(context);
    const path = join(directory, "w.properties");
    await make(path);
    const { status, stderr } = await bulkhead(["standalone", path], { directory });
    assertSays(stderr, [
      `bulkhead: cannot read the worker config file ${path}: ${why}`,
      "  hint: check the path and that this user may read it",
    ]);
    assert.equal(status, 2);
    await assertNothingLeft(directory);
  });
}

test("a worker file that this user may not read is named with the reason", async (context) => {
  if (process.getuid?.() === 0) return context.skip("root may read every file");
  const directory = await temporaryDirectory(context);
  const path = await writeWorker(directory);
  await chmod(path, 0o000);
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assertSays(stderr, [
    `bulkhead: cannot read the worker config file ${path}: this user may not do that (EACCES)`,
  ]);
  assert.equal(status, 2);
});

test("wrong worker values are told all at once, one to a line", async (context) => {
  const directory = await temporaryDirectory(context);
  const path = await writeWorker(directory, {
    "value.converter": null,
    "key.converter": "com.acme.Nope",
    "offset.flush.interval.ms": "soon",
    "embedded.partitions": "0",
    "plugin.process.per": "thread",
    listeners: "https://:8443",
    "rest.advertised.port": "high",
    "config.providers": "file",
  });
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    `bulkhead: cannot use the worker config file ${path}: 8 problems`,
    "  Invalid value com.acme.Nope for configuration key.converter: Class com.acme.Nope could not be found.",
    '  Missing required configuration "value.converter" which has no default value.',
    "  Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
    "  Invalid value high for configuration rest.advertised.port: Not a number of type INT",
    "  Invalid value thread for configuration plugin.process.per: String must be one of: task, connector, plugin",
    "  Invalid value 0 for configuration embedded.partitions: Value must be at least 1",
    "  Invalid value https://:8443 for configuration listeners: https is not supported by this version of Bulkhead: use http behind a proxy that ends TLS",
    "  config.providers is not supported by this version of Bulkhead: remove it and write the values themselves",
  ]);
  assert.equal(status, 2);
  await assertNothingLeft(directory);
});

test("a worker over a cluster is told which key it lacks before it connects", async (context) => {
  const directory = await temporaryDirectory(context);
  const path = await writeWorker(directory, { "bootstrap.servers": "localhost:9092" });
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assertSays(stderr, [
    "bulkhead: cannot tell where source offsets are kept",
    '  Missing required configuration "offset.storage.file.filename" which has no default value.',
    "  hint: write offset.storage.file.filename=<file>",
  ]);
  assert.equal(status, 2);
  await assertNothingLeft(directory);
});

test("a cluster that cannot be reached is told with the address", async (context) => {
  const directory = await temporaryDirectory(context);
  const path = await writeWorker(directory, {
    "bootstrap.servers": "127.0.0.1:1",
    "offset.storage.file.filename": join(directory, "offsets"),
    "default.api.timeout.ms": "1500",
  });
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assertSays(stderr, [
    "bulkhead: cannot reach a Kafka cluster at 127.0.0.1:1: ",
    "  hint: look whether the broker is up",
  ]);
  assert.equal(status, 3);
  await assertNothingLeft(directory);
});

test("a port in use is told with its address, and the log is given back", async (context) => {
  const directory = await temporaryDirectory(context);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  context.after(() => void taken.close());
  const { port } = taken.address() as { port: number };
  const path = await writeWorker(directory, { listeners: `http://127.0.0.1:${port}` });
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    `bulkhead: cannot listen on http://127.0.0.1:${port}: the port is in use`,
    "  hint: stop the program that has it, or set listeners in the worker config to another address",
  ]);
  assert.equal(status, 2);
  await assertNothingLeft(directory);
});

test("a folder of the log that cannot be made is named with the reason", async (context) => {
  const directory = await temporaryDirectory(context);
  await writeFile(join(directory, "plain"), "a file");
  const folder = join(directory, "plain", "log");
  const path = await writeWorker(directory, { "bootstrap.servers": `embedded:${folder}` });
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assertSays(stderr, [
    `bulkhead: cannot use ${folder} for the embedded log: a part of its path is not a folder (ENOTDIR)`,
    "  hint: name a folder in bootstrap.servers that this user can make, read and write",
  ]);
  assert.equal(status, 2);
  await assertNothingLeft(directory);
});

test("a folder of the log in use by another host is told with its pid", async (context) => {
  const directory = await temporaryDirectory(context);
  const host = await startHost({ directory });
  context.after(() => host.kill());
  const path = join(directory, "worker.properties");
  const { status, stderr } = await bulkhead(["standalone", path], { directory });
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    `bulkhead: cannot use ${join(directory, "log")} for the embedded log: process ${host.pid} is using it`,
    "  hint: stop that host first, or give this one another folder in bootstrap.servers",
  ]);
  assert.equal(status, 2);
  assert.equal((await host.request("GET", "/connectors")).status, 200, "the first goes on");
  assert.equal(await host.stop(), 0);
  await assertNothingLeft(directory);
});

test("an unknown key of the worker file is a warning that names the one meant", async (context) => {
  const directory = await temporaryDirectory(context);
  const host = await startHost({
    directory,
    worker: { "ofset.flush.timeout.ms": "1", "no.such.key": "1", "producer.acks": "all" },
  });
  context.after(() => host.kill());
  const warnings = host.log
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === "warn")
    .map(({ msg }) => msg);
  const unknown = "the worker config has an unknown key that has no effect:";
  assert.deepEqual(warnings, [
    `${unknown} ofset.flush.timeout.ms: did you mean offset.flush.timeout.ms?`,
    `${unknown} no.such.key`,
  ]);
  assert.equal(await host.stop(), 0);
});

test("a worker without plugins starts and says how to get some", async (context) => {
  const directory = await temporaryDirectory(context);
  const host = await startHost({ directory, worker: { "plugin.path": join(directory, "none") } });
  context.after(() => host.kill());
  const warnings = host.log.map((line) => JSON.parse(line)).filter(({ level }) => level === "warn");
  assert.deepEqual(
    warnings.map(({ msg, reason, hint }) => [msg, reason ?? hint]),
    [
      [
        "a plugin cannot be used",
        "the plugin.path folder cannot be read: there is no such file or folder (ENOENT)",
      ],
      [
        "no connector was found",
        "set plugin.path in the worker config to folders that hold plugins",
      ],
    ],
  );
  assert.equal(await host.stop(), 0);
});

const fileSource = {
  name: "lines",
  "connector.class": "FileStreamSource",
  file: "/nowhere/at/all",
  topic: "lines",
};

/** Connector files by name; FOLDER in what is expected stands for where they are. */
const connectorFiles: {
  name: string;
  files: Record<string, object | string>;
  says: string[];
}[] = [
  {
    name: "that is missing",
    files: {},
    says: [
      "bulkhead: cannot read the connector file FOLDER/gone.json: there is no such file or folder (ENOENT)",
    ],
  },
  {
    name: "without a name",
    files: { "a.properties": "connector.class=FileStreamSource\n" },
    says: [
      "bulkhead: cannot use the connector file FOLDER/a.properties: it has no name: add the key `name`",
    ],
  },
  {
    name: "that is broken JSON",
    files: { "a.json": '{"name": "lines",' },
    says: [
      "bulkhead: cannot use the connector file FOLDER/a.json: it is not JSON: check its quotes",
    ],
  },
  {
    name: "with the name of another",
    files: { "a.json": fileSource, "b.json": { ...fileSource, topic: "others" } },
    says: [
      "bulkhead: cannot use the connector files FOLDER/a.json and FOLDER/b.json together: both name the connector lines",
      "  hint: give one of them another name",
    ],
  },
  {
    name: "with an unknown class",
    files: { "a.json": { ...fileSource, "connector.class": "com.acme.Nope" } },
    says: [
      "bulkhead: cannot start the connectors of the command line: one problem",
      "  FOLDER/a.json: Failed to find any class that implements Connector and which name matches com.acme.Nope, available connectors are: PluginDesc{klass=class bench.NullSink, ",
    ],
  },
  {
    name: "with wrong values beside a good one and another wrong one",
    files: {
      "a.json": fileSource,
      "b.json": { ...fileSource, name: "b", "tasks.max": "0", "offsets.storage.topic": "o" },
      "c.json": { name: "c", "connector.class": "FileStreamSink" },
    },
    says: [
      "bulkhead: cannot start the connectors of the command line: 3 problems",
      "  FOLDER/b.json: Invalid value 0 for configuration tasks.max: Value must be at least 1",
      "  FOLDER/b.json: offsets.storage.topic is not supported by this version of Bulkhead: remove it",
      "  FOLDER/c.json: Must configure one of topics or topics.regex",
    ],
  },
];

for (const { name, files, says } of connectorFiles) {
  test(`a connector file ${name} ends the start, and no connector is created`, async (context) => {
    const directory = await temporaryDirectory(context);
    const worker = await writeWorker(directory);
    const paths: string[] = [];
    for (const [file, content] of Object.entries(files)) {
      paths.push(join(directory, file));
      await writeFile(
        join(directory, file),
        typeof content === "string" ? content : JSON.stringify(content),
      );
    }
    if (paths.length === 0) paths.push(join(directory, "gone.json"));
    const { status, stderr } = await bulkhead(["standalone", worker, ...paths], { directory });
    assertSays(
      stderr,
      says.map((line) => line.replaceAll("FOLDER", directory)),
    );
    assert.equal(status, 2);
    await assertNothingLeft(directory);
    assert.equal(await storedText(join(directory, "log"), "connector-"), false);
  });
}

test("a connector file whose plugin cannot start ends the start with the reason", async (context) => {
  const directory = await temporaryDirectory(context);
  const plugin = join(directory, "plugins", "absent");
  await mkdir(plugin, { recursive: true });
  const classes = [{ class: "fixture.Absent", kind: "source", config: [] }];
  const manifest = { name: "absent", version: "1", command: ["./absent"], classes };
  await writeFile(join(plugin, "plugin.json"), JSON.stringify(manifest));
  const worker = await writeWorker(directory, { "plugin.path": join(directory, "plugins") });
  const file = join(directory, "a.properties");
  await writeFile(file, "name=a\nconnector.class=fixture.Absent\n");
  const { status, stderr } = await bulkhead(["standalone", worker, file], { directory });
  assertSays(stderr, [
    `bulkhead: cannot start connector a of ${file}: cannot start plugin absent: there is no program ${plugin}/absent; build the plugin, or correct command in its plugin.json`,
  ]);
  assert.equal(status, 3);
  await assertNothingLeft(directory);
});

/** Whether a config was written to the config topic; false also when there is no log at all. */
async function storedText(log: string, words: string): Promise<boolean> {
  const topic = join(log, "topics", "connect-configs");
  for (const entry of await readdir(topic, { recursive: true }).catch(() => [])) {
    if (!entry.endsWith(".log")) continue;
    if ((await readFile(join(topic, entry), "latin1")).includes(words)) return true;
  }
  return false;
}
