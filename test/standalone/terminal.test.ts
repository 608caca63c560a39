/** What a person at a terminal sees; Python opens the terminal. */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { program, repository, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

const run = promisify(execFile);

/** Runs the command in a new terminal until it says that it is ready, ends it, and prints what it said. */
const inTerminal = `
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said, stopped, end = b"", False, time.time() + 60
while time.time() < end:
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    said += more
    if b"is ready" in said and not stopped:
        os.kill(pid, signal.SIGTERM)
        stopped = True
if not stopped:
    os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
`;

function hasPython(): boolean {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const skip = hasPython() ? false : "needs python3";

/** The command of a worker whose data are in the folder. */
async function hostWords(directory: string, more: Record<string, string>): Promise<string[]> {
  const settings = {
    "bootstrap.servers": `embedded:${join(directory, "log")}`,
    "plugin.path": join(repository, "plugins"),
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    listeners: "http://127.0.0.1:0",
    ...more,
  };
  const file = join(directory, "worker.properties");
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(file, lines.join(""));
  return [process.execPath, program, "standalone", file];
}

const formats: { format: string; says: RegExp }[] = [
  { format: "auto", says: /Z\] .*INFO.*the REST API is ready.*"part":"host"/ },
  {
    format: "json",
    says: /^{"level":"info","time":"[^"]+","part":"host",.*the REST API is ready"}/m,
  },
];

for (const { format, says } of formats) {
  test(`on a terminal log.format=${format} is what it says`, { skip }, async (t) => {
    const words = await hostWords(await temporaryDirectory(t), { "log.format": format });
    const { stdout } = await run("python3", ["-c", inTerminal, ...words]);
    assert.match(stdout, says);
  });
}

/** A worker that waits for the plugin `file`; answers with what it said, on a terminal or into a pipe. */
async function startAttaching(
  t: TestContext,
  format: string,
): Promise<{ words: string[]; files: string }> {
  const directory = await temporaryDirectory(t);
  const files = join(directory, "it's here");
  const words = await hostWords(directory, {
    "log.format": format,
    "plugin.attach": "file",
    "plugin.attach.dir": files,
  });
  return { words, files };
}

for (const format of ["auto", "json"]) {
  test(`with log.format=${format} a terminal shows how to attach a plugin, with the token; its log has none`, {
    skip,
  }, async (t) => {
    const { words, files } = await startAttaching(t, format);
    const { stdout } = await run("python3", ["-c", inTerminal, ...words]);
    const said = stdout.replaceAll("\r\n", "\n");
    const [, line = ""] = /printf '%s\\n' '({.*})'; cat\) \|/.exec(said) ?? [];
    const { address, token } = JSON.parse(line);
    assert.match(said, /Plugin file is not started but waited for/);
    assert.ok(said.includes(`\n  address  ${address}\n  token    ${token}\n`), said);
    const connect = `'${files.replace("'", `'\\''`)}/file.json'`;
    assert.ok(said.includes(`\n  BULKHEAD_CONNECT=${connect} node --inspect-brk`), said);
    const logged = said.split("\n").filter((one) => /"part":"/.test(one));
    assert.ok(logged.some((one) => one.includes(address)));
    assert.deepEqual(
      logged.filter((one) => one.includes(token)),
      [],
    );
    // Once in the table, once in the launch line.
    assert.equal(said.split(token).length - 1, 2);
  });
}

test("what is no terminal gets no token of a plugin to attach", async (t) => {
  const { words, files } = await startAttaching(t, "auto");
  const [program = "", ...args] = words;
  const host = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => host.kill("SIGKILL"));
  let said = "";
  for (const stream of [host.stdout, host.stderr]) {
    stream.on("data", (chunk) => {
      said += chunk;
    });
  }
  await waitFor(() => said.includes("is ready"), { withinMs: 20_000 });
  const { address, token } = JSON.parse(await readFile(join(files, "file.json"), "utf8"));
  host.kill("SIGTERM");
  await once(host, "close");
  assert.ok(said.includes(address) && said.includes("file.json"), said);
  assert.ok(!said.includes(token), said);
});
