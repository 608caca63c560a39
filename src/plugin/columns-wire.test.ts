/** Batches on the wire: our decoder and encoder against the generated codec, and broken input. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Columns, type Definitions, emptyColumns, nullForm } from "../record/columns.ts";
import { checkSourceColumns } from "./columns-check.ts";
import { decodeRecords, isRecords, type WireRecords } from "./columns-decode.ts";
import { encodePut } from "./columns-encode.ts";
import { columnsFromProto } from "./from-proto.ts";
import { ColumnsSchema } from "./gen/bulkhead/plugin/v1/record_pb.ts";
import { HostSinkMessageSchema } from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import { type RecordsSchema, SourceTaskMessageSchema } from "./gen/bulkhead/plugin/v1/source_pb.ts";

type ColumnsInit = MessageInitShape<typeof ColumnsSchema>;

/** Numbers from a seed; the same seed gives the same batch. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const definitions: Definitions = {
  topics: Array.from({ length: 400 }, (_, id) => (id === 0 ? undefined : `t${id}`)),
  names: Array.from({ length: 400 }, (_, id) => (id === 0 ? undefined : `n${id}`)),
  forms: Array.from({ length: 400 }, (_, id) =>
    id === 0 ? nullForm : { encoding: "text", schema: null },
  ),
  partitions: Array.from({ length: 400 }, (_, id) => (id === 0 ? undefined : `{"p":${id}}`)),
};

function encodeRecords(init: MessageInitShape<typeof RecordsSchema>): Uint8Array {
  const kind = { case: "records" as const, value: init };
  return toBinary(SourceTaskMessageSchema, create(SourceTaskMessageSchema, { kind }));
}

/** A batch that follows every rule, in one of all the shapes there are. */
function randomColumns(seed: number): { init: ColumnsInit; last: boolean } {
  const random = randomFrom(seed);
  const n = random(4) === 0 ? random(3) : random(300);
  const ids = (length: number, low = 1) => Array.from({ length }, () => low + random(399));
  const zeroOneAll = (all: number) => (all === 0 ? 0 : ([0, 1, all][random(3)] as number));
  const sizes = (length: number) =>
    Array.from({ length }, () => (random(5) === 0 ? 0 : 1 + random(random(4) === 0 ? 300 : 20)));
  const sum = (list: number[], less: number) =>
    list.reduce((total, one) => total + Math.max(0, one - less), 0);
  const deltas = (length: number, values: () => bigint) => {
    let before = 0n;
    return Array.from({ length }, () => {
      const value = values();
      const delta = BigInt.asIntN(64, value - before);
      before = value;
      return delta;
    });
  };
  const keySizes = random(2) === 0 ? [] : sizes(n);
  const valueSizes = random(5) === 0 ? [] : sizes(n);
  const headerCounts = random(2) === 0 ? [] : Array.from({ length: n }, () => random(4));
  const h = sum(headerCounts, 0);
  const headerSizes = random(3) === 0 ? [] : sizes(h);
  const arenaLength = sum(keySizes, 1) + sum(valueSizes, 1) + sum(headerSizes, 1);
  const last = random(2) === 0;
  const p = last ? Math.min(n, random(5)) : 0;
  const offsetSizes = Array.from({ length: last ? p : n }, (_, index) => {
    if (random(4) === 0) return 0;
    return !last && index > 0 && random(3) === 0 ? 1 : 2 + random(30);
  });
  const timestamp = () => {
    const kind = random(10);
    if (kind === 0) return -1n;
    if (kind === 1) return BigInt(Number.MAX_SAFE_INTEGER);
    if (kind === 2) return -(2n ** 63n);
    return 1_700_000_000_000n + BigInt(random(1_000_000));
  };
  const bytes = (length: number) => Uint8Array.from({ length }, () => random(256));
  return {
    last,
    init: {
      count: n,
      arena: bytes(arenaLength),
      keySizes,
      valueSizes,
      keyForms: ids(zeroOneAll(n), 0),
      valueForms: ids(zeroOneAll(n), 0),
      topics: ids(n === 0 ? 0 : ([1, n][random(2)] as number)),
      partitions: ids(zeroOneAll(n), 0),
      timestamps: deltas(zeroOneAll(n), timestamp),
      headerCounts,
      headerNames: ids(h),
      headerSizes,
      headerForms: ids(zeroOneAll(h), 0),
      sourcePartitions: last
        ? Array.from({ length: p }, (_, index) => index + 1)
        : ids(n === 0 ? 0 : ([1, n][random(2)] as number)),
      offsetSizes,
      offsetArena: bytes(sum(offsetSizes, 2)),
    },
  };
}

