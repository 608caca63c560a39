/** What a person at a terminal sees; Python opens the terminal. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { program, repository, temporaryDirectory } from "../harness/host-process.ts";

const run = promisify(execFile);

/** Runs the command in a new terminal until it says that it is ready, ends it, and prints what it said. */
const inTerminal = `
import os, pty, select, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said, stopped, end = b"", False, time.time() + 20
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

const formats: { format: string; says: RegExp }[] = [
  { format: "auto", says: /Z\] .*INFO.*the REST API is ready.*"part":"host"/ },
  {
    format: "json",
    says: /^{"level":"info","time":"[^"]+","part":"host",.*the REST API is ready"}/m,
  },
];

for (const { format, says } of formats) {
  test(`on a terminal log.format=${format} is what it says`, { skip }, async (t) => {
    const directory = await temporaryDirectory(t);
    const settings = {
      "bootstrap.servers": `embedded:${join(directory, "log")}`,
      "plugin.path": join(repository, "plugins"),
      "key.converter": "org.apache.kafka.connect.storage.StringConverter",
      "value.converter": "org.apache.kafka.connect.storage.StringConverter",
      listeners: "http://127.0.0.1:0",
      "log.format": format,
    };
    const file = join(directory, "worker.properties");
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(file, lines.join(""));
    const words = [process.execPath, program, "standalone", file];
    const { stdout } = await run("python3", ["-c", inTerminal, ...words]);
    assert.match(stdout, says);
  });
}
