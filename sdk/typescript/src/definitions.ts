import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { jsonWriter, writeJson } from "./canonical-json.ts";
import { Encoding } from "./gen/bulkhead/plugin/v1/record_pb.ts";
import { SourceTaskMessageSchema } from "./gen/bulkhead/plugin/v1/source_pb.ts";
import { DataError } from "./plugin-error.ts";
import type { InForm } from "./put-batch.ts";
import { logicalName, type Schema } from "./schema.ts";
import { schemaText } from "./schema-text.ts";
import type { SourcePartition } from "./source-record.ts";

const plainEncodings = ["bytes", "text", "json"] as const;
const idMax = 65_535;
// The contract allows 32 MiB of live definitions; half of it leaves room for what one record adds.
const liveBytesMax = 16 * 1024 * 1024;

/** How values of one schema are sent. */
export interface OutForm {
  readonly id: number;
  readonly encoding: "bytes" | "text" | "json";
  /** Of JSON values. */
  readonly write: (value: unknown) => string;
}

type Definition = NonNullable<MessageInitShape<typeof SourceTaskMessageSchema>["kind"]>;

/** A definition as a message of the stream that it goes out on. */
export type EncodeDefinition = (kind: Definition) => Uint8Array;

/** Form 0: null without schema. */
export const nullForm: OutForm = { id: 0, encoding: "bytes", write: writeJson };

/**
 * Ids for topics, header names, forms and source partitions of one stream. A definition is handed to
 * `send` when its id is made, so it goes before the batch that uses it.
 */
