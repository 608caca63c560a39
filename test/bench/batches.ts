/** What the record batches themselves cost, in this process: writing, reading, checksums and compression. */
import type { CodecName } from "../../src/batch/codec.ts";
import { crc32c, crc32cInScript } from "../../src/batch/crc32c.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import { openBatches } from "../../src/batch/open-batches.ts";
import { newRecordSlice, type RecordSlice } from "../../src/record/record-slice.ts";
import type { BenchOptions } from "./bench.ts";
import type { Section } from "./figure.ts";

const roundsDefault = 7;
const batchBytes = 256 * 1024;
const arenaBytes = 1024 * 1024;
const codecs: CodecName[] = ["gzip", "snappy", "lz4", "zstd"];

interface Arm {
  readonly name: string;
  /** Works on the records of one batch; how many that were. */
  readonly run: () => number | Promise<number>;
  readonly note?: string;
}

/** Figures per record, each arm in its turn, round after round. */
export async function batches({
  rounds = roundsDefault,
  records,
  say,
}: BenchOptions): Promise<Section[]> {
  const sections: Section[] = [];
  for (const valueBytes of [100, 1_024]) {
    const arms = await armsFor(valueBytes);
    const recordsEach = records ?? (valueBytes < 1_000 ? 100_000 : 20_000);
    const wall = arms.map((): number[] => []);
    const cpu = arms.map((): number[] => []);
    // The first round only warms up.
    for (let round = 0; round <= rounds; round++) {
      say(`batches of ${valueBytes} B records, round ${round} of ${rounds}`);
      for (const [n, arm] of arms.entries()) {
        const cpuBefore = process.cpuUsage();
        const startMs = performance.now();
        let done = 0;
        while (done < recordsEach) done += await arm.run();
        const tookMs = performance.now() - startMs;
        const { user, system } = process.cpuUsage(cpuBefore);
        if (round === 0) continue;
        wall[n]?.push((tookMs * 1_000) / done);
        cpu[n]?.push((user + system) / done);
      }
    }
    const rows = arms.map(({ name, note }, n) => ({
      name: note === undefined ? name : `${name}, ${note}`,
      figures: [
        { what: "time", unit: "µs/record", values: wall[n] ?? [] },
        { what: "CPU", unit: "µs/record", values: cpu[n] ?? [] },
      ],
    }));
    const title = `Record batches of ${batchBytes / 1024} KiB with ${valueBytes} B values and 12 B keys`;
    sections.push({ title, rows });
  }
  return sections;
}

async function armsFor(valueBytes: number): Promise<Arm[]> {
  const arena = arenaOf(valueBytes);
  const builder = new BatchBuilder({ initialBytes: 2 * batchBytes });
  const slice = newRecordSlice();
  const fill = () => {
    builder.reset();
    for (let at = 0; builder.sizeBytes < batchBytes; at += valueBytes) {
      point(slice, arena, at % (arenaBytes - valueBytes - 12), valueBytes);
      builder.append(slice, 1_722_000_000_000 + (at >> 10));
    }
    return builder.recordCount;
  };
  const count = fill();
  const plain = builder.finish(0).slice();
  const cursor = new RecordCursor();
  const read = (run: { batches: Uint8Array; firstOffset: number }) => {
    cursor.reset(run);
    let seen = 0;
    while (cursor.next()) seen += 1;
    return seen;
  };
  const encode = () => {
    fill();
    builder.finish(0);
    return count;
  };
  const arms: Arm[] = [
    { name: "encode", run: encode },
    { name: "encode, once more", run: encode },
    { name: "decode", run: () => read({ batches: plain, firstOffset: 0 }) },
    {
      name: "check and decode",
      run: async () => read(await openBatches(plain, { source: "bench", firstOffset: 0 })),
    },
    { name: "CRC-32C", run: () => crc32c(plain, 0, plain.length) && count },
    { name: "CRC-32C in script", run: () => crc32cInScript(plain, 0, plain.length) && count },
  ];
  for (const codec of codecs) {
    fill();
    await builder.compress({ codec });
    const compressed = builder.finish(0).slice();
    const note = `to ${Math.round((100 * compressed.length) / plain.length)} %`;
    arms.push(
      {
        name: `compress with ${codec}`,
        note,
        run: async () => {
          if (builder.recordCount !== count) fill();
          await builder.compress({ codec });
          return count;
        },
      },
      {
        name: `open and decode ${codec}`,
        run: async () => read(await openBatches(compressed, { source: "bench", firstOffset: 0 })),
      },
    );
  }
  return arms;
}

/** JSON like an application's, as it comes from a plugin: many records in one array. */
function arenaOf(valueBytes: number): Uint8Array {
  const bytes = new Uint8Array(arenaBytes);
  for (let at = 0, n = 0; at < arenaBytes; n++) {
    const text = `{"id":${n},"user":"user ${(n * 7_919) % 9_973}","ok":${n % 3 === 0},"amount":${Math.sin(n).toFixed(6)},"size":${valueBytes}}`;
    at += new TextEncoder().encodeInto(text, bytes.subarray(at)).written || 1;
  }
  return bytes;
}

function point({ key, value }: RecordSlice, arena: Uint8Array, at: number, valueBytes: number) {
  key.bytes = arena;
  key.start = at;
  key.end = at + 12;
  value.bytes = arena;
  value.start = at + 12;
  value.end = at + 12 + valueBytes;
}
