/** Why grpc-js ended a stream that it would not read on: a message too large, or packed in a way unknown. */
import { status } from "@grpc/grpc-js";
import type { ByteStream } from "./grpc-service.ts";

const refusals = new WeakMap<ByteStream, string>();

/** What it reaches for in grpc-js: the inner call, which sends the status of such a stream by itself. */
interface CallInsides {
  call?: { sendStatus?: (sent: { code: number; details?: string | null }) => void };
}

/** grpc-js tells the other side only, so this listens in. Without its insides the reason is unknown. */
export function noteRefusals(call: ByteStream): void {
  const inner = (call as unknown as CallInsides).call;
  const { sendStatus } = inner ?? {};
  if (inner === undefined || sendStatus === undefined) return;
  inner.sendStatus = (sent) => {
    if (reasons.has(sent.code) && !refusals.has(call)) {
      refusals.set(
        call,
        `the plugin broke the contract: ${sent.details ?? "an unreadable message"}`,
      );
    }
    sendStatus.call(inner, sent);
  };
}

const reasons = new Set<number>([status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED, status.INTERNAL]);

/** Undefined when the stream ended for another reason. */
export function refusalOf(call: ByteStream): string | undefined {
  return refusals.get(call);
}
