import { parseHeader } from "../convert/header-parser.ts";
import type { ConnectRecord, Header } from "../record/connect-record.ts";
import { copyOfHeaders } from "./header-rules.ts";
import { nonNull, plainRequired } from "./plain-key.ts";
import type { StageSettings, Transform, TransformFactory } from "./transform.ts";

/** Adds the same header to each record, after those that are there. */
class InsertHeader implements Transform {
  readonly #header: Header;

  constructor(settings: StageSettings) {
    const parsed = parseHeader(settings.text("value.literal"), true) ?? {
      schema: null,
      value: null,
    };
    this.#header = { name: settings.text("header"), ...parsed };
  }

  apply(record: ConnectRecord): boolean {
    const headers = copyOfHeaders(record);
    headers.push(this.#header);
    record.headers = headers;
    return true;
  }
}

const keys = [
  plainRequired(
    {
      name: "header",
      type: "STRING",
      importance: "HIGH",
      documentation: "The name of the header.",
    },
    nonNull,
  ),
  plainRequired(
    {
      name: "value.literal",
      type: "STRING",
      importance: "HIGH",
      documentation:
        "The header's value; its type is guessed from the text as SimpleHeaderConverter does.",
    },
    nonNull,
  ),
];

/** `org.apache.kafka.connect.transforms.InsertHeader` */
export const insertHeader: TransformFactory = {
  className: "org.apache.kafka.connect.transforms.InsertHeader",
  touches: ["headers"],
  keys,
  create: (settings) => new InsertHeader(settings),
};
