/**
 * What a step of a chain costs a record of each direction, apart from plugins and Kafka: a struct of eight
 * fields as JSON with schemas, in this process. It runs the built code, as a host does.
 */
import type { RecordSlice } from "../../src/record/record-slice.ts";
import type { ConvertParts } from "../../src/task/source-way.ts";
import type { BenchOptions } from "./bench.ts";
import type { Row, Section } from "./figure.ts";

type Settings = Readonly<Record<string, string>>;

const apache = "org.apache.kafka.connect.transforms";

/** One of each kind; the keys are those of one step. */
const steps: Readonly<Record<string, Settings>> = {
  "Filter, another topic": { type: "Filter", predicate: "p" },
  RegexRouter: { type: "RegexRouter", regex: "(.*)", replacement: "x-$1" },
  TimestampRouter: { type: "TimestampRouter" },
  InsertHeader: { type: "InsertHeader", header: "by", "value.literal": "bench" },
  Cast$Value: { type: "Cast$Value", spec: "id:string" },
  ExtractField$Value: { type: "ExtractField$Value", field: "name" },
  Flatten$Value: { type: "Flatten$Value" },
  HeaderFrom$Value: {
    type: "HeaderFrom$Value",
    fields: "name",
    headers: "name",
    operation: "copy",
  },
  HoistField$Value: { type: "HoistField$Value", field: "row" },
  InsertField$Value: {
    type: "InsertField$Value",
    "static.field": "origin",
    "static.value": "bench",
  },
  MaskField$Value: { type: "MaskField$Value", fields: "name" },
  ReplaceField$Value: { type: "ReplaceField$Value", renames: "name:who" },
  TimestampConverter$Value: {
    type: "TimestampConverter$Value",
    field: "ts",
    "target.type": "Timestamp",
    "unix.precision": "milliseconds",
  },
  ValueToKey: { type: "ValueToKey", fields: "id" },
};

const five = [
  "Cast$Value",
  "MaskField$Value",
  "ReplaceField$Value",
  "InsertField$Value",
  "InsertHeader",
];

function configOf(names: readonly string[]): Settings {
  const aliases = names.map((_, index) => `s${index}`);
  const keys = names.flatMap((name, index) =>
    Object.entries(steps[name] ?? {}).map(([key, text]) => [
      `transforms.s${index}.${key}`,
      key === "type" ? `${apache}.${text}` : text,
    ]),
  );
  return {
    transforms: aliases.join(),
    predicates: "p",
    "predicates.p.type": `${apache}.predicates.TopicNameMatches`,
    "predicates.p.pattern": "another",
    ...Object.fromEntries(keys),
  };
}

const fields = [
  "id:int64",
  "ts:int64",
  "name",
  "email",
  "active:boolean",
  "score:double",
  "count:int32",
];
const schema = `{"type":"struct","fields":[${[...fields, "note"]
  .map((text) => text.split(":"))
  .map(
    ([name, type = "string"]) =>
      `{"type":"${type}","optional":${name === "note"},"field":"${name}"}`,
  )
  .join()}],"optional":false,"name":"bench.Row"}`;

const batchRecords = 500;
const payloads = Array.from(
  { length: batchRecords },
  (_, n) =>
    `{"id":${n},"ts":${1_700_000_000_000 + n},"name":"name ${n}","email":"user${n}@example.com",` +
    `"active":true,"score":${n}.5,"count":${n % 100},"note":null}`,
);

/** The built modules, under the types of their sources. */
async function built() {
  const load = <T>(path: string): Promise<T> =>
    import(new URL(`../../dist/${path}.js`, import.meta.url).href) as Promise<T>;
  return {
    ...(await load<typeof import("../../src/convert/converters.ts")>("convert/converters")),
    ...(await load<typeof import("../../src/transform/chain.ts")>("transform/chain")),
    ...(await load<typeof import("../../src/task/source-chain.ts")>("task/source-chain")),
    ...(await load<typeof import("../../src/task/sink-chain.ts")>("task/sink-chain")),
    ...(await load<typeof import("../../src/batch/encode.ts")>("batch/encode")),
    ...(await load<typeof import("../../src/batch/decode.ts")>("batch/decode")),
    ...(await load<typeof import("../../src/record/record-slice.ts")>("record/record-slice")),
    ...(await load<typeof import("../../src/record/record-row.ts")>("record/record-row")),
    ...(await load<typeof import("../../src/record/columns.ts")>("record/columns")),
  };
}

