/** What a stage's stream refuses of a plugin, and how it ends. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { emptyColumns } from "../record/columns.ts";
import { StageMessageSchema, StageVerdict } from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import type { StageKind, StageOperation } from "./plugin.ts";
import { RemoteStage } from "./remote-stage.ts";

type Kind = NonNullable<MessageInitShape<typeof StageMessageSchema>["kind"]>;
type Result = Extract<Kind, { case: "result" }>["value"];

const messageBytesMax = 64 * 1024;
const { OK, FILTERED, TRUE, FAILED } = StageVerdict;

/** A started stage, and a way to say what its plugin says. */
function startedStage(kind: StageKind = "transformation"): {
  stage: RemoteStage;
  say: (kind: Kind) => void;
  halfClose: () => void;
} {
  const call = new Duplex({
    objectMode: true,
    read() {},
    write: (_message, _encoding, done) => done(),
  });
  // What gRPC makes a status of.
  call.on("error", () => {});
  const stage = new RemoteStage(
    Object.assign(call, { sendMetadata() {} }) as unknown as ByteStream,
    {
      kind,
      taskName: "c-0",
      called: "stage s of c-0",
      messageBytesMax,
      whyGone: async () => undefined,
      askToClose: async () => undefined,
    },
  );
  const say = (kind: Kind) => {
    const message = toBinary(StageMessageSchema, create(StageMessageSchema, { kind }));
    call.emit("data", Buffer.from(message));
  };
  say({ case: "started", value: {} });
  say({ case: "credit", value: { records: 100n, bytes: 1_000_000n } });
  return { stage, say, halfClose: () => call.emit("end") };
}

/** `count` records on topic 1; nothing here looks at what was sent. */
function batch(stage: RemoteStage, count: number) {
  const columns = emptyColumns();
  columns.count = count;
  columns.topics = Uint32Array.of(stage.topicId("t"));
  return columns;
}

const ok = (count: number) => ({ count, verdict: OK });
const oneColumn = { count: 1, topics: [1] };

const broken: readonly {
  readonly what: string;
  readonly operation?: StageOperation;
  readonly results: readonly Result[];
  readonly message: RegExp;
}[] = [
  {
    what: "runs that are too few",
    results: [{ seq: 1n, runs: [{ count: 1, verdict: FILTERED }] }],
    message: /the runs of result 1 add up to 1 instead of 2/,
  },
  {
    what: "runs that are too many",
    results: [{ seq: 1n, runs: [{ count: 3, verdict: FILTERED }] }],
    message: /the runs of result 1 add up to 3 instead of 2/,
  },
  {
    what: "a run of nothing",
    results: [{ seq: 1n, runs: [{ count: 0, verdict: FILTERED }] }],
    message: /a run of a result has the count 0/,
  },
  {
    what: "a result that is not due",
    results: [{ seq: 2n, runs: [{ count: 2, verdict: FILTERED }] }],
    message: /a result of batch 2 came where 1 was due/,
  },
  {
    what: "a verdict of another operation",
    results: [{ seq: 1n, runs: [{ count: 2, verdict: TRUE }] }],
    message: /a result of "apply" has the verdict TRUE/,
  },
  {
    what: "no verdict",
    operation: "test",
    results: [{ seq: 1n, runs: [{ count: 2 }] }],
    message: /a result of "test" has the verdict UNSPECIFIED/,
  },
  {
    what: "records that the runs do not name",
    results: [{ seq: 1n, runs: [ok(2)], columns: oneColumn }],
    message: /a result has 1 records where its runs say 2/,
  },
  {
    what: "ids that are not defined",
    results: [{ seq: 1n, runs: [ok(1), { count: 1, verdict: FILTERED }], columns: oneColumn }],
    message: /column topics has the id 1, which is not defined/,
  },
  {
    what: "data where Kafka's bytes are due",
    operation: "from connect",
    results: [
      {
        seq: 1n,
        runs: [ok(1), { count: 1, verdict: FAILED }],
        columns: { count: 1, valueSizes: [2], valueForms: [1], arena: Buffer.from("1") },
      },
    ],
    message: /a converter answered for Kafka in form 1, which is not bytes/,
  },
  {
    what: "more that cannot be",
    results: [{ seq: 1n, runs: [{ count: 2, verdict: FILTERED }], more: true }],
    message: /result 1 says that more follows where nothing can/,
  },
  {
    what: "a part of nothing",
    results: [{ seq: 1n, more: true }],
    message: /result 1 says that more follows where nothing can/,
  },
];

