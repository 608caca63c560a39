/** Topics that a source makes as its config says, and which topics its connectors are said to use. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Kafka } from "../../src/kafka/kafka.ts";
import type { LogPlace } from "../harness/log-place.ts";
import { waitFor } from "../harness/wait-for.ts";
import { FilePairs, fileStream } from "./file-pairs.ts";

/** `open`: the log of the host that had its files in this folder. */
export function testTopicGroups(
  place: LogPlace,
  open: (directory: string) => Promise<Kafka>,
): void {
  let directory: string;
  let pairs: FilePairs;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "bulkhead-test-"));
    pairs = await FilePairs.start(directory, { place });
  });
  after(async () => {
    pairs?.host.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  const least = {
    "topic.creation.default.replication.factor": "-1",
    "topic.creation.default.partitions": "2",
  };
  const groups = {
    ...least,
    "topic.creation.groups": "short",
    "topic.creation.short.include": "wide.*",
    "topic.creation.short.partitions": "3",
    "topic.creation.short.retention.ms": "86400000",
  };

  async function topicsOf(connector: string): Promise<unknown> {
    const { status, body } = await pairs.host.request("GET", `/connectors/${connector}/topics`);
    assert.equal(status, 200);
    return body[connector].topics;
  }

  function untilTopicsAre(connector: string, topics: readonly string[]): Promise<void> {
    return waitFor(
      async () => JSON.stringify(await topicsOf(connector)) === JSON.stringify(topics),
      {
        withinMs: 30_000,
        what: `${connector} to use ${topics.join() || "nothing"}`,
      },
    );
  }

  test("topics are made by the group that fits, and those in use are told until they are reset", async () => {
    const { host } = pairs;
    const topic = place.nameOf("wide-lines");
    for (const [pair, name] of [
      ["wide", topic],
      ["plain", place.nameOf("plain-lines")],
    ] as const) {
      await pairs.append(pair, `${pair}\n`);
      await pairs.create(pairs.source(pair), {
        "connector.class": `${fileStream}SourceConnector`,
        file: join(directory, `${pair}.in`),
        topic: name,
        ...groups,
      });
      await untilTopicsAre(pairs.source(pair), [name]);
    }
    await pairs.create(pairs.sink("wide"), pairs.sinkConfig("wide"));
    await untilTopicsAre(pairs.sink("wide"), [topic]);
    await waitFor(async () => (await pairs.linesOf("wide")).includes("wide"), {
      withinMs: 30_000,
      what: "the line to arrive",
    });

    const reset = (name: string) => host.request("PUT", `/connectors/${name}/topics/reset`);
    assert.deepEqual(await reset(pairs.source("wide")), { status: 202, body: undefined });
    await untilTopicsAre(pairs.source("wide"), []);
    assert.deepEqual(await topicsOf(pairs.sink("wide")), [topic]);
    await pairs.send("wide", "more");
    await untilTopicsAre(pairs.source("wide"), [topic]);

    await host.request("DELETE", `/connectors/${pairs.sink("wide")}`);
    await untilTopicsAre(pairs.sink("wide"), []);
  });

  test("groups that cannot be used fail the start of the connector, in Connect's words", async () => {
    const { host } = pairs;
    const name = pairs.source("wrong");
    const config = {
      "connector.class": `${fileStream}SourceConnector`,
      file: join(directory, "wrong.in"),
      topic: place.nameOf("wrong-lines"),
      ...least,
      "topic.creation.default.partitions": "x",
    };
    const message =
      "Invalid value x for configuration topic.creation.default.partitions: Not a number of type INT";
    assert.deepEqual(await host.request("POST", "/connectors", { name, config }), {
      status: 500,
      body: { error_code: 500, message },
    });
    await waitFor(
      async () => {
        const { body } = await host.request("GET", `/connectors/${name}/status`);
        return body.connector?.state === "FAILED" && body.connector.trace.includes(message);
      },
      { withinMs: 30_000, what: "the connector to be FAILED" },
    );
    const again = await host.request("POST", `/connectors/${name}/restart`);
    assert.deepEqual(again, { status: 500, body: { error_code: 500, message } });
  });

  test("and so they are in the log", async () => {
    assert.equal(await pairs.host.stop(), 0, pairs.host.log.slice(-20).join("\n"));
    const kafka = await open(directory);
    try {
      const wide = await kafka.admin.describeTopic(place.nameOf("wide-lines"));
      assert.equal(wide?.partitionCount, 3);
      assert.equal(wide?.config["retention.ms"], "86400000");
      const plain = await kafka.admin.describeTopic(place.nameOf("plain-lines"));
      assert.equal(plain?.partitionCount, 2);
      assert.notEqual(plain?.config["retention.ms"], "86400000");
    } finally {
      await kafka.close();
    }
  });
}
