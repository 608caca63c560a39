/** The connections that a test plays behave as real ones do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { initProducerId } from "../../src/kafka/protocol/init-producer-id.ts";
import { ScriptedTransport } from "../harness/kafka/scripted-transport.ts";

const request = { transactionalId: null, transactionTimeoutMs: 1_000 };
const answer = { errorCode: 0, producerId: 5, producerEpoch: 0 };
const node = { at: "node", node: 1 } as const;

test("a script answers, in the order of the calls on one connection", async () => {
  const transport = new ScriptedTransport();
  let served = 0;
  transport.on(initProducerId, async () => {
    const producerId = served;
    served += 1;
    if (producerId === 0) await new Promise(setImmediate);
    return { ...answer, producerId };
  });
  const connections = transport.connections({ clientId: "a" });
  const ended: number[] = [];
  const calls = [0, 1].map(async () => {
    const { producerId } = await connections.call(node, initProducerId, request);
    ended.push(producerId);
  });
  await Promise.all(calls);
  assert.deepEqual(ended, [0, 1]);
  assert.equal(transport.callsOf(initProducerId).length, 2);
});

test("a cut fails what is in flight there and nothing else", async () => {
  const transport = new ScriptedTransport({ nodes: [1, 2] });
  const connections = transport.connections({ clientId: "a" });
  const first = connections.call(node, initProducerId, request);
  const second = connections.call({ at: "node", node: 2 }, initProducerId, request);
  transport.disconnect(1);
  await assert.rejects(first, /cannot reach broker-1/);
  transport.callsOf(initProducerId)[1]?.answer(answer);
  assert.deepEqual(await second, answer);
});

test("the map tells what is true at a refresh, and makes topics when it may", async () => {
  const { map } = new ScriptedTransport({ topics: { a: [1] }, autoCreatePartitions: 2 });
  assert.equal(map.topic("a"), undefined);
  await map.refresh(["a", "b"]);
  assert.deepEqual(map.topic("a")?.leaders, [1]);
  assert.deepEqual([map.topic("b"), map.topicError("b")], [undefined, 3]);
  map.setLeader("a", 0, -1);
  assert.deepEqual(map.topic("a")?.leaders, [1]);
  await map.refresh(["a", "b"], { create: true });
  assert.deepEqual([map.topic("a")?.leaders, map.topic("b")?.leaders], [[-1], [1, 1]]);
});