for (const { what, operation = "apply", results, message } of broken) {
  test(`a result with ${what} ends the stage, not the process`, async () => {
    const { stage, say } = startedStage();
    await stage.room();
    const result = stage.run(operation, batch(stage, 2));
    say({ case: "form", value: { id: 1, encoding: 3 } });
    for (const value of results) say({ case: "result", value });
    await assert.rejects(result, { code: "plugin.gone", message });
    assert.match(await stage.ended, /the plugin broke the contract/);
  });
}

test("a header converter answers each header of a record, or the stage ends", async () => {
  const { stage, say } = startedStage("header_converter");
  const send = () => {
    const columns = batch(stage, 3);
    columns.headerCounts = Uint32Array.of(2, 1, 0);
    columns.headerNames = Uint32Array.of(stage.nameId("a"), stage.nameId("b"), stage.nameId("a"));
    return stage.run("to connect", columns);
  };
  const answer = (seq: bigint, count: number) => {
    const columns = { count: 1, headerCounts: [count], headerNames: Array(count).fill(1) };
    const failed = { count: 1, verdict: FAILED };
    say({ case: "result", value: { seq, runs: [failed], more: true } });
    say({ case: "result", value: { seq, runs: [ok(1), failed], columns } });
  };
  await stage.room();
  const good = send();
  say({ case: "name", value: { id: 1, name: "a" } });
  answer(1n, 1);
  assert.equal((await good).length, 2);
  const bad = send();
  answer(2n, 2);
  await assert.rejects(bad, {
    code: "plugin.gone",
    message: /answered 1 headers of record 1 of its batch with 2/,
  });
});

test("a result in two parts is one, each with what its ids meant", async () => {
  const { stage, say } = startedStage();
  await stage.room();
  const result = stage.run("apply", batch(stage, 2));
  say({ case: "topic", value: { id: 1, topic: "a" } });
  say({ case: "result", value: { seq: 1n, runs: [ok(1)], columns: oneColumn, more: true } });
  say({ case: "forget", value: {} });
  say({ case: "topic", value: { id: 1, topic: "b" } });
  say({ case: "result", value: { seq: 1n, runs: [ok(1)], columns: oneColumn } });
  const topics = (await result).map(({ definitions }) => definitions.topics[1]);
  assert.deepEqual(topics, ["a", "b"]);
});

test("a batch that is too large for a message is refused before it is sent", async () => {
  const { stage } = startedStage();
  const columns = batch(stage, 1);
  columns.arena = Buffer.alloc(messageBytesMax);
  await assert.rejects(stage.run("apply", columns), { code: "plugin.protocol_error" });
});

test("a failure of the stage is every batch's, and it still closes", async () => {
  const { stage, say, halfClose } = startedStage();
  await stage.room();
  const waiting = stage.run("apply", batch(stage, 1));
  say({ case: "failure", value: { code: 6, failureClass: 4, text: "no more" } });
  const failed = { code: "plugin.request_failed", message: "no more" };
  await assert.rejects(waiting, failed);
  await assert.rejects(stage.run("apply", batch(stage, 1)), failed);
  await assert.rejects(stage.room(), failed);
  const stopped = stage.stop(20_000);
  halfClose();
  assert.equal(await stopped, undefined);
});

test("a stream that the plugin closes unasked is a lost stage", async () => {
  const { stage, halfClose } = startedStage();
  await stage.room();
  const waiting = stage.run("apply", batch(stage, 1));
  halfClose();
  await assert.rejects(waiting, { code: "plugin.gone", message: /without being asked/ });
});
