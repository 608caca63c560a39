/** An honest host's end of the protocol, as small as it gets: a gRPC server on a Unix socket. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  OpenStageRequestSchema,
  StartTaskRequestSchema,
} from "../src/gen/bulkhead/plugin/v1/connector_pb.ts";
import {
  type Hello,
  HostMessageSchema,
  PluginMessageSchema,
  type Reply,
} from "../src/gen/bulkhead/plugin/v1/session_pb.ts";
import {
  HostSinkMessageSchema,
  SinkTaskMessageSchema,
} from "../src/gen/bulkhead/plugin/v1/sink_pb.ts";
import {
  HostSourceMessageSchema,
  SourceTaskMessageSchema,
} from "../src/gen/bulkhead/plugin/v1/source_pb.ts";
import {
  HostStageMessageSchema,
  StageMessageSchema,
} from "../src/gen/bulkhead/plugin/v1/stage_pb.ts";
import { parseLaunch } from "../src/launch.ts";
import type { PluginClass } from "../src/plugin.ts";
import { Session } from "../src/session.ts";
import { Inbox, inTime } from "./inbox.ts";

type Duplex = ServerDuplexStream<Buffer, Buffer>;

type KindOf<D extends DescMessage> =
  MessageInitShape<D> extends infer I
    ? I extends { kind?: infer K }
      ? Exclude<K, undefined | { case?: undefined }>
      : never
    : never;

/** One stream: what the plugin sent, and a way to answer. */
export class StreamEnd<In extends DescMessage, Out extends DescMessage> {
  readonly inbox: Inbox<MessageShape<In> & { kind: { case: string | undefined } }>;
  readonly #call: Duplex;
  readonly #out: Out;

  constructor(
    call: Duplex,
    into: In,
    out: Out,
    onMessage?: (message: MessageShape<In>) => boolean,
  ) {
    this.inbox = new Inbox();
    this.#call = call;
    this.#out = out;
    call.on("data", (bytes: Buffer) => {
      const message = fromBinary(into, bytes);
      if (onMessage?.(message) !== true) this.inbox.push(message as never);
    });
    call.on("end", () => this.inbox.close("half-closed"));
    call.on("cancelled", () => this.inbox.close("cancelled"));
    call.on("error", (error) => this.inbox.close(error.message));
  }

  send(kind: KindOf<Out>): void {
    const message = create(this.#out as DescMessage, { kind } as never);
    this.#call.write(Buffer.from(toBinary(this.#out as DescMessage, message)));
  }

  end(): void {
    this.#call.end();
  }

  /** As a host does that gives up on one task. */
  breakOff(): void {
    this.#call.emit("error", { code: status.ABORTED, details: "the task was given up" });
  }
}

export type SessionStream = StreamEnd<typeof PluginMessageSchema, typeof HostMessageSchema>;
export type SourceEnd = StreamEnd<typeof SourceTaskMessageSchema, typeof HostSourceMessageSchema>;
export type SinkEnd = StreamEnd<typeof SinkTaskMessageSchema, typeof HostSinkMessageSchema>;
export type StageEnd = StreamEnd<typeof StageMessageSchema, typeof HostStageMessageSchema>;
type AnyEnd = SourceEnd | SinkEnd | StageEnd;
type RequestKind = NonNullable<
  Extract<NonNullable<MessageInitShape<typeof HostMessageSchema>["kind"]>, { case: "request" }>
>["value"]["kind"];
type OpenStage = MessageInitShape<typeof OpenStageRequestSchema>;
type StartTask = MessageInitShape<typeof StartTaskRequestSchema>;

export class HostEnd {
  readonly messageBytesMax: number;
  /** What ReadOffsets answers, by partition text. */
  readonly offsets = new Map<string, string>();
  readonly token = randomBytes(32).toString("hex");
  readonly #folder = mkdtempSync(join(tmpdir(), "bulkhead-sdk-"));
  readonly #server = new Server({ "grpc.max_receive_message_length": 64 * 1024 * 1024 });
  readonly #tickets = new Map<string, (stream: AnyEnd) => void>();
  readonly #sessions: Session[] = [];
  readonly #children: ReturnType<typeof spawn>[] = [];
  #session!: SessionStream;
  #accepted!: Promise<Hello>;
  #lastRequest = 0n;

  private constructor(messageBytesMax: number) {
    this.messageBytesMax = messageBytesMax;
  }

