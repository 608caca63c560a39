import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Failure } from "../plugin/gen/bulkhead/plugin/v1/error_pb.ts";
import type { Admission } from "./host-end.ts";
import { StreamEnd } from "./stream-end.ts";

/** What both kinds of task streams have. */
export abstract class TaskEnd<In extends DescMessage, Out extends DescMessage> extends StreamEnd<
  In,
  Out
> {
  onHello: ((ticket: string) => void) | undefined;
  admitted: Admission | undefined;
  /** The ticket in its hello. */
  presented: string | undefined;
  readonly failures: Failure[] = [];
  /** When the initial metadata, and with it the yes to the ticket, went out. */
  acceptedAtMs: number | undefined;

  /** Tells the plugin that its ticket was good. */
  accept(): void {
    if (this.call.cancelled) return;
    this.acceptedAtMs = performance.now();
    this.call.sendMetadata(this.call.metadata.clone());
  }

  protected override onMessage(message: MessageShape<In>): void {
    const { kind } = message as unknown as { kind: { case?: string; value?: unknown } };
    if (kind.case === "failure") this.failures.push(kind.value as Failure);
    if (kind.case !== "hello") return;
    this.presented = (kind.value as { ticket: string }).ticket;
    this.onHello?.(this.presented);
  }
}
