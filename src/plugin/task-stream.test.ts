import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { ByteStream } from "./grpc-service.ts";
import { TaskStream } from "./task-stream.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** The part of a call that a task's stream uses. */
function silentCall(): ByteStream {
  const call = new Duplex({
    objectMode: true,
    read() {},
    write: (_message, _encoding, done) => done(),
  });
  return Object.assign(call, { sendMetadata() {} }) as unknown as ByteStream;
}

test("I5: an event that was taken is let go while others go on waiting", () => {
  const stream = new TaskStream<{ arena: Uint8Array }>(silentCall(), {
    taskName: "c-0",
    messageBytesMax: 4 * 1024 * 1024,
    whyGone: async () => undefined,
    receive() {},
    encodeStop: () => new Uint8Array(),
    onEnd() {},
  });
  const pushed: WeakRef<object>[] = [];
  const push = () => {
    const event = { arena: new Uint8Array(1_024) };
    pushed.push(new WeakRef(event));
    stream.push(event, "credit");
  };
  // A host that is never done with all that came: the queue does not run empty.
  push();
  for (let n = 0; n < 500; n += 1) {
    push();
    assert.ok(stream.tryNext());
  }
  // A WeakRef that was just made keeps its target until this turn of the event loop is over.
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage();
    const kept = pushed.filter((one) => one.deref() !== undefined).length;
    assert.ok(kept <= 2, `${kept} of 501 events are kept`);
    assert.ok(stream.tryNext());
  });
});
