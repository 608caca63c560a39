import { unlessAborted } from "../../base/deadline.ts";
import { RetriableError } from "../../base/error.ts";
import type { CallOptions, Connections, Transport } from "../calls.ts";
import type { Api } from "../protocol/api.ts";

/** Calls to the broker that keeps a group, wherever that is. */
export class GroupCaller {
  readonly groupId: string;
  readonly #transport: Transport;
  #node: number | undefined;

  constructor(transport: Transport, groupId: string) {
    this.#transport = transport;
    this.groupId = groupId;
  }

  /** @throws as `Connections.call` and `ClusterMap.coordinator`; a broker that failed is looked up anew */
  async call<Request, Response>(
    connections: Connections,
    api: Api<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const { signal } = options;
    const found = this.#transport.map.coordinator(this.#key);
    const node = await (signal === undefined ? found : unlessAborted(found, signal));
    this.#node = node;
    try {
      return await connections.call({ at: "node", node }, api, request, options);
    } catch (error) {
      if (error instanceof RetriableError) this.forget();
      throw error;
    }
  }

  /** After an answer that says it is another's. */
  forget(): void {
    this.#transport.map.forgetCoordinator(this.#key);
  }

  /** `group orders at 127.0.0.1:9092`, for messages. */
  describe(connections: Connections): string {
    const at = this.#node === undefined ? "" : ` at ${connections.addressOf(this.#node)}`;
    return `group ${this.groupId}${at}`;
  }

  get #key() {
    return { kind: "group", id: this.groupId } as const;
  }
}
