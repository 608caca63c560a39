/** Records that kill their plugin, on a real host with real processes. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  type HostProcess,
  repository,
  startHost,
  temporaryDirectory,
} from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

const isPoison = (n: number) => n === 57 || n === 58 || n === 190;
const lines = Array.from({ length: 200 }, (_, n) => (isPoison(n) ? `poison ${n}` : `line ${n}`));
const healthy = lines.filter((line) => line.startsWith("line"));
const poison = lines.filter((line) => line.startsWith("poison"));

const mortal = { "connector.class": "fixture.mortal.MortalSink", topics: "lines" };

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").slice(0, -1);
}

async function taskOf(
  host: HostProcess,
  name: string,
): Promise<{ state?: string; trace?: string }> {
  const { body } = await host.request("GET", `/connectors/${name}/status`);
  return body.tasks?.[0] ?? {};
}

test("records that kill their plugin are left out by policy, and all others arrive", async (context) => {
  const directory = await temporaryDirectory(context);
  const input = join(directory, "in.txt");
  await writeFile(input, `${lines.join("\n")}\n`);
  const plugins = ["plugins", "test/fixtures/mortal"].map((path) => join(repository, path));
  const file = "org.apache.kafka.connect.file.FileStream";
  const host = await startHost({
    directory,
    worker: { "plugin.path": plugins.join(","), "restart.delay.ms": "20" },
    connectors: [
      { name: "in", "connector.class": `${file}SourceConnector`, file: input, topic: "lines" },
    ],
  });
  context.after(() => host.stop());
  await context.test("I7: with errors.tolerance=all and restart.policy=on-failure", async () => {
    const out = join(directory, "tolerant.txt");
    const letters = join(directory, "letters.txt");
    await host.createConnector("tolerant", {
      ...mortal,
      file: out,
      "restart.policy": "on-failure",
      "errors.tolerance": "all",
      "errors.quarantine.crashes": "2",
      "errors.deadletterqueue.topic.name": "letters",
      "errors.deadletterqueue.topic.replication.factor": "1",
      "errors.deadletterqueue.context.headers.enable": "true",
    });
    await waitFor(async () => new Set(await linesOf(out)).size === healthy.length, {
      withinMs: 90_000,
      everyMs: 100,
      what: "every other line to arrive",
    }).catch((error) => assert.fail(`${error.message}\n${host.log.slice(-40).join("\n")}`));
    await host.createConnector("letters", {
      "connector.class": `${file}SinkConnector`,
      file: letters,
      topics: "letters",
    });
    await waitFor(async () => new Set(await linesOf(letters)).size === poison.length, {
      withinMs: 60_000,
      everyMs: 100,
      what: "a dead letter of each record that kills",
    });
    // Crashes have records come again; nothing else may be among them.
    assert.deepEqual(new Set(await linesOf(out)), new Set(healthy));
    assert.deepEqual(new Set(await linesOf(letters)), new Set(poison));
    await host.waitForState("tolerant", "RUNNING");
    assert.match(host.log.join("\n"), /lines-0@57 has killed its plugin 2 times in a row/);
  });

  await context.test(
    "without it the task fails for good, and a restart by hand costs one crash",
    async () => {
      await host.createConnector("strict", {
        ...mortal,
        file: join(directory, "strict.txt"),
        "restart.policy": "on-failure",
      });
      const found =
        /^the record lines-0@57 has killed its plugin 3 times in a row: .* exited with code 9/;
      const failures = () => host.log.filter((line) => line.includes("task strict-0 failed"));
      const failed = async (count: number) => {
        await waitFor(() => failures().length >= count && isFound(failures().at(-1)), {
          withinMs: 60_000,
          what: "the task to fail because of the record",
        });
        await waitFor(async () => found.test((await taskOf(host, "strict")).trace ?? ""), {
          withinMs: 20_000,
          what: "its status to name the record",
        });
        assert.match((await taskOf(host, "strict")).trace ?? "", /errors\.tolerance=all/);
      };
      await failed(3);
      const before = failures().length;
      await host.request("POST", "/connectors/strict/tasks/0/restart");
      await failed(before + 1);
      assert.equal(failures().length, before + 1, "what was known of the record still is");
      assert.equal((await taskOf(host, "strict")).state, "FAILED");
    },
  );
});

function isFound(line = ""): boolean {
  return line.includes("lines-0@57 has killed its plugin 3 times");
}
