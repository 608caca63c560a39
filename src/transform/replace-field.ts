import type { CheckedKey, ParsedValue } from "../config/parse.ts";
import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { moved } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import type { Field, Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectObject, ConnectValue } from "../record/value.ts";
import { inHashOrder } from "./java-hash.ts";
import { copyOfMap, orDefault, structOf, textKey } from "./operand.ts";
import { plainKey, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { fieldNamed, structLike } from "./struct-schema.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

const purpose = "field replacement";

/** What becomes of structs of one schema: `from[n]` of theirs is `schema.fields[n]` of the new one. */
interface Plan {
  readonly schema: Schema;
  readonly from: readonly (Field | undefined)[];
  /** The fields of the given schema that the new one lacks. */
  readonly gone: readonly string[];
  /** No field gets the name of another, so each struct may be changed instead of made anew. */
  readonly inPlace: boolean;
}

/** Leaves fields out and gives others new names. */
class ReplaceField implements Transform {
  readonly #part: Part;
  readonly #excluded: ReadonlySet<string>;
  readonly #included: ReadonlySet<string>;
  readonly #renames: ReadonlyMap<string, string>;
  /** From new names to old ones. */
  readonly #origins: ReadonlyMap<string, string>;
  readonly #replaceNull: boolean;
  readonly #plans = new SchemaCache<Plan>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#excluded = new Set(settings.list("exclude"));
    this.#included = new Set(settings.list("include"));
    this.#renames = new Map(settings.list("renames").map((text) => renaming(text) ?? ["", ""]));
    this.#origins = new Map(
      inHashOrder([...this.#renames], ([old]) => old).map(([old, now]) => [now, old]),
    );
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const data = record[this.#part];
    if (data.value === null) return true;
    record[this.#part] =
      data.schema === null ? { schema: null, value: this.#fromMap(data) } : this.#fromStruct(data);
    return true;
  }

  #fromMap(data: Data): ConnectValue {
    const replaced: ConnectObject = new Map();
    for (const [key, value] of copyOfMap(data, purpose)) {
      const name = textKey(key);
      if (this.#keeps(name)) replaced.set(this.#renames.get(name) ?? name, value);
    }
    return replaced;
  }

  #fromStruct(data: Data): Data {
    const struct = structOf(data, purpose);
    const plan = this.#plans.get(struct.schema, (given) => this.#plan(given));
    const { schema, from } = plan;
    const isOwn = plan.inPlace && struct.value === data.value;
    const replaced: ConnectObject = isOwn ? struct.value : new Map();
    for (let at = 0; at < from.length; at += 1) {
      const { name, schema: field } = schema.fields[at] as Field;
      const origin = from[at];
      if (origin === undefined) {
        throw invalid(`${this.#origins.get(name) ?? name} is not a valid field name`);
      }
      const given = struct.value.get(origin.name);
      const value = moved(origin.schema, orDefault(given, origin.schema, this.#replaceNull), field);
      validateField(name, field, value);
      if (!isOwn || value !== given || name !== origin.name) replaced.set(name, value);
    }
    if (isOwn) for (const name of plan.gone) replaced.delete(name);
    return { schema, value: replaced };
  }

  #plan(given: Schema): Plan {
    const kept = given.fields.filter(({ name }) => this.#keeps(name));
    const fields = kept.map(({ name, schema }) => ({
      name: this.#renames.get(name) ?? name,
      schema,
    }));
    // Apache's class looks for a field by its new name alone, and finds another one if that was renamed too.
    const from = fields.map(({ name }) => fieldNamed(given, this.#origins.get(name) ?? name));
    const now = new Set(fields.map(({ name }) => name));
    const before = new Set(given.fields.map(({ name }) => name));
    const gone = [...before].filter((name) => !now.has(name));
    const inPlace = fields.every(({ name }, at) => from[at]?.name === name || !before.has(name));
    return { schema: structLike(given, fields), from, gone, inPlace };
  }

  #keeps(name: string): boolean {
    if (this.#excluded.has(name)) return false;
    return this.#included.size === 0 || this.#included.has(name);
  }
}

/** `old:new`; undefined for anything else. Java's `split` takes no notice of colons at the end. */
export function renaming(text: string): readonly [string, string] | undefined {
  const parts = text.replace(/:+$/, "").split(":");
  return parts.length === 2 ? (parts as [string, string]) : undefined;
}

/** `Invalid value [x] for configuration renames: …`, whatever key has it: so do Cast's specs. */
export const renameRule: Pick<CheckedKey, "check"> = {
  check: (value: ParsedValue) => {
    if (!Array.isArray(value)) return undefined;
    const wrong = value.find((text) => renaming(text) === undefined);
    return wrong === undefined ? undefined : `Invalid rename mapping: ${wrong}`;
  },
};

const keys = [
  plainKey(
    {
      name: "exclude",
      type: "LIST",
      importance: "MEDIUM",
      documentation: "The fields to leave out, also if they are to be included.",
    },
    "",
  ),
  plainKey(
    {
      name: "include",
      type: "LIST",
      importance: "MEDIUM",
      documentation: "The only fields to keep; empty = all.",
    },
    "",
  ),
  plainKey(
    {
      name: "renames",
      type: "LIST",
      importance: "MEDIUM",
      documentation: "New names, each as old:new.",
    },
    "",
    renameRule,
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.ReplaceField` */
export const replaceField = keyAndValue(
  "ReplaceField",
  keys,
  (part, settings) => new ReplaceField(part, settings),
);
