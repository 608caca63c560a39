import { type Decimal, javaDouble, javaFloat, type Schema } from "@bulkhead/sdk";

/** A value under a schema as Java's toString writes it; Apache's file sink writes exactly that. */
export function javaText(value: unknown, schema: Schema): string {
  if (value === null || value === undefined) return "null";
  switch (schema.type) {
    case "float":
      return javaFloat(value as number);
    case "double":
      return javaDouble(value as number);
    case "bytes":
      return value instanceof Uint8Array ? looseText(value) : (value as Decimal).toString();
    case "array":
      return `[${(value as unknown[]).map((one) => part(one, schema.items)).join(", ")}]`;
    case "map":
      return mapText(value as ReadonlyMap<unknown, unknown>, schema);
    case "struct":
      return structText(value as Readonly<Record<string, unknown>>, schema);
    default:
      return value instanceof Date ? javaDate(value) : String(value);
  }
}

/** Data without a schema, as `exactValue` gives it. */
export function looseText(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (Array.isArray(value)) return `[${value.map(looseText).join(", ")}]`;
  if (value instanceof Map) {
    return `{${Array.from(value, ([name, one]) => `${name}=${looseText(one)}`).join(", ")}}`;
  }
  return String(value);
}

function part(value: unknown, schema: Schema | null | undefined): string {
  return schema ? javaText(value, schema) : looseText(value);
}

function mapText(map: ReadonlyMap<unknown, unknown>, schema: Schema): string {
  const members = Array.from(
    map,
    ([key, value]) => `${part(key, schema.keys)}=${part(value, schema.values)}`,
  );
  return `{${members.join(", ")}}`;
}

/** A struct leaves out its nulls. */
function structText(struct: Readonly<Record<string, unknown>>, schema: Schema): string {
  const members: string[] = [];
  for (const { field, schema: of } of schema.fields ?? []) {
    const value = struct[field];
    if (value !== null && value !== undefined) members.push(`${field}=${javaText(value, of)}`);
  }
  return `Struct{${members.join(",")}}`;
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `Thu Jan 01 00:00:00 UTC 1970` */
function javaDate(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${two(date.getUTCDate())}`;
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(":");
  return `${day} ${time} UTC ${date.getUTCFullYear()}`;
}