  static async listen(
    options: {
      messageBytesMax?: number;
      heartbeatMs?: number;
      reject?: boolean;
      /** Sees what plugins send as it comes; `stream` is the method's name. */
      heard?: (stream: string, message: Buffer) => void;
    } = {},
  ): Promise<HostEnd> {
    const host = new HostEnd(options.messageBytesMax ?? 4 * 1024 * 1024);
    host.#serve(options.heartbeatMs ?? 50, options.reject === true, options.heard);
    await new Promise<void>((resolve, reject) => {
      host.#server.bindAsync(host.#address, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    return host;
  }

  get session(): SessionStream {
    return this.#session;
  }

  get launchLine(): string {
    return JSON.stringify({
      protocol: 1,
      address: this.#address,
      token: this.token,
      max_message_bytes: this.messageBytesMax,
      window_bytes: 4 * 1024 * 1024,
    });
  }

  /** Runs the classes in this process. */
  attach(classes: readonly PluginClass[]): Session {
    const plugin = { name: "test", version: "1.2.3", classes };
    const session = new Session(plugin, parseLaunch(this.launchLine));
    this.#sessions.push(session);
    return session;
  }

  /** Runs a program as the host does. */
  spawn(command: readonly string[], options: { cwd?: string } = {}): ReturnType<typeof spawn> {
    const [program = "", ...args] = command;
    const child = spawn(program, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    child.stdin?.on("error", () => {});
    child.stdin?.write(`${this.launchLine}\n`);
    this.#children.push(child);
    return child;
  }

  /** Resolves with the plugin's hello, which was welcomed. */
  accepted(): Promise<Hello> {
    return inTime(this.#accepted, "hello");
  }

  /** The final reply. */
  async request(connector: string, kind: RequestKind): Promise<Reply> {
    await this.accepted();
    const id = this.sendRequest(connector, kind);
    for (;;) {
      const reply = await this.#session.inbox.next("reply");
      if (reply.id === id) return reply;
    }
  }

  sendRequest(connector: string, kind: RequestKind): bigint {
    this.#lastRequest += 1n;
    const id = this.#lastRequest;
    const value = { id, timeoutMs: 10_000n, connector, kind };
    this.#session.send({ case: "request", value } as never);
    return id;
  }

  async startSource(connector: string, start: StartTask): Promise<SourceEnd> {
    return (await this.#start(connector, "startTask", start)) as SourceEnd;
  }

  async startSink(connector: string, start: StartTask): Promise<SinkEnd> {
    return (await this.#start(connector, "startTask", start)) as SinkEnd;
  }

  async openStage(connector: string, stage: OpenStage): Promise<StageEnd> {
    return (await this.#start(connector, "openStage", stage)) as StageEnd;
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.end({ expected: true, reason: "test over" });
    for (const child of this.#children) child.kill("SIGKILL");
    this.#server.forceShutdown();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #address(): string {
    return `unix:${join(this.#folder, "host.sock")}`;
  }

  async #start(
    connector: string,
    asks: "startTask" | "openStage",
    start: StartTask | OpenStage,
  ): Promise<AnyEnd> {
    const ticket = randomBytes(32).toString("hex");
    const stream = new Promise<AnyEnd>((resolve) => {
      this.#tickets.set(ticket, resolve);
    });
    const kind = { case: asks, value: { ...start, ticket } } as RequestKind;
    const reply = await this.request(connector, kind);
    if (reply.kind.case !== asks) throw new Error(`no stream: ${JSON.stringify(reply.kind)}`);
    return await inTime(stream, "stream of a task or stage");
  }

  #serve(
    heartbeatMs: number,
    reject: boolean,
    heard: (stream: string, message: Buffer) => void = () => {},
  ): void {
    let accept!: (hello: Hello) => void;
    this.#accepted = new Promise((resolve) => {
      accept = resolve;
    });
    const pass = (bytes: Buffer) => bytes;
    const method = (name: string) => ({
      path: `/bulkhead.plugin.v1.PluginHost/${name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: pass,
      requestDeserialize: (bytes: Buffer) => {
        heard(name, bytes);
        return bytes;
      },
      responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
      responseDeserialize: pass,
    });
    this.#server.addService(
      {
        Session: method("Session"),
        SourceTask: method("SourceTask"),
        SinkTask: method("SinkTask"),
        Stage: method("Stage"),
      },
      {
        Session: (call: Duplex) => {
          this.#session = new StreamEnd(call, PluginMessageSchema, HostMessageSchema, (message) => {
            if (message.kind.case === "call") this.#answer(message.kind.value);
            if (message.kind.case !== "hello") return message.kind.case === "call";
            if (reject || message.kind.value.token !== this.token) {
              const value = {
                code: "token",
                text: "unknown token",
                protocolMin: 1,
                protocolMax: 1,
              };
              this.#session.send({ case: "reject", value });
              call.end();
              return true;
            }
            const capabilities = ["stages"];
            const value = { protocol: 1, capabilities, heartbeatIntervalMs: BigInt(heartbeatMs) };
            this.#session.send({ case: "welcome", value });
            accept(message.kind.value);
            return true;
          });
        },
        SourceTask: (call: Duplex) => {
          const end: SourceEnd = new StreamEnd(
            call,
            SourceTaskMessageSchema,
            HostSourceMessageSchema,
            ({ kind }) => kind.case === "hello" && this.#admit(call, kind.value.ticket, end),
          );
        },
        SinkTask: (call: Duplex) => {
          const end: SinkEnd = new StreamEnd(
            call,
            SinkTaskMessageSchema,
            HostSinkMessageSchema,
            ({ kind }) => kind.case === "hello" && this.#admit(call, kind.value.ticket, end),
          );
        },
        Stage: (call: Duplex) => {
          const end: StageEnd = new StreamEnd(
            call,
            StageMessageSchema,
            HostStageMessageSchema,
            ({ kind }) => kind.case === "hello" && this.#admit(call, kind.value.ticket, end),
          );
        },
      },
    );
  }

  #admit(call: Duplex, ticket: string, end: AnyEnd): boolean {
    const take = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (take === undefined) {
      call.emit("error", { code: status.PERMISSION_DENIED, details: "unknown ticket" });
      return true;
    }
    call.sendMetadata(call.metadata.clone());
    take(end);
    return true;
  }

  #answer(call: { id: bigint; kind: { case: string | undefined; value?: unknown } }): void {
    const { partitions } = call.kind.value as { partitions: string[] };
    const offsets = partitions.map((one) => {
      const offset = this.offsets.get(one);
      return offset === undefined ? {} : { offset };
    });
    const kind = { case: "readOffsets", value: { offsets } } as const;
    this.#session.send({ case: "answer", value: { id: call.id, kind } });
  }
}
