/**
 * The gRPC server that plugins dial: one per host, on a Unix socket in a folder nobody else can
 * enter. It checks tokens and tickets and hands the streams on; it knows nothing of what they carry.
 */
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { errorLine, TaskError } from "../base/error.ts";
import { decodeMessage } from "./decode-message.ts";
import {
  type Hello,
  PluginHost,
  PluginMessageSchema,
} from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { type SinkTaskHello, SinkTaskMessageSchema } from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import {
  type SourceTaskHello,
  SourceTaskMessageSchema,
} from "./gen/bulkhead/plugin/v1/source_pb.ts";
import { type StageHello, StageMessageSchema } from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import { type ByteStream, serviceDefinition } from "./grpc-service.ts";
import { limits } from "./limits.ts";
import { protocolError } from "./protocol-error.ts";
import { noteRefusals } from "./refused-message.ts";
import { makeSocketFolder, type SocketFolder } from "./socket-folder.ts";
import { WireSecrets } from "./wire-secrets.ts";

export interface GatewayOptions {
  messageBytesMax: number;
  windowBytes: number;
  /** How long a stream may stay open without saying who it is. */
  helloMsMax: number;
  /** What to say to a session without a valid token; sent before its end. */
  refuse: (call: ByteStream, hello: Hello) => void;
}

/** Called with the stream's first message; later ones come as its `data` events. */
export type AcceptSession = (call: ByteStream, hello: Hello) => void;
export type AcceptSource = (call: ByteStream, hello: SourceTaskHello) => void;
export type AcceptSink = (call: ByteStream, hello: SinkTaskHello) => void;
export type AcceptStage = (call: ByteStream, hello: StageHello) => void;

/** A secret that was handed out; void it when its time is over. */
export interface Expectation {
  readonly secret: string;
  readonly void: () => void;
}