export class OutDefinitions {
  readonly #send: (message: Uint8Array) => void;
  readonly #encode: EncodeDefinition;
  #topics = new Map<string, number>();
  #names = new Map<string, number>();
  #partitions = new Map<string, number>();
  #partitionTexts: string[] = [];
  #formIds = new Map<string, number>();
  #formsBySchema = new WeakMap<Schema, OutForm>();
  #idsByForm = new WeakMap<InForm, number>();
  readonly #plain: Record<OutForm["encoding"], OutForm | undefined> = {
    bytes: undefined,
    text: undefined,
    json: undefined,
  };
  #liveBytes = 0;
  /** What one more record might define no longer fits: send the batch, then `forget`. */
  full = false;
  #lastTopic = "";
  #lastTopicId = 0;
  #lastPartition: SourcePartition | null | undefined = null;
  #lastPartitionId = 0;

  constructor(
    send: (message: Uint8Array) => void,
    encode: EncodeDefinition = encodeSourceDefinition,
  ) {
    this.#send = send;
    this.#encode = encode;
  }

  /** Numbering begins again at 1. */
  forget(): void {
    this.#topics = new Map();
    this.#names = new Map();
    this.#partitions = new Map();
    this.#partitionTexts = [];
    this.#formIds = new Map();
    this.#formsBySchema = new WeakMap();
    this.#idsByForm = new WeakMap();
    for (const encoding of plainEncodings) this.#plain[encoding] = undefined;
    this.#liveBytes = 0;
    this.#lastTopicId = 0;
    this.#lastPartitionId = 0;
    this.#define({ case: "forget", value: {} });
  }

  topic(topic: string): number {
    if (topic === this.#lastTopic && this.#lastTopicId !== 0) return this.#lastTopicId;
    let id = this.#topics.get(topic);
    if (id === undefined) {
      bounded("topic name", topic, 249);
      wellFormed("topic name", topic);
      if (topic === "") throw new DataError("a record has an empty topic name");
      id = this.#topics.size + 1;
      this.#topics.set(topic, id);
      this.#define({ case: "topic", value: { id, topic } });
    }
    this.#lastTopic = topic;
    this.#lastTopicId = id;
    return id;
  }

  name(name: string): number {
    let id = this.#names.get(name);
    if (id === undefined) {
      bounded("header name", name, 32 * 1024);
      wellFormed("header name", name);
      id = this.#names.size + 1;
      this.#names.set(name, id);
      this.#define({ case: "name", value: { id, name } });
    }
    return id;
  }

  partition(partition: SourcePartition | null | undefined): number {
    // The same object is taken to be the same partition; a changed offset object is not.
    if (partition === this.#lastPartition && this.#lastPartitionId !== 0) {
      return this.#lastPartitionId;
    }
    const text = writeJson(partition);
    let id = this.#partitions.get(text);
    if (id === undefined) {
      bounded("source partition", text, 64 * 1024);
      id = this.#partitions.size + 1;
      this.#partitions.set(text, id);
      this.#partitionTexts[id] = text;
      this.#define({ case: "partition", value: { id, partition: text } });
    }
    this.#lastPartition = partition;
    this.#lastPartitionId = id;
    return id;
  }

  partitionText(id: number): string {
    return this.#partitionTexts[id] ?? "null";
  }

  /** The form for values of a schema; `wellFormed` false = a text with lone surrogates. */
  form(schema: Schema, wellFormed: boolean): OutForm {
    const form = this.#formsBySchema.get(schema) ?? this.#newForm(schema);
    return wellFormed || form.encoding !== "text" ? form : this.#jsonForm(schema);
  }

  /** The form for values without schema. */
  plainForm(encoding: OutForm["encoding"]): OutForm {
    return this.#plain[encoding] ?? this.#newPlainForm(encoding);
  }

  /** The id for a value that goes on as it came. */
  sameForm(form: InForm): number {
    let id = this.#idsByForm.get(form);
    if (id === undefined) {
      id = form.id === 0 ? 0 : this.#formId(form.encoding, form.schemaText);
      this.#idsByForm.set(form, id);
    }
    return id;
  }

  #newPlainForm(encoding: OutForm["encoding"]): OutForm {
    const form = { id: this.#formId(encoding, undefined), encoding, write: writeJson };
    this.#plain[encoding] = form;
    return form;
  }

  #newForm(schema: Schema): OutForm {
    const encoding =
      schema.type === "string"
        ? "text"
        : schema.type === "bytes" && schema.name !== logicalName.decimal
          ? "bytes"
          : "json";
    const id = this.#formId(encoding, schemaText(schema));
    const form: OutForm = { id, encoding, write: jsonWriter(schema) };
    this.#formsBySchema.set(schema, form);
    return form;
  }

  #jsonForm(schema: Schema): OutForm {
    const id = this.#formId("json", schemaText(schema));
    return { id, encoding: "json", write: jsonWriter(schema) };
  }

  #formId(encoding: OutForm["encoding"], schema: string | undefined): number {
    const name = `${encoding} ${schema ?? ""}`;
    let id = this.#formIds.get(name);
    if (id === undefined) {
      if (schema !== undefined) bounded("schema", schema, 1024 * 1024);
      id = this.#formIds.size + 1;
      this.#formIds.set(name, id);
      const value = {
        id,
        encoding: encodings[encoding],
        ...(schema === undefined ? {} : { schema }),
      };
      this.#define({ case: "form", value });
    }
    return id;
  }

  #define(kind: Definition): void {
    const bytes = this.#encode(kind);
    this.#liveBytes += bytes.length;
    const most = Math.max(
      this.#topics.size,
      this.#names.size,
      this.#partitions.size,
      this.#formIds.size,
    );
    // A record may bring 1,000 header names and as many forms.
    this.full = most > idMax - 1_010 || this.#liveBytes > liveBytesMax;
    this.#send(bytes);
  }
}

const encodings = { bytes: Encoding.BYTES, text: Encoding.TEXT, json: Encoding.JSON } as const;

function encodeSourceDefinition(kind: Definition): Uint8Array {
  return toBinary(SourceTaskMessageSchema, create(SourceTaskMessageSchema, { kind }));
}

/** A lone surrogate would arrive as U+FFFD: another name than the one that was given. */
function wellFormed(what: string, text: string): void {
  if (Buffer.from(text).toString() !== text) throw new DataError(`a ${what} has a lone surrogate`);
}

function bounded(what: string, text: string, bytesMax: number): void {
  if (text.length * 3 <= bytesMax) return;
  const size = Buffer.byteLength(text);
  if (size > bytesMax) throw new DataError(`a ${what} has ${size} bytes; the limit is ${bytesMax}`);
}
