/** Reading partitions of a cluster whose brokers the test plays. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { within } from "../../src/base/deadline.ts";
import { compressionOf } from "../../src/batch/compression.ts";
import { brokerCode } from "../../src/kafka/broker-error.ts";
import type { Fetched } from "../../src/kafka/kafka.ts";
import { fetch } from "../../src/kafka/protocol/fetch.ts";
import { Fetcher, type FetcherOptions } from "../../src/kafka/reader/fetcher.ts";
import { KafkaPartitionReader } from "../../src/kafka/reader/partition-reader.ts";
import { createLogger, silentLogger } from "../../src/observe/logger.ts";
import { recordsOf } from "../harness/embedded-log.ts";
import { ScriptedLogs } from "../harness/kafka/scripted-logs.ts";
import { waitFor } from "../harness/wait-for.ts";

const quick = { "fetch.max.wait.ms": "20", "retry.backoff.ms": "1", "retry.backoff.max.ms": "5" };
const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

/** Brokers with a topic `t`, led by node 1 unless said otherwise, and a fetcher. */
function open(t: TestContext, options: Partial<FetcherOptions> = {}, leaders: number[] = [1]) {
  const logs = new ScriptedLogs({ topics: { t: leaders }, nodes: [1, 2] });
  const { config, ...rest } = options;
  const fetcher = new Fetcher({
    transport: logs.transport,
    clientId: "test",
    readCommitted: false,
    autoOffsetReset: "earliest",
    logger: silentLogger(),
    config: { ...quick, ...config },
    ...rest,
  });
  t.after(() => fetcher.close());
  return { logs, fetcher, log: logs.partition("t") };
}

const at = (offset: number, partition = 0) => ({ topic: "t", partition, offset });

/** Polls until so many records (or moves, without records) are there; they are copies. */
async function poll(fetcher: Fetcher, count: number): Promise<Fetched[]> {
  const all: Fetched[] = [];
  const deadlineMs = performance.now() + 20_000;
  while (all.reduce((sum, { recordCount }) => sum + recordCount, 0) < count) {
    assert.ok(performance.now() < deadlineMs, `${all.length} of ${count} records came`);
    for (const each of await fetcher.poll(1_000)) {
      all.push({ ...each, batches: Buffer.from(each.batches) });
    }
  }
  return all;
}

const values = (fetched: readonly Fetched[]) => recordsOf(fetched).map(({ value }) => value);

test("records come in order, batch after batch, from the offset on that was assigned", async (t) => {
  const { fetcher, log } = open(t);
  for (let n = 0; n < 50; n += 1) log.append([`${n}a`, `${n}b`]);
  fetcher.assign([at(3)]);
  const fetched = await poll(fetcher, 97);
  assert.deepEqual(values(fetched).slice(0, 3), ["1b", "2a", "2b"]);
  assert.equal(fetched.at(-1)?.nextOffset, 100);
  assert.equal(fetcher.position(at(0)), 100);
  log.append(["late"]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["late"]);
});

for (const type of ["none", "lz4"]) {
  test(`what was handed out stays as it is until the next poll, and then its memory is used again: ${type}`, async (t) => {
    const { fetcher, log, logs } = open(t);
    log.compression = compressionOf({ "compression.type": type });
    const texts = Array.from({ length: 12 }, (_, n) => String(n).repeat(20_000));
    log.append([texts[0]!]);
    fetcher.assign([at(0)]);
    const used: ArrayBufferLike[] = [];
    for (const [n, text] of texts.entries()) {
      const handedOut = await fetcher.poll(20_000);
      log.append([texts[n + 1] ?? "end"]);
      const asked = logs.transport.callsOf(fetch).length;
      await waitFor(() => logs.transport.callsOf(fetch).length > asked, { withinMs: 20_000 });
      assert.deepEqual(values(handedOut), [text]);
      used.push(...handedOut.map(({ batches }) => batches.buffer));
    }
    assert.ok(new Set(used).size <= 4, `${new Set(used).size} pieces of memory`);
  });
}

test("all partitions get their turn when an answer has room for one batch only", async (t) => {
  const { fetcher, logs } = open(t, { config: { "fetch.max.bytes": "10" } }, [1, 1, 1]);
  for (const partition of [0, 1, 2]) {
    for (const value of numbers(20)) logs.partition("t", partition).append([value]);
  }
  fetcher.assign([at(0, 0), at(0, 1), at(0, 2)]);
  const first = await poll(fetcher, 9);
  const counts = [0, 1, 2].map(
    (each) => first.filter(({ partition }) => partition === each).length,
  );
  assert.deepEqual(counts, [3, 3, 3]);
});

