/** The container file, the systemd unit and the settings that go with them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { validate } from "dockerfile-utils";
import { getProperties } from "properties-file";
import { parseWorkerConfig } from "../../src/config/worker-config.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";

const file = (name: string) => join(repository, "src", "packaging", name);
const containerFile = await readFile(file("Containerfile"), "utf8");
const unit = await readFile(file("bulkhead.service"), "utf8");

test("the container file has no lint", () => {
  assert.deepEqual(validate(containerFile), []);
  assert.notDeepEqual(validate(containerFile.replace("EXPOSE 8083", "EXPOSE many")), []);
});

test("what the container file copies from the checkout exists", () => {
  const lines = containerFile.split("\n").filter((line) => /^COPY (?!--from)/.test(line));
  const sources = lines.flatMap((line) => line.split(" ").slice(1, -1));
  assert.ok(sources.length > 5);
  assert.deepEqual(
    sources.filter((source) => !existsSync(join(repository, source))),
    [],
  );
});

test("a container runs neither as root nor on a Node that is too old", () => {
  assert.match(/^USER (.*)$/m.exec(containerFile)?.[1] ?? "", /^[1-9]\d*:[1-9]\d*$/);
  const images = [...containerFile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  assert.ok(images.length > 1 && new Set(images).size === 1, "built and run with the same Node");
  assert.ok(Number(/node:(\d+)/.exec(images[0] ?? "")?.[1]) >= 22);
});

test("systemd takes the unit", async (context) => {
  const copy = await runnableCopy(context);
  const { stderr } = analyze(context, ["verify", copy]) ?? { stderr: "" };
  assert.equal(stderr, "");
});

test("systemd finds the unit well confined", async (context) => {
  const copy = await runnableCopy(context);
  // In tenths of systemd's "exposure level" from 0 to 10; a unit that says nothing has 96.
  const said = analyze(context, ["security", "--offline=yes", "--threshold=25", copy]);
  assert.equal(said?.status ?? 0, 0, said?.stdout);
});

/** With a command that exists here. */
async function runnableCopy(context: TestContext): Promise<string> {
  const copy = join(await temporaryDirectory(context), "bulkhead.service");
  await writeFile(copy, unit.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`));
  return copy;
}

/** Undefined, and the test skipped, where there is no systemd. */
function analyze(context: TestContext, args: string[]) {
  const result = spawnSync("systemd-analyze", ["--no-pager", ...args], {
    encoding: "utf8",
    timeout: 30_000,
  });
  if (result.error === undefined && !/unknown option|unrecognized/i.test(result.stderr))
    return result;
  context.skip("needs systemd-analyze of systemd 250 or newer");
  return undefined;
}

test("a stop of the unit leaves time to drain", () => {
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  const { taskShutdownGracefulTimeoutMs } = parseWorkerConfig(
    { "bootstrap.servers": "embedded:log", ...converters },
    "a worker",
  );
  // Tasks, then connectors, then plugin processes, and the requests that REST waits for.
  assert.ok(seconds * 1_000 >= 3 * taskShutdownGracefulTimeoutMs + 60_000);
});
const converters = {
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.storage.StringConverter",
};

for (const name of ["worker.properties", "container.properties"]) {
  test(`${name} is a worker's config without a warning`, async () => {
    const { warnings } = parseWorkerConfig(getProperties(await readFile(file(name), "utf8")), name);
    assert.deepEqual(warnings, []);
  });
}
