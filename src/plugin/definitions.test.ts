import assert from "node:assert/strict";
import { test } from "node:test";
import { nullForm } from "../record/columns.ts";
import { IncomingDefinitions, OutgoingDefinitions } from "./definitions.ts";

test("definitions grow in place; a batch keeps those from before a Forget", () => {
  const incoming = new IncomingDefinitions();
  incoming.define("topics", 3, "a");
  const before = incoming.current;
  incoming.define("topics", 1, "b");
  assert.deepEqual([...before.topics], [undefined, "b", undefined, "a"]);
  incoming.forget();
  incoming.define("topics", 3, "c");
  assert.equal(before.topics[3], "a");
  assert.equal(incoming.current.topics[3], "c");
  assert.equal(incoming.current.forms[0], nullForm);
});

for (const { name, define, expect } of [
  { name: "id 0", define: [0, "a"], expect: /topics were given the id 0; ids are 1 to 65535/ },
  { name: "an id over the last", define: [65_536, "a"], expect: /the id 65536/ },
  { name: "an id used twice", define: [7, "again"], expect: /topics were given the id 7 twice/ },
  {
    name: "a long topic",
    define: [8, "ä".repeat(125)],
    expect: /topics 8 has 250 bytes; at most 249/,
  },
] as const) {
  test(`${name} is refused`, () => {
    const incoming = new IncomingDefinitions();
    incoming.define("topics", 7, "seven");
    assert.throws(() => incoming.define("topics", define[0], define[1]), {
      code: "plugin.protocol_error",
      message: expect,
    });
  });
}

for (const text of ["file.txt", "", "{'a':1}", "[".repeat(101) + "]".repeat(101)]) {
  test(`the partition ${text.slice(0, 20)} is refused: its offsets could not be committed`, () => {
    assert.throws(() => new IncomingDefinitions().define("partitions", 1, text), {
      code: "plugin.protocol_error",
      message: `partition 1 is not JSON: ${text.slice(0, 200)}`,
    });
  });
}

test("I5: live definitions have a bound together", () => {
  const incoming = new IncomingDefinitions();
  const schema = "x".repeat(1_024 * 1_024);
  for (let id = 1; id <= 32; id += 1) incoming.define("forms", id, { encoding: "json", schema });
  assert.throws(() => incoming.define("forms", 33, { encoding: "json", schema }), /together/);
});

test("an id is announced once, before its use, and begins again after forget", () => {
  const said: string[] = [];
  const outgoing = new OutgoingDefinitions({
    topic: (id, topic) => said.push(`topic ${id} ${topic}`),
    name: (id, name) => said.push(`name ${id} ${name}`),
    form: (id, form) => said.push(`form ${id} ${form.encoding} ${form.schema}`),
  });
  assert.deepEqual(
    [outgoing.topicId("a"), outgoing.topicId("b"), outgoing.topicId("a")],
    [1, 2, 1],
  );
  assert.equal(outgoing.nameId("h"), 1);
  assert.equal(outgoing.formId({ encoding: "text", schema: null }), 1);
  assert.equal(outgoing.formId({ encoding: "bytes", schema: null }), 2);
  assert.equal(outgoing.formId({ encoding: "text", schema: null }), 1);
  assert.equal(outgoing.formId(nullForm), 0);
  outgoing.forget();
  assert.equal(outgoing.topicId("b"), 1);
  assert.deepEqual(said, [
    "topic 1 a",
    "topic 2 b",
    "name 1 h",
    "form 1 text null",
    "form 2 bytes null",
    "topic 1 b",
  ]);
});

test("past the last id the answer is one that tells the caller to forget", () => {
  let announced = 0;
  const outgoing = new OutgoingDefinitions({
    topic: () => {
      announced += 1;
    },
    name: () => {},
    form: () => {},
  });
  for (let id = 1; id <= 65_535; id += 1) assert.equal(outgoing.topicId(`t${id}`), id);
  assert.equal(outgoing.topicId("one more"), 65_536);
  assert.equal(announced, 65_535);
  outgoing.forget();
  assert.equal(outgoing.topicId("one more"), 1);
});
