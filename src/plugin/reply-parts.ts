import type { Reply } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { protocolError } from "./protocol-error.ts";

/** I5: a reply may come in so many parts. */
const partsMax = 1_000;

/** Collects the parts of a long reply; the last one answers with all of them joined. */
export function joinReply(parts: Reply[], part: Reply): Reply | "more" {
  if (part.more) {
    if (parts.length >= partsMax) throw protocolError(`a reply has more than ${partsMax} parts`);
    parts.push(part);
    return "more";
  }
  // A failure at the end makes what came before it worthless.
  if (parts.length === 0 || part.kind.case === "failure") return part;
  return [...parts, part].reduce(joined);
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