function assertSameColumns(actual: Columns, expected: Columns): void {
  for (const [name, values] of Object.entries(expected)) {
    const found = actual[name as keyof Columns];
    if (typeof values === "number") assert.equal(found, values, name);
    else assert.deepEqual([...(found as Uint8Array)], [...values], name);
  }
}

function decoded(message: Uint8Array): WireRecords {
  const result = decodeRecords(message);
  assert.ok(result !== "irregular");
  return result;
}

test("what the generated encoder writes is read as the generated decoder reads it", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const { init, last } = randomColumns(seed);
    const message = encodeRecords({ batchSeq: BigInt(seed), columns: init, pollEnd: true });
    try {
      assert.equal(isRecords(message), true);
      const { batchSeq, columns, pollEnd } = decoded(message);
      assert.equal(batchSeq, seed);
      assert.equal(pollEnd, true);
      const { kind } = fromBinary(SourceTaskMessageSchema, message);
      assert.ok(kind.case === "records");
      assertSameColumns(columns, columnsFromProto(kind.value.columns));
      const offsetMode = last ? ("last" as const) : ("per-record" as const);
      checkSourceColumns(columns, { offsetMode, definitions, messageBytesMax: 1_000_000 });
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test("what our encoder writes is read by the generated decoder, byte for byte as it would write it", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = randomFrom(seed);
    const { init } = randomColumns(seed);
    const { columns } = decoded(encodeRecords({ columns: init }));
    columns.sourcePartitions = new Uint32Array(0);
    columns.offsetSizes = new Uint32Array(0);
    columns.offsetArena = new Uint8Array(0);
    let offset = random(2) === 0 ? 0 : 2 ** 52;
    columns.offsets = Float64Array.from({ length: columns.count }, () => {
      offset += 1 + random(3);
      return offset;
    });
    const putSeq = 1 + random(2 ** 31);
    const message = encodePut(putSeq, random(3), columns);
    try {
      const read = fromBinary(HostSinkMessageSchema, message);
      assert.ok(read.kind.case === "put");
      assert.equal(read.kind.value.putSeq, BigInt(putSeq));
      assertSameColumns(columnsFromProto(read.kind.value.columns), columns);
      assert.equal(Buffer.compare(message, toBinary(HostSinkMessageSchema, read)), 0);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test("a message cut anywhere is refused, or read as less, but never throws anything else", () => {
  const { init } = randomColumns(7);
  const message = encodeRecords({ batchSeq: 1n, columns: init });
  for (let length = 1; length < message.length; length += 1) {
    assert.throws(() => decodeRecords(message.subarray(0, length)), {
      code: "plugin.protocol_error",
    });
  }
});

test("random damage is refused with a sentence or gives columns that keep the rules", () => {
  for (let seed = 1; seed <= 2_000; seed += 1) {
    const random = randomFrom(seed);
    const { init, last } = randomColumns(1 + (seed % 40));
    const message = encodeRecords({ batchSeq: 1n, columns: init });
    for (let i = 0; i < 3; i += 1) message[1 + random(message.length - 1)] = random(256);
    try {
      const result = decodeRecords(message);
      if (result === "irregular") continue;
      const offsetMode = last ? ("last" as const) : ("per-record" as const);
      checkSourceColumns(result.columns, { offsetMode, definitions, messageBytesMax: 1_000_000 });
      assert.ok(result.columns.count <= 10_000);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "plugin.protocol_error", `seed ${seed}`);
    }
  }
});

const good: ColumnsInit = {
  count: 2,
  arena: Buffer.from("ab"),
  valueSizes: [2, 2],
  topics: [1],
  sourcePartitions: [1],
  offsetSizes: [3, 1],
  offsetArena: Buffer.from("5"),
};

for (const { name, change, last, expect } of [
  { name: "too many records", change: { count: 10_001 }, expect: /10001 records; at most 10000/ },
  {
    name: "a short column",
    change: { valueSizes: [3] },
    expect: /value_sizes has 1 entries instead of 0 or 2/,
  },
  {
    name: "a long column",
    change: { valueSizes: [1, 1, 1] },
    expect: /value_sizes has more than 2 entries/,
  },
  { name: "no topic", change: { topics: [] }, expect: /topics has 0 entries instead of 1 or 2/ },
  {
    name: "a topic not defined",
    change: { topics: [399 + 1] },
    expect: /topics has the id 400, which is not defined/,
  },
  { name: "topic 0", change: { topics: [0] }, expect: /topics has the id 0, which is not defined/ },
  {
    name: "sizes over the arena",
    change: { valueSizes: [2, 3] },
    expect: /add up to 3, the arena has 2/,
  },
  {
    name: "an arena with a rest",
    change: { arena: Buffer.from("abc") },
    expect: /add up to 2, the arena has 3/,
  },
  {
    name: "a record with 1,001 headers",
    change: { headerCounts: [1_001, 0] },
    expect: /record 0 has 1001 headers/,
  },
  {
    name: "headers without names",
    change: { headerCounts: [1, 0] },
    expect: /header_names has 0 entries instead of 1/,
  },
  {
    name: "the first offset as before",
    change: { offsetSizes: [1, 3] },
    expect: /offset 0 says "same as before"/,
  },
  {
    name: "an offset arena with a rest",
    change: { offsetArena: Buffer.from("55") },
    expect: /offset_sizes add up to 1, the offset arena has 2/,
  },
  {
    name: "a missing offset",
    change: { offsetSizes: [3] },
    expect: /offset_sizes has 1 entries instead of 2/,
  },
  {
    name: "an offset over its bound",
    change: { offsetSizes: [65_539, 0] },
    expect: /offset 0 has 65537 bytes, over 65536/,
  },
  {
    name: "a partition twice in mode last",
    last: true,
    change: { sourcePartitions: [1, 1], offsetSizes: [3, 0] },
    expect: /names a partition twice/,
  },
  {
    name: "as before in mode last",
    last: true,
    change: { sourcePartitions: [1, 2] },
    expect: /offset 1 says "same as before"/,
  },
  {
    name: "entries without records",
    change: {
      count: 0,
      arena: new Uint8Array(0),
      valueSizes: [],
      topics: [],
      offsetSizes: [],
      offsetArena: new Uint8Array(0),
    },
    expect: /a batch of no records has entries in column sourcePartitions/,
  },
  {
    name: "a time beyond 2^53",
    change: { timestamps: [2n ** 53n] },
    expect: /timestamps has the value 9007199254740992/,
  },
  {
    name: "a batch over the message limit",
    change: {},
    messageBytesMax: 4_000,
    expect: /counts 4227 bytes; at most 4000/,
  },
] as {
  name: string;
  change: ColumnsInit;
  last?: boolean;
  messageBytesMax?: number;
  expect: RegExp;
}[]) {
  test(`${name} is refused by name`, () => {
    const message = encodeRecords({ batchSeq: 1n, columns: { ...good, ...change } });
    const offsetMode = last ? ("last" as const) : ("per-record" as const);
    assert.throws(
      () =>
        checkSourceColumns(decoded(message).columns, {
          offsetMode,
          definitions,
          messageBytesMax: name.includes("limit") ? 4_000 : 100_000,
        }),
      { code: "plugin.protocol_error", message: expect },
    );
  });
}

test("a column in two pieces is left to the generated decoder, unknown fields are passed over", () => {
  const message = Buffer.from(encodeRecords({ batchSeq: 1n, columns: good }));
  const columnsAt = message.indexOf(Buffer.from([(2 << 3) | 2]), 3);
  const columns = message.subarray(columnsAt + 2);
  const withMore = (more: number[]) => {
    const inner = Buffer.concat([columns, Buffer.from(more)]);
    const records = Buffer.concat([Buffer.from([8, 1, (2 << 3) | 2, inner.length]), inner]);
    return Buffer.concat([Buffer.from([(8 << 3) | 2, records.length]), records]);
  };
  // value_sizes again; then field 25 (kept free) as bytes; then field 7 not packed.
  assert.equal(decodeRecords(withMore([(4 << 3) | 2, 1, 2])), "irregular");
  assert.equal(decoded(withMore([0xca, 0x01, 2, 9, 9])).columns.count, 2);
  assert.equal(decodeRecords(withMore([7 << 3, 1])), "irregular");
});

for (const { name, columns, expect } of [
  {
    name: "10,001 records",
    columns: { ...good, count: 10_001 },
    expect: /a batch has 10001 records; at most 10000 are allowed/,
  },
  {
    name: "1,001 headers",
    columns: { ...good, headerCounts: [0, 1_001] },
    expect: /record 1 has 1001 headers; at most 1000 are allowed/,
  },
]) {
  test(`I5: ${name} are refused of a message in unusual pieces too`, () => {
    const read = columnsFromProto(create(ColumnsSchema, columns));
    const rules = { offsetMode: "per-record" as const, definitions, messageBytesMax: 100_000 };
    assert.throws(() => checkSourceColumns(read, rules), {
      code: "plugin.protocol_error",
      message: expect,
    });
  });
}

test("an empty batch that ends a poll is fine", () => {
  const { columns, pollEnd } = decoded(
    encodeRecords({ batchSeq: 1n, columns: { count: 0 }, pollEnd: true }),
  );
  checkSourceColumns(columns, { offsetMode: "per-record", definitions, messageBytesMax: 100_000 });
  assert.deepEqual({ count: columns.count, pollEnd }, { count: 0, pollEnd: true });
  assertSameColumns(columns, emptyColumns());
});
