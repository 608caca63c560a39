import type { ConnectRecord, Header } from "../record/connect-record.ts";
import { nonEmptyList, plainRequired } from "./plain-key.ts";
import type { StageSettings, Transform, TransformFactory } from "./transform.ts";

/** Takes away all headers of some names. */
class DropHeaders implements Transform {
  readonly #names: ReadonlySet<string>;

  constructor(settings: StageSettings) {
    this.#names = new Set(settings.list("headers"));
  }

  apply(record: ConnectRecord): boolean {
    const { headers } = record;
    for (const { name } of headers) {
      if (!this.#names.has(name)) continue;
      record.headers = this.#kept(headers);
      return true;
    }
    return true;
  }

  #kept(headers: readonly Header[]): Header[] {
    return headers.filter(({ name }) => !this.#names.has(name));
  }
}

const keys = [
  plainRequired(
    {
      name: "headers",
      type: "LIST",
      importance: "HIGH",
      documentation: "The names of the headers to take away.",
    },
    nonEmptyList,
  ),
];

/** `org.apache.kafka.connect.transforms.DropHeaders` */
export const dropHeaders: TransformFactory = {
  className: "org.apache.kafka.connect.transforms.DropHeaders",
  touches: ["headers"],
  keys,
  create: (settings) => new DropHeaders(settings),
};
