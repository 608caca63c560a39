/** The three-line shell connectors of the README, as they stand there, through a host. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { descendantsOf, isAlive } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

const readme = readFileSync(join(repository, "plugins", "stdio", "README.md"), "utf8");
const within = { withinMs: 30_000 };

/** The code below a marker. */
function code(marker: string): string {
  const found = new RegExp(`<!-- ${marker} -->\\n+\`\`\`\\w+\\n(.*?)\`\`\``, "s").exec(readme)?.[1];
  assert.ok(found, `the README has no ${marker}`);
  return found;
}

test("a shell script of three lines is a source, another one a sink, and nothing is lost between them", async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ["hello-source", "hello-sink"]) {
    assert.equal(code(name).trim().split("\n").length, 3, name);
    await writeFile(join(directory, `${name}.sh`), code(name), { mode: 0o755 });
  }
  const config = (name: string) =>
    JSON.parse(code(`${name}-config`).replaceAll("/path/to", directory)) as {
      name: string;
      config: Record<string, string>;
    };
  const source = config("hello-source");
  // A second between two lines is for people.
  source.config["pause"] = "0.01";
  const sink = config("hello-sink");
  const file = sink.config["file"] ?? "";
  const lines = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []);
  const upTo = (count: number) =>
    waitFor(() => lines().length >= count, { ...within, what: `${count} lines` });
  const host = await startHost({ directory });
  t.after(() => host.kill());
  await host.createConnector(source.name, source.config);
  await host.createConnector(sink.name, sink.config);
  await upTo(20);
  // The script dies with its plugin, and both are started again behind what was committed.
  const before = await host.pidOf(source.name);
  const scripts = descendantsOf(before);
  assert.ok(scripts.length > 0);
  process.kill(before, "SIGKILL");
  await host.waitForState(source.name, "FAILED");
  await waitFor(() => !scripts.some(isAlive), {
    ...within,
    what: "the end of the script",
  });
  const restart = `/connectors/${source.name}/restart?includeTasks=true`;
  assert.ok((await host.request("POST", restart)).status < 300);
  const atRestart = lines().length;
  await upTo(atRestart + 20);
  const seen = [...new Set(lines())];
  assert.deepEqual(
    seen,
    seen.map((_, at) => `line ${at + 1}`),
  );
  // A program that fails is told in the status, with what it said.
  const failing = { ...source.config, command: "", shell: "echo 'no such device' >&2; exit 3" };
  await host.createConnector("failing", { ...failing, topic: "none" });
  await waitFor(
    async () => {
      const { body } = await host.request("GET", "/connectors/failing/status");
      return body.tasks?.[0]?.state === "FAILED";
    },
    { ...within, what: "the failing program's task to fail" },
  );
  const { body } = await host.request("GET", "/connectors/failing/status");
  assert.match(
    body.tasks[0].trace,
    /the program exited with status 3; its last lines on stderr:\nno such device/,
  );
  const wrong = { ...source.config, name: "wrong", shell: "true" };
  const refused = await host.request("POST", "/connectors", { name: "wrong", config: wrong });
  assert.equal(refused.status, 400);
  assert.match(refused.body.message, /command and shell exclude each other: remove one/);
  assert.equal(await host.stop(), 0);
  assert.deepEqual(
    descendantsOf(process.pid).filter((pid) => scripts.includes(pid)),
    [],
  );
});
