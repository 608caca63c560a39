import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { writeJson } from "../src/canonical-json.ts";
import { OutDefinitions } from "../src/definitions.ts";
import { SourceTaskMessageSchema } from "../src/gen/bulkhead/plugin/v1/source_pb.ts";
import type { OffsetMode } from "../src/offset-columns.ts";
import { Packer, RecordTooLargeError } from "../src/packer.ts";
import { schema } from "../src/schema.ts";
import type { Header, SourceRecord } from "../src/source-record.ts";
import { seededRandom } from "./seeded-random.ts";
import { costOf, type Row, Unpacker } from "./unpack.ts";

/** A packer whose messages go straight into an unpacker. */
class Wire {
  readonly unpacker = new Unpacker();
  readonly packer: Packer;
  readonly rows: Row[] = [];
  readonly last = new Map<string, string | null>();
  readonly #limit: number;
  batches = 0;

  constructor(offsetMode: OffsetMode, messageBytesMax = 4 * 1024 * 1024) {
    this.#limit = messageBytesMax;
    const definitions = new OutDefinitions((bytes) => {
      assert.ok(this.unpacker.define(fromBinary(SourceTaskMessageSchema, bytes)));
    });
    this.packer = new Packer(definitions, { messageBytesMax, offsetMode });
  }

  add(record: SourceRecord): void {
    if (this.packer.full || !this.packer.add(record)) {
      this.send();
      assert.ok(this.packer.add(record), "a record fits into an empty batch");
    }
  }

