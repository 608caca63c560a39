/** What the SDKs said on a stage's stream when it was recorded (test/goldens/spoken), read by this host's end of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { decodeMessage } from "../src/plugin/decode-message.ts";
import { StageMessageSchema } from "../src/plugin/gen/bulkhead/plugin/v1/stage_pb.ts";
import type { ByteStream } from "../src/plugin/grpc-service.ts";
import { RemoteStage } from "../src/plugin/remote-stage.ts";
import { emptyColumns } from "../src/record/columns.ts";

interface Kept {
  readonly is: string;
  readonly hex: string;
}

function keptOf(language: string): Kept[] {
  const file = new URL(`goldens/spoken/${language}-stages.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

for (const language of ["typescript", "python", "go"]) {
  test(`${language}: a stage's hello, credit, definitions and result`, async () => {
    const [hello, ...rest] = keptOf(language);
    const { kind } = decodeMessage(StageMessageSchema, Buffer.from(hello!.hex, "hex"));
    assert.ok(kind.case === "hello");
    assert.match(kind.value.ticket, /^[0-9a-f]{64}$/);

    const call = new Duplex({
      objectMode: true,
      read() {},
      write: (_message, _encoding, done) => done(),
    });
    call.on("error", () => {});
    const stage = new RemoteStage(
      Object.assign(call, { sendMetadata() {} }) as unknown as ByteStream,
      {
        kind: "transformation",
        taskName: "c-0",
        called: "stage a of c-0",
        messageBytesMax: 4 * 1024 * 1024,
        whyGone: async () => undefined,
        askToClose: async () => undefined,
      },
    );
    const say = (upTo: string) => {
      for (let is = ""; is !== upTo; ) {
        const message = rest.shift();
        assert.ok(message, `${upTo} is there`);
        is = message.is;
        call.emit("data", Buffer.from(message.hex, "hex"));
      }
    };
    say("started");
    assert.equal(await stage.started, undefined);
    say("credit");
    await stage.room();
    const columns = emptyColumns();
    columns.count = 4;
    columns.topics = Uint32Array.of(stage.topicId("t"));
    const result = stage.run("apply", columns);
    say("result");
    const [part, ...others] = await result;
    assert.ok(part !== undefined && others.length === 0);
    const { runs, columns: back, definitions } = part;
    assert.deepEqual(
      runs.map((run) => [run.count, run.verdict]),
      [
        [1, "ok"],
        [1, "filtered"],
        [1, "failed"],
        [1, "ok"],
      ],
    );
    const failed = runs[2];
    assert.ok(failed?.verdict === "failed");
    const { failure } = failed;
    assert.deepEqual(
      [failure.class, failure.code, failure.text, failure.hint],
      ["data", "data", "not this one", "leave it out"],
    );
    assert.equal(back.count, 2);
    assert.equal(Buffer.from(back.arena).toString(), 'ksame{"was":"new"}');
    assert.deepEqual([...back.keySizes], [2, 0]);
    assert.deepEqual([...back.valueSizes], [5, 14]);
    const topics = [...back.topics].map((id) => definitions.topics[id]);
    assert.deepEqual(topics, ["t", "u"]);
    const encodings = [...back.valueForms].map((id) => definitions.forms[id]?.encoding);
    assert.deepEqual(encodings, ["text", "json"]);
    assert.deepEqual([...back.partitions], [3]);
    assert.deepEqual([...back.timestamps], [1_700_000_000_000]);
    say("credit");
    assert.deepEqual(rest, []);
  });
}
