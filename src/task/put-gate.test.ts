import assert from "node:assert/strict";
import { test } from "node:test";
import { PutGate, PutGates } from "./put-gate.ts";

const never = new AbortController().signal;

/** Whether it has its turn once everything that can happen has. */
async function isTurn(turn: Promise<void>): Promise<boolean> {
  let done = false;
  void turn.then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

test("a put that is to be alone waits for those of others, and holds new ones back", async () => {
  const gate = new PutGate();
  const [a, b, c] = [{}, {}, {}];
  await gate.turn(a, false, never);
  const alone = gate.turn(b, true, never);
  const behind = gate.turn(c, false, never);
  assert.equal(await isTurn(alone), false);
  assert.equal(await isTurn(behind), false);
  gate.idle(a);
  assert.equal(await isTurn(alone), true);
  assert.equal(gate.isOnly(b), true);
  assert.equal(await isTurn(behind), false);
  gate.idle(b);
  assert.equal(await isTurn(behind), true);
  assert.equal(gate.isOnly(b), false);
});

test("of two puts that are to be alone the second waits for the first", async () => {
  const gate = new PutGate();
  const [a, b] = [{}, {}];
  await gate.turn(a, true, never);
  const second = gate.turn(b, true, never);
  assert.equal(await isTurn(second), false);
  gate.idle(a);
  assert.equal(await isTurn(second), true);
});

test("who ends does not wait, and holds nobody back", async () => {
  const gate = new PutGate();
  const [a, b, c] = [{}, {}, {}];
  await gate.turn(a, false, never);
  const ending = new AbortController();
  const waiting = gate.turn(b, true, ending.signal);
  assert.equal(await isTurn(waiting), false);
  ending.abort();
  assert.equal(await isTurn(waiting), true);
  gate.idle(b);
  assert.equal(await isTurn(gate.turn(c, false, never)), true);
});

test("unanswered puts of a task that has ended stay known", async () => {
  const gate = new PutGate();
  const [a, b] = [{}, {}];
  await gate.turn(a, false, never);
  await gate.turn(b, false, never);
  gate.free(a);
  assert.equal(gate.isOnly(b), false);
});

test("a process has one gate while a task is in it", () => {
  const gates = new PutGates();
  const first = gates.join(7);
  assert.equal(gates.join(7), first);
  assert.notEqual(gates.join(8), first);
  gates.leave(7);
  assert.equal(gates.join(7), first);
  gates.leave(7);
  gates.leave(7);
  assert.notEqual(gates.join(7), first);
});