/** Streams that have not said who they are. */
const strangersMax = 100;
/** The kernel's bound on a socket's path, without its closing zero. */
const socketPathBytesMax = 107;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #server: Server;
  readonly #folder: SocketFolder;
  readonly #sessions = new WireSecrets<AcceptSession>();
  readonly #sources = new WireSecrets<AcceptSource>();
  readonly #sinks = new WireSecrets<AcceptSink>();
  readonly #stages = new WireSecrets<AcceptStage>();
  #strangers = 0;

  private constructor(options: GatewayOptions, folder: SocketFolder) {
    this.#options = options;
    this.#folder = folder;
    this.#server = new Server({
      "grpc.max_receive_message_length": options.messageBytesMax + limits.frameBytes,
      "grpc.max_send_message_length": options.messageBytesMax + limits.frameBytes,
      "grpc-node.flow_control_window": options.windowBytes,
      "grpc.keepalive_permit_without_calls": 1,
    });
    this.#server.addService(serviceDefinition(PluginHost), {
      session: (call: ByteStream) => this.#meet(call, () => this.#session(call)),
      sourceTask: (call: ByteStream) => this.#meet(call, () => this.#sourceTask(call)),
      sinkTask: (call: ByteStream) => this.#meet(call, () => this.#sinkTask(call)),
      stage: (call: ByteStream) => this.#meet(call, () => this.#stage(call)),
    });
  }

  /** @throws TaskError when the socket cannot be made */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const folder = await makeSocketFolder();
    const gateway = new Gateway(options, folder);
    try {
      await gateway.#listen();
    } catch (error) {
      await folder.remove();
      throw error;
    }
    return gateway;
  }

  /** Where plugins dial, as gRPC names it. */
  get address(): string {
    return `unix:${this.#path}`;
  }

  get #path(): string {
    return this.#folder.socket;
  }

  /** The token for one launch. */
  expectSession(accept: AcceptSession): Expectation {
    const { secret, void: revoke } = this.#sessions.issue(accept);
    return { secret, void: revoke };
  }

  /** The token for any number of sessions, one after the other. */
  expectSessions(accept: AcceptSession): Expectation {
    const { secret, void: revoke } = this.#sessions.issue(accept, { isReusable: true });
    return { secret, void: revoke };
  }

  /** The ticket for one source task's stream. */
  expectSource(accept: AcceptSource): Expectation {
    const { secret, void: revoke } = this.#sources.issue(accept);
    return { secret, void: revoke };
  }

  /** The ticket for one sink task's stream. */
  expectSink(accept: AcceptSink): Expectation {
    const { secret, void: revoke } = this.#sinks.issue(accept);
    return { secret, void: revoke };
  }

  /** The ticket for one stage's stream. */
  expectStage(accept: AcceptStage): Expectation {
    const { secret, void: revoke } = this.#stages.issue(accept);
    return { secret, void: revoke };
  }

  /** Ends every stream and removes the socket and its folder. */
  async close(): Promise<void> {
    this.#server.forceShutdown();
    await this.#folder.remove();
  }

  #listen(): Promise<void> {
    const bytes = Buffer.byteLength(this.#path);
    if (bytes > socketPathBytesMax) {
      throw new TaskError(
        "plugin.launch_failed",
        `cannot listen for plugins on ${this.#path}: the path has ${bytes} bytes, a socket's may have ${socketPathBytesMax}`,
        { hint: "set TMPDIR to a folder with a shorter path" },
      );
    }
    this.#widenWindows();
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(this.address, ServerCredentials.createInsecure(), (cause) => {
        if (cause === null) resolve();
        else {
          const text = `cannot listen for plugins on ${this.#path}`;
          reject(new TaskError("plugin.launch_failed", text, { cause }));
        }
      });
    });
  }

  /**
   * grpc-js (as pinned) knows `flow_control_window` for clients only; a server would take 64 KiB at a
   * time from each stream. Its http2 options are reachable, not public: without them it is slower.
   */
  #widenWindows(): void {
    const { windowBytes } = this.#options;
    const inner = this.#server as unknown as Http2Insides;
    if (inner.commonServerOptions === undefined) return;
    inner.commonServerOptions.settings = { initialWindowSize: windowBytes };
    const setupHandlers = inner._setupHandlers;
    inner._setupHandlers = function (server, ...rest) {
      server.on("session", (session) => session.setLocalWindowSize(windowBytes));
      setupHandlers.call(this, server, ...rest);
    };
  }

  /** Waits for the first message of a stranger, not for ever and not of too many (I5). */
  #meet(call: ByteStream, expectFirst: () => (message: Buffer) => void): void {
    // A destroyed call may still report an error; nobody is left to tell.
    call.on("error", () => {});
    noteRefusals(call);
    if (this.#strangers >= strangersMax) {
      refuseCall(call, status.RESOURCE_EXHAUSTED, "too many streams have not said who they are");
      return;
    }
    const first = expectFirst();
    this.#strangers += 1;
    let met = false;
    const meet = () => {
      if (met) return;
      met = true;
      this.#strangers -= 1;
      clearTimeout(timer);
    };
    const timer = setTimeout(() => {
      meet();
      refuseCall(call, status.DEADLINE_EXCEEDED, "the first message did not come in time");
    }, this.#options.helloMsMax);
    call.once("cancelled", meet);
    call.once("end", meet);
    call.once("data", (message: Buffer) => {
      if (met) return;
      meet();
      try {
        first(message);
      } catch (error) {
        refuseCall(call, status.INVALID_ARGUMENT, errorLine(error));
      }
    });
  }

  #session(call: ByteStream): (message: Buffer) => void {
    return (message) => {
      const { kind } = decodeMessage(PluginMessageSchema, message);
      if (kind.case !== "hello") throw protocolError("a session began without Hello");
      const accept = this.#sessions.take(kind.value.token);
      if (accept === undefined) this.#options.refuse(call, kind.value);
      else accept(call, kind.value);
    };
  }

  #sourceTask(call: ByteStream): (message: Buffer) => void {
    return (message) => {
      const { kind } = decodeMessage(SourceTaskMessageSchema, message);
      if (kind.case !== "hello") throw protocolError("a source task began without its hello");
      const accept = this.#sources.take(kind.value.ticket);
      if (accept === undefined) refuseTicket(call, this.#sinks.take(kind.value.ticket) && "sink");
      else accept(call, kind.value);
    };
  }

  #sinkTask(call: ByteStream): (message: Buffer) => void {
    return (message) => {
      const { kind } = decodeMessage(SinkTaskMessageSchema, message);
      if (kind.case !== "hello") throw protocolError("a sink task began without its hello");
      const accept = this.#sinks.take(kind.value.ticket);
      if (accept === undefined)
        refuseTicket(call, this.#sources.take(kind.value.ticket) && "source");
      else accept(call, kind.value);
    };
  }

  #stage(call: ByteStream): (message: Buffer) => void {
    return (message) => {
      const { kind } = decodeMessage(StageMessageSchema, message);
      if (kind.case !== "hello") throw protocolError("a stage began without its hello");
      const accept = this.#stages.take(kind.value.ticket);
      if (accept === undefined) refuseTicket(call, undefined);
      else accept(call, kind.value);
    };
  }
}

/** What `#widenWindows` reaches for in grpc-js. */
interface Http2Insides {
  commonServerOptions?: { settings?: { initialWindowSize: number } };
  _setupHandlers(
    server: { on(event: "session", listener: (session: Session) => void): void },
    ...rest: unknown[]
  ): void;
}

interface Session {
  setLocalWindowSize(bytes: number): void;
}

/** `kind`: the ticket is good, for a task of this other kind. */
function refuseTicket(call: ByteStream, kind: "source" | "sink" | undefined): void {
  const why =
    kind === undefined
      ? "the ticket is unknown, used or too late"
      : `the ticket is for a ${kind} task, as plugin.json says of the class: correct its kind there`;
  refuseCall(call, status.PERMISSION_DENIED, why);
}

function refuseCall(call: ByteStream, code: number, details: string): void {
  call.emit("error", Object.assign(new Error(details), { code, details }));
}
