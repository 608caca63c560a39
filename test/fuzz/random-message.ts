/** Messages of the contract made from a seed: every field, with the values that break things. */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";

/** Numbers from 0 to below 1. */
export type Random = () => number;

const depthMax = 5;

const texts = [
  "",
  "a",
  "__proto__",
  "constructor",
  "null",
  '{"file":"x"}',
  "\u0000\u001b[31m\n",
  "ü🦶",
  "x".repeat(300),
];
const smalls = [0, 1, 2, 3, 7, 64, 127, 128, 1_000, 65_535, 65_536, 2 ** 31 - 1, 2 ** 32 - 1];
const longs = [0n, 1n, -1n, 2n, 1_000n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** The bytes of a message that follows its schema, though perhaps not the contract's other rules. */
export function randomBytes(schema: DescMessage, random: Random): Buffer {
  return Buffer.from(toBinary(schema, randomMessage(schema, random)));
}

/** Each field is there or not; of a `oneof` one. */
export function randomMessage(schema: DescMessage, random: Random, depth = 0): Message {
  const message = reflect(schema, create(schema));
  for (const one of schema.oneofs) {
    if (random() < 0.05) continue;
    const field = pick(random, one.fields);
    setField(message, field, random, depth);
  }
  for (const field of schema.fields) {
    if (field.oneof !== undefined || random() < 0.4) continue;
    setField(message, field, random, depth);
  }
  return message.message;
}

function setField(
  message: ReturnType<typeof reflect>,
  field: DescField,
  random: Random,
  depth: number,
): void {
  const count = Math.floor(random() * 4);
  switch (field.fieldKind) {
    case "message":
      if (depth < depthMax) {
        message.set(field, reflect(field.message, randomMessage(field.message, random, depth + 1)));
      }
      return;
    case "enum":
      message.set(field, pick(random, [0, 1, 2, 3, 99]));
      return;
    case "scalar":
      message.set(field, randomScalar(field.scalar, random));
      return;
    case "list":
      for (let n = 0; n < count; n += 1) {
        const list = message.get(field);
        if (field.listKind === "message") {
          if (depth < depthMax) {
            list.add(reflect(field.message, randomMessage(field.message, random, depth + 1)));
          }
        } else if (field.listKind === "enum") list.add(pick(random, [0, 1, 2, 99]));
        else list.add(randomScalar(field.scalar, random));
      }
      return;
    case "map":
      for (let n = 0; n < count && field.mapKind === "scalar"; n += 1) {
        message.get(field).set(pick(random, texts), randomScalar(field.scalar, random));
      }
  }
}

function randomScalar(
  type: ScalarType,
  random: Random,
): number | bigint | string | boolean | Uint8Array {
  switch (type) {
    case ScalarType.STRING:
      return pick(random, texts);
    case ScalarType.BOOL:
      return random() < 0.5;
    case ScalarType.BYTES:
      return Buffer.from(pick(random, texts));
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return pick(random, [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e308]);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return pick(random, longs);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return pick(random, [...longs.filter((one) => one >= 0n), 2n ** 64n - 1n]);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return pick(random, [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]);
    default:
      return pick(random, smalls);
  }
}

/** The bytes after an accident, or after an attempt. */
export function damaged(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const at = Math.floor(random() * bytes.length);
  switch (Math.floor(random() * 7)) {
    case 0:
      return bytes.subarray(0, at);
    case 1: {
      const changed = Buffer.from(bytes);
      if (at < changed.length)
        changed[at] = (changed[at] as number) ^ (1 << Math.floor(random() * 8));
      return changed;
    }
    case 2:
      return Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at)]);
    case 3:
      // A number, perhaps a length, that is far too large.
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from("ffffffff0f", "hex"),
        bytes.subarray(at),
      ]);
    case 4:
      return Buffer.concat([bytes, bytes]);
    case 5:
      return Buffer.from(Array.from({ length: at }, () => Math.floor(random() * 256)));
    default: {
      const changed = Buffer.from(bytes);
      for (let n = 0; n < 8 && changed.length > 0; n += 1) {
        changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256);
      }
      return changed;
    }
  }
}