type Built = Awaited<ReturnType<typeof built>>;

/** Each arm of each round in turn. */
export async function stepCosts({ rounds = 5, records, say }: BenchOptions): Promise<Section[]> {
  const code = await built();
  const arms = [...Object.keys(steps).map((name) => [name]), five, five];
  const times = Math.max(20, Math.ceil((records ?? 100_000) / batchRecords));
  const costs = arms.map(() => ({ source: [] as number[], sink: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    say(`pipeline: steps alone, round ${round} of ${rounds}`);
    arms.forEach((names, arm) => {
      const source = costOf(sourceRun(code, names), times);
      const sink = costOf(sinkRun(code, names), times);
      // The first is for the compiler.
      if (round === 0) return;
      costs[arm]?.source.push(source);
      costs[arm]?.sink.push(sink);
    });
  }
  const rows = arms.map((names, arm): Row => {
    const { source = [], sink = [] } = costs[arm] ?? {};
    const again = arm === arms.length - 1 ? " again" : "";
    return {
      name: names.length === 1 ? `${names[0]}` : `five of them${again}`,
      figures: [
        { what: "source", unit: "µs/record", values: source },
        { what: "sink", unit: "µs/record", values: sink },
      ],
    };
  });
  return [{ title: "one record through a chain, a struct as JSON with schemas", rows }];
}

function partsOf({ createConverter }: Built): ConvertParts {
  return {
    keyConverter: createConverter("String", {}, "key"),
    valueConverter: createConverter("Json", {}, "value"),
    headerConverter: createConverter("Simple", {}, "header"),
    converterClasses: { key: "K", value: "V", header: "H" },
    topicsRefused: new Set(),
  };
}

/** A plugin's batch through the chain, as often as it is called. */
function sourceRun(code: Built, names: readonly string[], then?: (record: RecordSlice) => void) {
  const chain = new code.SourceChain(partsOf(code), code.createSteps(configOf(names)), true);
  const columns = code.emptyColumns();
  columns.count = batchRecords;
  columns.topics = Uint32Array.of(1);
  columns.timestamps = Float64Array.of(1_700_000_000_000);
  columns.valueForms = Uint32Array.of(1);
  columns.arena = Buffer.from(payloads.join(""));
  columns.valueSizes = Uint32Array.from(payloads, (text) => text.length + 1);
  const forms = [code.nullForm, { encoding: "json" as const, schema }];
  const definitions = { topics: [undefined, "orders"], names: [], forms, partitions: [] };
  const row = new code.RecordRow();
  const record = code.newRecordSlice();
  return () => {
    chain.begin(columns, definitions);
    row.reset(columns);
    while (row.next()) if (chain.fill(row, record)) then?.(record);
  };
}

/** What a chain of nothing but a filter has written, through the chain. */
function sinkRun(code: Built, names: readonly string[]) {
  const builder = new code.BatchBuilder();
  const written = (record: RecordSlice) => builder.append(record, record.timestampMs);
  sourceRun(code, ["Filter, another topic"], written)();
  const batches = Buffer.from(builder.finish(0));
  const chain = new code.SinkChain(partsOf(code), code.createSteps(configOf(names)));
  const cursor = new code.RecordCursor();
  const from = { topic: "orders", partition: 0 };
  return () => {
    cursor.reset({ batches, firstOffset: 0 });
    while (cursor.next()) chain.read(cursor, from);
  };
}

/** Microseconds of CPU a record. */
function costOf(run: () => void, times: number): number {
  const before = process.cpuUsage();
  for (let n = 0; n < times; n += 1) run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times / batchRecords;
}
