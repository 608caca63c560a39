/** A transform, a predicate, a converter and a header converter: one of each, in one program. */
import {
  config,
  converter,
  headerConverter,
  predicate,
  run,
  schema,
  transform,
} from "@bulkhead/sdk";

const mask = transform({
  class: "example.MaskFields",
  config: {
    fields: config.list({ required: true, doc: "top-level fields of the value to hide" }),
    drop: config.boolean({ default: false, doc: "drop records that have none of them" }),
  },
  apply(record, { config: { fields, drop } }) {
    const { value } = record;
    if (typeof value !== "object" || value === null) return record;
    const found = fields.filter((field) => typeof value[field] === "string");
    if (found.length === 0) return drop ? null : record;
    const hidden = Object.fromEntries(found.map((field) => [field, "****"]));
    return record.with({ value: { ...value, ...hidden } });
  },
});

const fieldEquals = predicate({
  class: "example.FieldEquals",
  config: { field: config.string({ required: true }), value: config.string({ required: true }) },
  test: ({ value }, { config }) => String(value?.[config.field]) === config.value,
});

/** Lines of comma-separated values, without quotes. */
const csv = converter({
  class: "example.CsvConverter",
  config: { columns: config.list({ required: true, doc: "the names of the columns, in order" }) },
  start: ({ config: { columns } }) => {
    const text = schema.string({ optional: true });
    return schema.struct(Object.fromEntries(columns.map((name) => [name, text])));
  },
  fromConnect: ({ value }, { config: { columns } }) =>
    value === null ? null : columns.map((name) => String(value[name] ?? "")).join(","),
  toConnect({ value }, { config: { columns }, state }) {
    if (value === null) return { value: null };
    const cells = new TextDecoder().decode(value).split(",");
    if (cells.length !== columns.length) {
      throw new Error(`a line of ${cells.length} columns instead of ${columns.length}`);
    }
    return {
      value: Object.fromEntries(columns.map((name, at) => [name, cells[at]])),
      schema: state,
    };
  },
});

const plainHeaders = headerConverter({
  class: "example.PlainHeaders",
  fromConnect: ({ value }) => (value === null ? null : String(value)),
  toConnect: ({ value }) => ({ value: value === null ? null : new TextDecoder().decode(value) }),
});

run([mask, fieldEquals, csv, plainHeaders], { name: "privacy", version: "1.0.0" });