test("the next fetch is on its way when records are handed out, and no other before", async (t) => {
  const { fetcher, logs, log } = open(t, {
    config: { "max.partition.fetch.bytes": "100", "fetch.max.wait.ms": "30000" },
  });
  for (const value of numbers(4)) log.append([value]);
  fetcher.assign([at(0)]);
  const fetches = () =>
    logs.transport.callsOf(fetch).map((call) => call.request.partitions[0]?.offset);
  await waitFor(() => fetcher.fetch().then((found) => found.length > 0), {
    withinMs: 20_000,
    what: "a batch",
  });
  await waitFor(() => fetches().length === 2, { withinMs: 20_000, what: "the fetch ahead" });
  // I5: nobody takes what came, so nothing else is asked for.
  const isAnswered = () => logs.transport.callsOf(fetch)[1]?.isOpen === false;
  await waitFor(isAnswered, { withinMs: 20_000, what: "its answer" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(fetches(), [0, 1]);
  assert.deepEqual(values(await fetcher.fetch()), ["1"]);
});

test("paused partitions are not fetched, and lose nothing of what was here", async (t) => {
  const { fetcher, logs } = open(t, {}, [1, 1]);
  for (const partition of [0, 1]) logs.partition("t", partition).append(["0", "1"]);
  fetcher.assign([at(0, 0), at(0, 1)]);
  await waitFor(() => logs.transport.callsOf(fetch).length >= 1, {
    withinMs: 20_000,
    what: "a fetch",
  });
  fetcher.setPaused([at(0, 0)], true);
  assert.deepEqual(values(await poll(fetcher, 2)), ["0", "1"]);
  const before = logs.transport.callsOf(fetch).length;
  await waitFor(() => logs.transport.callsOf(fetch).length > before + 1, {
    withinMs: 20_000,
    what: "more fetches",
  });
  const last = logs.transport.callsOf(fetch).at(-1);
  assert.deepEqual(
    last?.request.partitions.map(({ partition }) => partition),
    [1],
  );
  fetcher.setPaused([at(0, 0)], false);
  const resumed = await poll(fetcher, 2);
  assert.deepEqual([resumed[0]?.partition, values(resumed)], [0, ["0", "1"]]);
});

test("what is here of a paused partition makes room for the others, and comes again", async (t) => {
  const { fetcher, logs } = open(t, { config: { "fetch.max.bytes": "200" } }, [1, 1]);
  logs.partition("t", 0).append(["0".repeat(300)]);
  fetcher.assign([at(0, 0), at(0, 1)]);
  await waitFor(
    async () => {
      const { records } = logs
        .partition("t", 0)
        .fetch({ ...at(0), leaderEpoch: -1, maxBytes: 1 }, false);
      return records.length > 200 && logs.transport.callsOf(fetch).some((call) => !call.isOpen);
    },
    { withinMs: 20_000, what: "an answer" },
  );
  fetcher.setPaused([at(0, 0)], true);
  logs.partition("t", 1).append(["other"]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["other"]);
  fetcher.setPaused([at(0, 0)], false);
  assert.deepEqual(values(await poll(fetcher, 1)), ["0".repeat(300)]);
});

test("an answer to what was asked before a seek is nobody's", async (t) => {
  const { fetcher, logs, log } = open(t);
  fetcher.assign([at(0)]);
  const isOpen = () => logs.transport.callsOf(fetch).at(-1)?.isOpen === true;
  await waitFor(isOpen, { withinMs: 20_000, what: "the fetch" });
  for (const value of numbers(6)) log.append([value]);
  fetcher.seek(at(0), 4);
  assert.deepEqual(values(await poll(fetcher, 2)), ["4", "5"]);
  fetcher.seek(at(0), 1);
  assert.deepEqual(values(await poll(fetcher, 5)), ["1", "2", "3", "4", "5"]);
  assert.equal(fetcher.seek(at(0, 7), 1), false);
});

for (const { policy, expected, from, to } of [
  { policy: "earliest", expected: ["3", "4"], from: 0, to: 3 },
  { policy: "latest", expected: ["new"], from: 0, to: 5 },
  { policy: "earliest", expected: ["3", "4"], from: 99, to: 3 },
] as const) {
  test(`an offset ${from} that the log does not have leads to the ${policy}, and is told`, async (t) => {
    const { fetcher, log } = open(t, { autoOffsetReset: policy });
    log.append(["0", "1", "2"]);
    log.append(["3", "4"]);
    log.deleteBefore(3);
    fetcher.assign([at(from)]);
    const [told] = await fetcher.poll(20_000);
    const expectedMove = { topic: "t", partition: 0, firstOffset: from, nextOffset: to };
    assert.deepEqual({ ...told, batches: 0 }, { ...expectedMove, batches: 0, recordCount: 0 });
    log.append(["new"]);
    assert.deepEqual(
      values(await poll(fetcher, expected.length)).slice(0, expected.length),
      expected,
    );
  });
}

test("without a reset policy such an offset fails the poll, which says where", async (t) => {
  const { fetcher, log } = open(t, { autoOffsetReset: "none" });
  log.append(["0"]);
  log.truncateTo(0);
  fetcher.assign([at(1)]);
  await assert.rejects(fetcher.poll(20_000), {
    name: "TaskError",
    code: "kafka.offset_out_of_range",
    message: /read t-0 from offset 1 on at broker-1:9092: .* OFFSET_OUT_OF_RANGE/,
  });
  fetcher.seek(at(0), 0);
  log.append(["again"]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["again"]);
});

test("reading goes on at the new leader after a move, and when the old one is gone", async (t) => {
  const { fetcher, logs, log } = open(t);
  log.append(["0"]);
  fetcher.assign([at(0)]);
  await poll(fetcher, 1);
  logs.transport.map.setLeader("t", 0, 2);
  log.append(["1"]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["1"]);
  assert.equal(logs.transport.callsOf(fetch).at(-1)?.node, 2);
  logs.transport.map.setLeader("t", 0, 1);
  logs.transport.disconnect(2);
  log.append(["2"]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["2"]);
  assert.equal(logs.transport.callsOf(fetch).at(-1)?.node, 1);
});

test("a topic that does not exist yet is waited for", async (t) => {
  const { fetcher, logs } = open(t);
  const place = { topic: "later", partition: 1, offset: 0 };
  fetcher.assign([place]);
  assert.deepEqual(await fetcher.poll(30), []);
  logs.partition("later", 1).append(["here"]);
  logs.transport.map.leaders.set("later", [1, 2]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["here"]);
});

test("a topic that was deleted and made anew is read from its beginning", async (t) => {
  const { fetcher, logs, log } = open(t);
  log.append(["0", "1"]);
  fetcher.assign([at(0)]);
  await poll(fetcher, 2);
  logs.transport.map.leaders.delete("t");
  assert.deepEqual(await fetcher.poll(30), []);
  log.truncateTo(0);
  log.batches = [];
  log.append(["new"]);
  logs.transport.map.leaders.set("t", [2]);
  assert.deepEqual(values(await poll(fetcher, 1)), ["new"]);
});

test("a refusal that no retry helps fails the poll, with partition, broker and Kafka's name for it", async (t) => {
  const { fetcher, logs, log } = open(t);
  log.append(["0"]);
  logs.codes.set("t/0", brokerCode.topicAuthorizationFailed);
  fetcher.assign([at(0)]);
  await assert.rejects(fetcher.poll(20_000), {
    name: "TaskError",
    message: /t-0 .* broker-1:9092: the broker answered TOPIC_AUTHORIZATION_FAILED/,
  });
  logs.codes.delete("t/0");
  // It is asked again while nobody polls: one more refusal may have come before the right was given.
  const isRead = () =>
    fetcher.poll(1_000).then(
      (fetched) => values(fetched)[0] === "0",
      (error) => void assert.match(String(error), /TOPIC_AUTHORIZATION_FAILED/),
    );
  await waitFor(async () => (await isRead()) === true, { withinMs: 20_000, what: "the record" });
});

test("a fetch that a broker cannot answer at all is tried again, with a pause", async (t) => {
  const { fetcher, logs, log } = open(t, { config: { "retry.backoff.ms": "20" } });
  log.append(["0"]);
  logs.fetchCode = brokerCode.unknown;
  fetcher.assign([at(0)]);
  assert.deepEqual(await fetcher.poll(100), []);
  const tries = logs.transport.callsOf(fetch).length;
  assert.ok(tries >= 1 && tries < 20, `${tries} tries`);
  logs.fetchCode = 0;
  assert.deepEqual(values(await poll(fetcher, 1)), ["0"]);
});

test("a topic that may not be seen fails the poll", async (t) => {
  const { fetcher, logs } = open(t);
  logs.transport.map.errors.set("secret", brokerCode.topicAuthorizationFailed);
  fetcher.assign([{ topic: "secret", partition: 0, offset: 0 }]);
  await assert.rejects(fetcher.poll(20_000), {
    name: "TaskError",
    message: /find topic secret: the broker answered TOPIC_AUTHORIZATION_FAILED/,
  });
});

test("what was aborted moves the position and nothing else", async (t) => {
  const { fetcher, log } = open(t, { readCommitted: true });
  log.append(["gone", "gone"], 7);
  log.end(7, "abort");
  fetcher.assign([at(0)]);
  const [told] = await fetcher.poll(20_000);
  assert.deepEqual([told?.recordCount, told?.nextOffset], [0, 3]);
  log.append(["open"], 7);
  log.append(["behind it"]);
  assert.deepEqual(await fetcher.poll(60), [], "an open transaction holds up what is behind it");
  log.end(7, "commit");
  assert.deepEqual(values(await poll(fetcher, 2)), ["open", "behind it"]);
});

test("damage is told with its place, and nothing is passed over", async (t) => {
  const { fetcher, log } = open(t);
  log.append(["0"]);
  log.append(["1"]);
  const { bytes } = log.batches[1]!;
  bytes[66] = bytes[66]! ^ 1;
  fetcher.assign([at(1)]);
  const damaged = {
    code: "batch.corrupt",
    message: /batch at offset 1 of t-0 \(from broker-1:9092\)/,
  };
  await assert.rejects(fetcher.poll(20_000), damaged);
  await assert.rejects(fetcher.poll(20_000), damaged);
  bytes[66] = bytes[66]! ^ 1;
  assert.deepEqual(values(await poll(fetcher, 1)), ["1"]);
});

test("bytes that are no batch end the poll instead of being asked for again and again", async (t) => {
  const { fetcher, log } = open(t);
  log.append(["0"]);
  log.batches[0]!.bytes.writeInt32BE(1_000_000, 8);
  fetcher.assign([at(0)]);
  await assert.rejects(fetcher.poll(20_000), {
    code: "batch.corrupt",
    message: /t-0 from offset 0/,
  });
});

test("poll ends with nothing by its time, its signal and the close", async (t) => {
  const { fetcher } = open(t);
  fetcher.assign([at(0)]);
  assert.deepEqual(await fetcher.poll(0), []);
  const stop = new AbortController();
  const polled = fetcher.poll(60_000, stop.signal);
  stop.abort();
  assert.deepEqual(await polled, []);
  const last = fetcher.poll(60_000);
  await fetcher.close();
  assert.deepEqual(await last, []);
});

test("a close does not wait for a cluster that does not say where its topics are", async (t) => {
  const { fetcher, logs } = open(t);
  logs.transport.map.isSilent = true;
  fetcher.assign([at(0)]);
  await waitFor(() => logs.transport.map.refreshes.length > 0, { withinMs: 20_000 });
  const closed = fetcher.close().then(() => "closed");
  assert.equal(await within(closed, 20_000, "waits"), "closed");
});

test("a partition that nobody leads is told of", async (t) => {
  const told: string[] = [];
  const destination = { write: (line: string) => void told.push(line) };
  const { fetcher } = open(t, { logger: createLogger({ level: "debug", destination }) }, [1, -1]);
  fetcher.assign([at(0, 1)]);
  await waitFor(() => told.length > 0, { withinMs: 20_000 });
  for (const line of told) assert.match(line, /find the leader of t-1: .* LEADER_NOT_AVAILABLE/);
});

test("a value that cannot be used is refused with its key", () => {
  const { transport } = new ScriptedLogs({});
  for (const config of [
    { "fetch.max.bytes": "many" },
    { "isolation.level": "serializable" },
    { "auto.offset.reset": "middle" },
  ]) {
    const [key = ""] = Object.keys(config);
    const make = () =>
      new KafkaPartitionReader({ clientId: "r", config }, { transport, logger: silentLogger() });
    assert.throws(make, { name: "ConfigError", message: new RegExp(key.replaceAll(".", "\\.")) });
  }
});
