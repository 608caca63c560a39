import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
} from "@grpc/grpc-js";
import type { Launch } from "./launch.ts";

/** Messages go out and come in as bytes; who opens the stream knows their types. */
export type ByteStream = ClientDuplexStream<Uint8Array, Buffer>;

const service = "/bulkhead.plugin.v1.PluginHost/";
// What gRPC adds around a message that is just within the limit.
const slackBytes = 64 * 1024;

/** The connections to the host: one for the session and, where the host asks for it, others for tasks. */
export class Channel {
  readonly #launch: Launch;
  readonly #clients = new Map<string, Client>();

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  /** `address` empty = the session's own. */
  open(method: "Session" | "SourceTask" | "SinkTask" | "Stage", address = ""): ByteStream {
    return this.#client(address === "" ? this.#launch.address : address).makeBidiStreamRequest(
      service + method,
      (message: Uint8Array) => Buffer.from(message.buffer, message.byteOffset, message.length),
      (bytes: Buffer) => bytes,
      new Metadata(),
      {},
    );
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #client(address: string): Client {
    let client = this.#clients.get(address);
    if (client === undefined) {
      const { messageBytesMax, windowBytes } = this.#launch;
      client = new Client(address, this.#credentials(), {
        "grpc.max_receive_message_length": messageBytesMax + slackBytes,
        "grpc.max_send_message_length": messageBytesMax + slackBytes,
        "grpc.default_authority": this.#launch.tls?.serverName ?? "localhost",
        "grpc-node.flow_control_window": windowBytes,
        "grpc.enable_retries": 0,
        "grpc.service_config_disable_resolution": 1,
        "grpc.use_local_subchannel_pool": 1,
      });
      this.#clients.set(address, client);
    }
    return client;
  }

  #credentials(): ChannelCredentials {
    const tls = this.#launch.tls;
    if (tls === undefined) return credentials.createInsecure();
    const pem = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
    return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
  }
}
