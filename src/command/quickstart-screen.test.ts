import assert from "node:assert/strict";
import { test } from "node:test";
import {
  introduction,
  perSecond,
  plainLine,
  screen,
  summary,
  type View,
} from "./quickstart-screen.ts";

const view: View = {
  runningMs: 12_400,
  appended: 2_400,
  inTopic: 2_380,
  inSink: 2_300,
  linesPerSecond: 200,
  source: { name: "file-source", state: "RUNNING", pid: 4711 },
  sink: { name: "file-sink", state: "FAILED", pid: undefined },
};

for (const c of [
  { name: "shows what is on its way", change: {}, expect: "80 on their way" },
  { name: "says when all have arrived", change: { inSink: 2_380 }, expect: "all of them" },
  {
    name: "explains more lines than records",
    change: { inSink: 2_390 },
    expect: "10 of them twice",
  },
  { name: "groups thousands", change: { appended: 1_234_567 }, expect: "1,234,567" },
  { name: "gives the command that kills a plugin", change: {}, expect: "kill -9 4711" },
]) {
  test(`the screen ${c.name}`, () => {
    assert.ok(
      screen({ ...view, ...c.change }, 80)
        .join("\n")
        .includes(c.expect),
    );
  });
}

test("no line of the screen is wider than the terminal, or refreshing would smear it", () => {
  for (const columns of [20, 40, 80]) {
    for (const line of screen(view, columns)) assert.ok(line.length < columns, line);
  }
});

test("the screen has as many lines whatever the numbers are", () => {
  const other = { ...view, sink: { ...view.sink, pid: 1 }, inSink: 9 };
  assert.equal(screen(view, 80).length, screen(other, 40).length);
});

test("a plain line says everything without moving the cursor", () => {
  assert.equal(
    plainLine(view),
    "12 s  appended 2400  in topic 2380  in sink 2300  source RUNNING (pid 4711)  sink FAILED (no process)",
  );
});

test("the summary is one line of JSON", () => {
  assert.deepEqual(JSON.parse(summary({ inTopic: 3, inSink: 2, connectors: 2 })), {
    records_in: 3,
    records_out: 2,
    connectors: 2,
  });
});

test("the introduction says when the usual port was taken", () => {
  const places = {
    restUrl: "http://127.0.0.1:40000",
    sourceFile: "/tmp/x/lines.txt",
    sinkFile: "/tmp/x/copy.txt",
    logFile: "/tmp/x/host.log",
    source: "file-source",
  };
  assert.ok(introduction({ ...places, portTaken: 8083 })[0]?.includes("port 8083 is in use"));
  assert.ok(!introduction({ ...places, portTaken: undefined })[0]?.includes("in use"));
});

for (const c of [
  { name: "no sample", samples: [], expect: 0 },
  { name: "one sample", samples: [{ atMs: 5, total: 7 }], expect: 0 },
  {
    name: "samples over two seconds",
    samples: [
      { atMs: 0, total: 100 },
      { atMs: 1_000, total: 150 },
      { atMs: 2_000, total: 500 },
    ],
    expect: 200,
  },
]) {
  test(`the rate of ${c.name} is ${c.expect}`, () => assert.equal(perSecond(c.samples), c.expect));
}