  send(): void {
    this.batches += 1;
    const batch = this.packer.finish(this.batches, true);
    const { kind } = fromBinary(SourceTaskMessageSchema, batch.message);
    assert.equal(kind.case, "records");
    const { columns, batchSeq, pollEnd } = kind.value as Extract<
      typeof kind,
      { case: "records" }
    >["value"];
    assert.ok(columns);
    assert.equal(batchSeq, BigInt(this.batches));
    assert.equal(pollEnd, true);
    assert.equal(
      batch.costBytes,
      costOf(columns),
      "what the sender counts is what the host counts",
    );
    assert.equal(batch.costRecords, Math.max(1, columns.count));
    assert.ok(batch.costBytes <= this.#limit);
    this.rows.push(...this.unpacker.rows(columns));
    for (const [partition, offset] of this.unpacker.lastOffsets(columns))
      this.last.set(partition, offset);
  }
}

const row = schema.struct({ id: schema.int64(), note: schema.string({ optional: true }) });
const optionalText = schema.string({ optional: true });

function randomRecord(random: () => number, n: number): SourceRecord {
  const below = (limit: number) => Math.floor(random() * limit);
  const values: (() => Pick<SourceRecord, "value" | "valueSchema">)[] = [
    () => ({ value: null }),
    () => ({ value: "x".repeat(below(40)) }),
    () => ({ value: `ä€😀${n}` }),
    () => ({ value: "lone \ud800" }),
    () => ({ value: Buffer.alloc(below(2_000), 7) }),
    () => ({ value: { n, deep: [1, { a: null }] } }),
    () => ({ value: { id: n, note: null }, valueSchema: row }),
    () => ({ value: null, valueSchema: optionalText }),
    () => ({ value: "typed", valueSchema: optionalText }),
  ];
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const headers: Header[] = Array.from({ length: below(4) }, (_, at) => ({
    name: `h${below(3)}`,
    value: pick([null, "v", Buffer.from([1, 2]), at]),
  }));
  return {
    topic: pick(["a", "b"]),
    partition: pick([undefined, 0, 3]),
    timestamp: pick([undefined, 0, 1_700_000_000_000 + below(1_000), -5]),
    key: pick([undefined, "key", Buffer.from("k")]),
    ...pick(values)(),
    headers: pick([undefined, headers]),
    sourcePartition: pick([null, { file: "x" }, { file: "y" }]),
    sourceOffset: pick([null, { position: below(3) }, { position: n }]),
  };
}

function expectedRow(record: SourceRecord): Row {
  const piece = (value: unknown, of: SourceRecord["valueSchema"]) => {
    const text = of ? (of.type === "struct" ? "struct" : "text") : undefined;
    if (value === null || value === undefined) {
      if (!of) return { encoding: "null" as const, text: null };
      return { encoding: text === "text" ? ("text" as const) : ("json" as const), text: null };
    }
    if (typeof value === "string") {
      return value.includes("\ud800") && !value.includes("\ud83d")
        ? { encoding: "json" as const, text: '"lone \\uD800"' }
        : { encoding: "text" as const, text: value };
    }
    if (value instanceof Uint8Array)
      return { encoding: "bytes" as const, text: Buffer.from(value).toString() };
    return { encoding: "json" as const, text: writeJson(value) };
  };
  const schemaOf = (of: SourceRecord["valueSchema"]) =>
    of === row
      ? '{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"note"}],"optional":false}'
      : of
        ? '{"type":"string","optional":true}'
        : null;
  return {
    topic: record.topic,
    partition: record.partition ?? null,
    timestamp: record.timestamp ?? -1,
    key: { schema: null, ...piece(record.key, null) },
    value: { schema: schemaOf(record.valueSchema), ...piece(record.value, record.valueSchema) },
    headers: (record.headers ?? []).map((one) => ({
      name: one.name,
      schema: null,
      ...piece(one.value, null),
    })),
  };
}

for (const mode of ["per-record", "last"] as const) {
  for (let seed = 1; seed <= 20; seed += 1) {
    test(`what is packed comes out again (${mode}, seed ${seed})`, () => {
      const random = seededRandom(seed);
      const wire = new Wire(mode, seed % 2 === 0 ? 16 * 1024 : undefined);
      const records = Array.from({ length: 300 }, (_, n) => randomRecord(random, n));
      for (const record of records) wire.add(record);
      wire.send();
      assert.equal(wire.rows.length, records.length);
      const last = new Map<string, string | null>();
      records.forEach((record, at) => {
        const { sourcePartition, sourceOffset, ...found } = wire.rows[at]!;
        assert.deepEqual(found, expectedRow(record), `record ${at}`);
        const offset = record.sourceOffset ? writeJson(record.sourceOffset) : null;
        if (mode === "per-record") {
          assert.equal(sourcePartition, writeJson(record.sourcePartition));
          assert.equal(sourceOffset, offset);
        }
        last.set(writeJson(record.sourcePartition), offset);
      });
      if (mode === "last") assert.deepEqual([...wire.last].sort(), [...last].sort());
    });
  }
}

test("a batch tells the last offset of each source partition", () => {
  const wire = new Wire("per-record");
  for (const n of [1, 2, 3]) {
    wire.add({ topic: "t", value: "v", sourcePartition: { p: n % 2 }, sourceOffset: { n } });
  }
  assert.deepEqual(wire.packer.finish(1, true).lastOffsets, [
    ['{"p":1}', '{"n":3}'],
    ['{"p":0}', '{"n":2}'],
  ]);
});

for (const mode of ["per-record", "last"] as const) {
  test(`an offset object may change once it is packed (${mode})`, () => {
    const wire = new Wire(mode);
    const sourceOffset = { n: 1 };
    wire.add({ topic: "t", value: "v", sourcePartition: { p: 1 }, sourceOffset });
    sourceOffset.n = 99;
    assert.deepEqual(wire.packer.finish(1, true).lastOffsets, [['{"p":1}', '{"n":1}']]);
  });

  test(`an offset that cannot be written leaves the batch unharmed (${mode})`, () => {
    const wire = new Wire(mode);
    const sourcePartition = { p: 1 };
    wire.add({ topic: "t", value: "a", sourcePartition, sourceOffset: { n: 1 } });
    for (const n of [new Date(0), "x".repeat(70_000)]) {
      const record = { topic: "t", value: "b", sourcePartition, sourceOffset: { n } };
      assert.throws(() => wire.packer.add(record), /needs a schema|longer than 65536/);
    }
    wire.add({ topic: "t", value: "c", sourcePartition, sourceOffset: { n: 3 } });
    wire.send();
    assert.deepEqual(
      wire.rows.map((one) => one.value.text),
      ["a", "c"],
    );
  });
}

test("in mode last a record without offset changes nothing", () => {
  const wire = new Wire("last");
  const sourcePartition = { p: 1 };
  wire.add({ topic: "t", value: "v", sourcePartition, sourceOffset: { n: 1 } });
  wire.add({ topic: "t", value: "v", sourcePartition });
  wire.send();
  assert.deepEqual([...wire.last], [['{"p":1}', '{"n":1}']]);
});

test("a record over the limit is refused with its size and the limit, and the batch is unharmed", () => {
  const wire = new Wire("per-record", 64 * 1024);
  assert.throws(
    () => wire.packer.add({ topic: "t", value: Buffer.alloc(64 * 1024), sourceOffset: { n: 1 } }),
    (error) => {
      assert.ok(error instanceof RecordTooLargeError);
      assert.match(error.message, /a record has 69703 bytes as a message; the limit is 65536/);
      return true;
    },
  );
  wire.add({ topic: "t", value: "small", sourceOffset: { n: 2 } });
  wire.send();
  assert.deepEqual(
    wire.rows.map((one) => [one.value.text, one.sourceOffset]),
    [["small", '{"n":2}']],
  );
});

test("the largest record that fits goes alone", () => {
  const wire = new Wire("last", 64 * 1024);
  wire.add({ topic: "t", value: "before" });
  wire.add({ topic: "t", value: Buffer.alloc(64 * 1024 - 4_096 - 64) });
  wire.send();
  assert.equal(wire.batches, 2);
});

test("ids begin again after a Forget when 65,535 are near", () => {
  const wire = new Wire("per-record");
  const count = 70_000;
  for (let n = 0; n < count; n += 1) {
    wire.add({ topic: "t", value: "v", sourcePartition: { n }, sourceOffset: { n } });
  }
  wire.send();
  assert.equal(wire.rows.length, count);
  for (const n of [0, 64_524, 64_525, 64_526, 65_536, count - 1]) {
    assert.equal(wire.rows[n]?.sourcePartition, `{"n":${n}}`);
  }
});

const refused: { name: string; record: SourceRecord; says: RegExp }[] = [
  { name: "an empty topic", record: { topic: "" }, says: /empty topic/ },
  {
    name: "a long topic",
    record: { topic: "t".repeat(250) },
    says: /topic name has 250 bytes; the limit is 249/,
  },
  {
    name: "a topic with a lone surrogate",
    record: { topic: "t\ud800" },
    says: /a topic name has a lone surrogate/,
  },
  {
    name: "a header name with a lone surrogate",
    record: { topic: "t", headers: [{ name: "\udc00", value: null }] },
    says: /a header name has a lone surrogate/,
  },
  {
    name: "a broken partition",
    record: { topic: "t", partition: -1 },
    says: /not a partition: -1/,
  },
  {
    name: "a broken timestamp",
    record: { topic: "t", timestamp: 1.5 },
    says: /not a timestamp: 1.5/,
  },
  {
    name: "1,001 headers",
    record: { topic: "t", headers: Array(1_001).fill({ name: "h", value: null }) },
    says: /1001 headers/,
  },
  {
    name: "null under a required schema",
    record: { topic: "t", value: null, valueSchema: row },
    says: /null used for required/,
  },
  {
    name: "bytes under a text schema",
    record: { topic: "t", value: Buffer.from("a"), valueSchema: optionalText },
    says: /not of the schema's type string/,
  },
];

for (const one of refused) {
  test(`${one.name} is refused`, () => {
    const wire = new Wire("per-record");
    assert.throws(() => wire.packer.add(one.record), one.says);
    assert.equal(wire.packer.count, 0);
  });
}
