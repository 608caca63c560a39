import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, errorLine, errorTrace, TaskError } from "./error.ts";

const refused = new Error("connection refused");

for (const c of [
  { name: "an error alone", error: refused, expect: "connection refused" },
  { name: "something that is no error", error: "text", expect: "text" },
  {
    name: "a chain",
    error: new TaskError("config.invalid", "cannot start task a-0", { cause: refused }),
    expect: "cannot start task a-0: connection refused",
  },
  {
    name: "a message that ends with a colon",
    error: new Error("failed due to serialization error: ", { cause: refused }),
    expect: "failed due to serialization error: connection refused",
  },
  {
    name: "a cause that the message already names",
    error: new Error("failed: connection refused", { cause: refused }),
    expect: "failed: connection refused",
  },
]) {
  test(`one line of ${c.name}`, () => assert.equal(errorLine(c.error), c.expect));
}

test("a cause that leads back to itself ends", () => {
  const loop = new Error("round");
  loop.cause = loop;
  assert.equal(errorLine(loop), "round");
  assert.ok(errorTrace(loop).length > 0);
});

test("a plugin's own stack is the trace", () => {
  const error = new TaskError("config.invalid", "x", { trace: "Traceback …" });
  assert.equal(errorTrace(error), "Traceback …");
});

test("a trace names every cause", () => {
  const trace = errorTrace(new Error("outer", { cause: refused }));
  assert.match(trace, /outer[\s\S]*Caused by: Error: connection refused/);
});

test("an error carries its class's name and all of its problems", () => {
  const problems = [
    { key: "a", message: "bad" },
    { key: "b", message: "worse" },
  ];
  const error = new ConfigError("config.invalid", "two values cannot be used", { problems });
  assert.equal(error.name, "ConfigError");
  assert.deepEqual(error.problems, problems);
});
