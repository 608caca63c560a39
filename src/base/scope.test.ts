import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "./deferred.ts";
import { Scope } from "./scope.ts";

const never = (error: unknown) => assert.fail(String(error));

test("I6: closing waits for the work before it runs the cleanups, last added first", async () => {
  const scope = new Scope();
  const order: string[] = [];
  const finish = deferred();
  scope.defer(() => order.push("first added"));
  scope.defer(() => order.push("last added"));
  scope.spawn(async (signal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    await finish.promise;
    order.push("work");
  }, never);
  const closing = scope.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, [], "nothing is torn down under running work");
  finish.resolve();
  await closing;
  assert.deepEqual(order, ["work", "last added", "first added"]);
});

test("I6: a child ends with its parent's signal", async () => {
  const parent = new Scope();
  const child = new Scope(parent.signal);
  await parent.close("why");
  assert.equal(child.signal.aborted, true);
  assert.equal(child.signal.reason, "why");
  assert.equal(new Scope(parent.signal).signal.aborted, true, "one that is made too late ends too");
});

test("an error of the work is told, unless the scope was asked to end", async () => {
  const told: unknown[] = [];
  const scope = new Scope();
  const fail = deferred();
  scope.spawn(
    () => Promise.reject(new Error("early")),
    (error) => told.push((error as Error).message),
  );
  scope.spawn(
    async () => {
      await fail.promise;
      throw new Error("while ending");
    },
    (error) => told.push((error as Error).message),
  );
  await new Promise((resolve) => setImmediate(resolve));
  const closing = scope.close();
  fail.resolve();
  await closing;
  assert.deepEqual(told, ["early"]);
});

test("a cleanup that fails does not keep the others from running", async () => {
  const scope = new Scope();
  const ran: string[] = [];
  scope.defer(() => ran.push("other"));
  scope.defer(() => {
    throw new Error("broken cleanup");
  });
  await assert.rejects(scope.close(), /broken cleanup/);
  assert.deepEqual(ran, ["other"]);
});

test("closing twice runs the cleanups once", async () => {
  const scope = new Scope();
  let count = 0;
  scope.defer(() => {
    count += 1;
  });
  await Promise.all([scope.close(), scope.close()]);
  assert.equal(count, 1);
});
