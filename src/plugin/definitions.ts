/** What the ids of one stream and direction stand for, on either end. */
import { isJson } from "../base/json-text.ts";
import { type Definitions, type Form, nullForm } from "../record/columns.ts";
import { limits } from "./limits.ts";
import { protocolError } from "./protocol-error.ts";

type Kind = "topics" | "names" | "forms" | "partitions";

const bytesMax: Record<Kind, number> = {
  topics: limits.topicBytesMax,
  names: limits.nameBytesMax,
  forms: limits.schemaBytesMax,
  partitions: limits.partitionBytesMax,
};

interface Growing extends Definitions {
  topics: (string | undefined)[];
  names: (string | undefined)[];
  forms: (Form | undefined)[];
  partitions: (string | undefined)[];
}

function none(): Growing {
  return { topics: [], names: [], forms: [nullForm], partitions: [] };
}

/** The definitions a plugin sent. */
export class IncomingDefinitions {
  #current = none();
  #bytes = 0;

  /** Grows; a Forget replaces it, so a batch keeps the one it came with. */
  get current(): Definitions {
    return this.#current;
  }

  define(kind: "forms", id: number, meaning: Form): void;
  define(kind: Exclude<Kind, "forms">, id: number, meaning: string): void;
  define(kind: Kind, id: number, meaning: string | Form): void {
    const known: (string | Form | undefined)[] = this.#current[kind];
    if (id < 1 || id > limits.idMax) {
      throw protocolError(`${kind} were given the id ${id}; ids are 1 to ${limits.idMax}`);
    }
    if (known[id] !== undefined) throw protocolError(`${kind} were given the id ${id} twice`);
    const text = typeof meaning === "string" ? meaning : (meaning.schema ?? "");
    const bytes = Buffer.byteLength(text);
    if (bytes > bytesMax[kind]) {
      throw protocolError(
        `${kind} ${id} has ${bytes} bytes; at most ${bytesMax[kind]} are allowed`,
      );
    }
    this.#bytes += bytes;
    if (this.#bytes > limits.definitionBytesMax) {
      throw protocolError(`definitions have more than ${limits.definitionBytesMax} bytes together`);
    }
    // Once here, so that nobody has to look when an offset of it is committed.
    if (kind === "partitions" && !isJson(text)) {
      throw protocolError(`partition ${id} is not JSON: ${text.slice(0, 200)}`);
    }
    // Ids far apart would make a sparse array slow; a gap is filled so that it stays dense.
    while (known.length < id) known.push(undefined);
    known[id] = meaning;
  }

  forget(): void {
    this.#current = none();
    this.#bytes = 0;
  }
}

/** Gives out ids, and tells of each new one before it is used. */
export class OutgoingDefinitions {
  readonly #topics = new Map<string, number>();
  readonly #names = new Map<string, number>();
  readonly #forms = {
    bytes: new Map<string | null, number>(),
    text: new Map<string | null, number>(),
    json: new Map<string | null, number>(),
  };
  readonly #announce: Announce;
  #formCount = 0;
  #bytes = 0;

  constructor(announce: Announce) {
    this.#announce = announce;
  }

  topicId(topic: string): number {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const id = this.#take(this.#topics.size + 1, topic);
    if (id <= limits.idMax) {
      this.#topics.set(topic, id);
      this.#announce.topic(id, topic);
    }
    return id;
  }

  nameId(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const id = this.#take(this.#names.size + 1, name);
    if (id <= limits.idMax) {
      this.#names.set(name, id);
      this.#announce.name(id, name);
    }
    return id;
  }

  formId(form: Form): number {
    if (form === nullForm) return 0;
    const known = this.#forms[form.encoding].get(form.schema);
    if (known !== undefined) return known;
    const id = this.#take(this.#formCount + 1, form.schema ?? "");
    if (id <= limits.idMax) {
      this.#formCount = id;
      this.#forms[form.encoding].set(form.schema, id);
      this.#announce.form(id, form);
    }
    return id;
  }

  forget(): void {
    this.#topics.clear();
    this.#names.clear();
    for (const forms of Object.values(this.#forms)) forms.clear();
    this.#formCount = 0;
    this.#bytes = 0;
  }

  /** I5: beyond either bound the id is one past the last, which tells the caller to forget. */
  #take(id: number, text: string): number {
    const bytes = Buffer.byteLength(text);
    if (id > limits.idMax || this.#bytes + bytes > limits.definitionBytesMax)
      return limits.idMax + 1;
    this.#bytes += bytes;
    return id;
  }
}

/** How a new id reaches the other side. */
export interface Announce {
  topic(id: number, topic: string): void;
  name(id: number, name: string): void;
  form(id: number, form: Form): void;
}
