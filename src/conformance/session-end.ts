import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Call as CallMessage,
  HostMessageSchema,
  PluginMessage,
  PluginMessageSchema,
  Reply,
  RequestSchema,
} from "../plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { StreamEnd } from "./stream-end.ts";

/** What can be asked of a plugin. */
export type RequestKind = NonNullable<MessageInitShape<typeof RequestSchema>["kind"]>;

/** The session of one plugin process. */
export class SessionEnd extends StreamEnd<typeof PluginMessageSchema, typeof HostMessageSchema> {
  onPluginMessage: ((message: PluginMessage) => void) | undefined;
  #lastId = 0n;

  /** Sends a request without waiting; the answer is its id. */
  ask(connector: string, kind: RequestKind, timeoutMs = 30_000): bigint {
    this.#lastId += 1n;
    const id = this.#lastId;
    const value = { id, timeoutMs: BigInt(timeoutMs), connector, kind };
    this.send({ case: "request", value });
    return id;
  }

  /** The final reply; undefined when none comes in time. */
  replyTo(id: bigint, withinMs: number): Promise<Reply | undefined> {
    return this.until(() => this.finalReplies(id)[0], withinMs);
  }

  async request(connector: string, kind: RequestKind, ms: number): Promise<Reply | undefined> {
    return await this.replyTo(this.ask(connector, kind, ms), ms);
  }

  finalReplies(id: bigint): Reply[] {
    return this.of("reply").filter((reply) => reply.id === id && !reply.more);
  }

  /** All parts of one reply, the final one last. */
  partsOf(id: bigint): Reply[] {
    return this.of("reply").filter((reply) => reply.id === id);
  }

  get calls(): CallMessage[] {
    return this.of("call");
  }

  protected override onMessage(message: PluginMessage): void {
    this.onPluginMessage?.(message);
  }
}
