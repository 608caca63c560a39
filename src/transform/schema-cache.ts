/** What was made of a schema, by the schema: equal schemas give the identical one (Connect's LRUCache). */
import { LruMap } from "../convert/lru-map.ts";
import { plainStyle } from "../record/canonical-json.ts";
import type { Schema } from "../record/schema.ts";
import { writeSchemaText } from "../record/schema-text.ts";

/** As many as Connect keeps. */
const schemasMax = 16;

/** Asked with the same object it compares nothing. */
export class SchemaCache<T> {
  readonly #made = new LruMap<string, T>(schemasMax);
  #lastSchema: Schema | undefined;
  #last: T | undefined;

  get(schema: Schema, make: (schema: Schema) => T): T {
    if (schema === this.#lastSchema) return this.#last as T;
    const text = writeSchemaText(schema, plainStyle);
    let made = this.#made.get(text);
    if (made === undefined) {
      made = make(schema);
      this.#made.set(text, made);
    }
    this.#lastSchema = schema;
    this.#last = made;
    return made;
  }
}
