/** What a plugin asks of the host or tells it of its own accord. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { errorLine } from "../base/error.ts";
import { failureOrUnnamed } from "./from-proto.ts";
import { FailureClass, FailureCode } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import type { AnswerSchema, Call, Event } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { limits } from "./limits.ts";
import type { PluginCalls } from "./plugin.ts";

export interface CallParts {
  calls: PluginCalls;
  /** Does this connector live in the process? Others are none of its business. */
  owns: (connector: string) => boolean;
  messageBytesMax: number;
}

type AnswerInit = MessageInitShape<typeof AnswerSchema>;

/** I5 */
const refusalCharsMax = 1_000;

/** Sends exactly one final answer, in parts where it is long; the next part waits for `reply`. */
export async function answerCall(
  call: Call,
  parts: CallParts,
  reply: (answer: AnswerInit) => Promise<void>,
): Promise<void> {
  const { id } = call;
  const refuse = (code: FailureCode, why: string) => {
    // It may name what the plugin sent, and has to fit into a message.
    const text = why.slice(0, refusalCharsMax);
    const value = { code, failureClass: FailureClass.FATAL, text };
    return reply({ id, kind: { case: "failure", value } });
  };
  const { kind } = call;
  if (kind.case !== "readOffsets") {
    return refuse(FailureCode.UNSUPPORTED, `this host does not serve ${kind.case ?? "this call"}`);
  }
  if (!parts.owns(call.connector)) {
    return refuse(FailureCode.INTERNAL, `connector ${call.connector} does not run in this process`);
  }
  const { partitions } = kind.value;
  if (partitions.length > limits.callPartitionsMax) {
    return refuse(
      FailureCode.INTERNAL,
      `${partitions.length} partitions were asked for; at most ${limits.callPartitionsMax} at once`,
    );
  }
  try {
    const offsets = await parts.calls.readOffsets(call.connector, partitions);
    for (const answer of inParts(id, offsets, parts.messageBytesMax)) await reply(answer);
  } catch (error) {
    await refuse(FailureCode.UNAVAILABLE, errorLine(error));
  }
}

function* inParts(
  id: bigint,
  offsets: readonly (string | null)[],
  bytesMax: number,
): Generator<AnswerInit> {
  let part: { offset?: string }[] = [];
  let bytes = 0;
  for (const offset of offsets) {
    const size = Buffer.byteLength(offset ?? "") + 16;
    if (part.length > 0 && bytes + size > bytesMax) {
      yield { id, more: true, kind: { case: "readOffsets", value: { offsets: part } } };
      part = [];
      bytes = 0;
    }
    part.push(offset === null ? {} : { offset });
    bytes += size;
  }
  yield { id, kind: { case: "readOffsets", value: { offsets: part } } };
}

/** An event about a connector that lives elsewhere is dropped. */
export function takeEvent(event: Event, { calls, owns }: CallParts): void {
  if (!owns(event.connector)) return;
  const { kind } = event;
  if (kind.case === "requestTaskReconfiguration") {
    calls.requestTaskReconfiguration(event.connector);
  } else if (kind.case === "raiseError") {
    calls.raiseError(event.connector, failureOrUnnamed(kind.value.failure));
  }
}
