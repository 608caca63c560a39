/** Fencing transactional producers, over brokers in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import { initProducerId } from "../../src/kafka/protocol/init-producer-id.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { FakeClock } from "../harness/fake-clock.ts";
import { lostError, ScriptedTransport } from "../harness/kafka/scripted-transport.ts";

const fenced = { errorCode: 0, producerId: 1, producerEpoch: 1 };

function adminOf(transport: ScriptedTransport) {
  const clock = new FakeClock();
  const admin = createKafkaAdmin({ transport, logger: silentLogger(), clock });
  /** Lets time pass until the work is done. */
  const done = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const ended = work.finally(() => {
      isDone = true;
    });
    ended.catch(() => {});
    while (!isDone) {
      for (let n = 0; n < 12; n += 1) await new Promise(setImmediate);
      clock.pass(1_000);
    }
    return ended;
  };
  return { admin, done };
}

test("each id is asked of its own coordinator, without an id or epoch of before", async () => {
  const transport = new ScriptedTransport({ nodes: [1, 2] });
  transport.map.coordinators.set("transaction b", 2);
  transport.on(initProducerId, () => fenced);
  const { admin, done } = adminOf(transport);
  await done(admin.fenceProducers(["a", "b"]));
  assert.deepEqual(
    transport.callsOf(initProducerId).map(({ node, request }) => ({ node, ...request })),
    [
      { node: 1, transactionalId: "a", transactionTimeoutMs: 30_000 },
      { node: 2, transactionalId: "b", transactionTimeoutMs: 30_000 },
    ],
  );
});

for (const { code, name } of [
  { code: 14, name: "COORDINATOR_LOAD_IN_PROGRESS" },
  { code: 15, name: "COORDINATOR_NOT_AVAILABLE" },
  { code: 16, name: "NOT_COORDINATOR" },
  { code: 51, name: "CONCURRENT_TRANSACTIONS" },
  { code: undefined, name: "a lost connection" },
]) {
  test(`after ${name} it is tried again, wherever the coordinator is then`, async () => {
    const transport = new ScriptedTransport();
    let tries = 0;
    transport.on(initProducerId, () => {
      tries += 1;
      if (tries > 2) return fenced;
      if (code === undefined) throw lostError(1, "cut");
      return { ...fenced, errorCode: code };
    });
    const { admin, done } = adminOf(transport);
    await done(admin.fenceProducers(["a"]));
    assert.equal(tries, 3);
    const key = { kind: "transaction", id: "a" };
    assert.deepEqual(transport.map.forgotten, [key, key]);
  });
}

test("an id that is refused is named with its reason", async () => {
  const transport = new ScriptedTransport();
  transport.on(initProducerId, ({ transactionalId }) =>
    transactionalId === "mine" ? fenced : { ...fenced, errorCode: 53 },
  );
  const { admin, done } = adminOf(transport);
  await assert.rejects(done(admin.fenceProducers(["mine", "theirs"])), {
    name: "TaskError",
    code: "kafka.broker_refused",
    message: /id theirs: .* TRANSACTIONAL_ID_AUTHORIZATION_FAILED$/,
    hint: /rights it needs on the transactional id/,
  });
  assert.equal(transport.callsOf(initProducerId).length, 2);
});

test("what does not pass within a minute is given up", async () => {
  const transport = new ScriptedTransport();
  transport.on(initProducerId, () => ({ ...fenced, errorCode: 51 }));
  const { admin, done } = adminOf(transport);
  await assert.rejects(done(admin.fenceProducers(["a"])), (error: Error) => {
    assert.match(error.message, /cannot fence .* id a within 60 s/);
    assert.match(String(error.cause), /CONCURRENT_TRANSACTIONS/);
    return true;
  });
});
