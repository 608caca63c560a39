import type { Reply } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { protocolError } from "./protocol-error.ts";

/** I5: a reply may come in so many parts, with so many bytes on the wire together. */
const partsMax = 1_000;
const bytesMax = 64 * 1_024 * 1_024;

/** Collects the parts of a long reply. */
export class ReplyParts {
  readonly #parts: Reply[] = [];
  #bytes = 0;

  /**
   * The last part answers with all of them joined.
   * @throws TaskError `plugin.protocol_error` when they do not fit together, or are too much
   */
  join(part: Reply, bytes: number): Reply | "more" {
    this.#bytes += bytes;
    // A message's own bound is enough for a reply in one part.
    if (this.#parts.length > 0 && this.#bytes > bytesMax) {
      throw protocolError(`a reply has more than ${bytesMax} bytes`);
    }
    if (part.more) {
      if (this.#parts.length >= partsMax) {
        throw protocolError(`a reply has more than ${partsMax} parts`);
      }
      this.#parts.push(part);
      return "more";
    }
    // A failure at the end makes what came before it worthless.
    if (this.#parts.length === 0 || part.kind.case === "failure") return part;
    return [...this.#parts, part].reduce(joined);
  }
}

function joined(before: Reply, after: Reply): Reply {
  const a = before.kind;
  const b = after.kind;
  if (a.case === "taskConfigs" && b.case === "taskConfigs") {
    a.value.configs.push(...b.value.configs);
    if (b.value.taskClass !== "") a.value.taskClass = b.value.taskClass;
  } else if (a.case === "validate" && b.case === "validate") {
    a.value.values.push(...b.value.values);
    a.value.groups.push(...b.value.groups);
    a.value.warnings.push(...b.value.warnings);
    if (b.value.failure !== undefined) a.value.failure = b.value.failure;
  } else if (a.case === "describe" && b.case === "describe") {
    a.value.classes.push(...b.value.classes);
  } else {
    throw protocolError(`a reply has a part of kind ${b.case} after one of kind ${a.case}`);
  }
  return before;
}
