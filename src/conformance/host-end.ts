import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  type AnswerSchema,
  type Call as CallMessage,
  HostMessageSchema,
  type LogLevel,
  type PluginMessage,
  PluginMessageSchema,
  WelcomeSchema,
} from "../plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import type { Changes } from "./changes.ts";
import { ConnectionGate } from "./connection-gate.ts";
import { canonicalJson } from "./json-text.ts";
import { SessionEnd } from "./session-end.ts";
import { SinkEnd } from "./sink-end.ts";
import { SourceEnd } from "./source-end.ts";
import { StageEnd } from "./stage-end.ts";
import type { Call } from "./stream-end.ts";
import { lengthField } from "./wire-bytes.ts";

/** Of every process, unless a case says otherwise; `Running.quiet` looks for them. */
export const heartbeatMsDefault = 200;

/** How this host behaves where it may choose. */
export interface HostScript {
  /** What a hello is answered with. */
  readonly onHello?: "welcome" | "reject" | "nothing";
  readonly heartbeatMs?: number;
  readonly logLevels?: readonly { readonly logger: string; readonly level: LogLevel }[];
  readonly capabilities?: readonly string[];
  /** Bytes behind the fields of Welcome, as a newer host would send. */
  readonly welcomeTail?: Uint8Array;
  /** Members of the launch line, over the usual ones. */
  readonly launch?: Readonly<Record<string, unknown>>;
  /** What a call is answered with, when it is not to be served as usual. */
  readonly onCall?: (call: CallMessage, answer: () => void) => void;
}

type TicketStream = SourceEnd | SinkEnd | StageEnd;

/** A ticket that was given out. */
export interface Ticket {
  readonly text: string;
  /** The stream that presented it. */
  stream: SourceEnd | SinkEnd | undefined;
  /** The same, of a stage. */
  stage: StageEnd | undefined;
}

/** What becomes of a stream that presents a ticket. */
export type Admission = "at-once" | "held" | "refused";

/** The limit that the kit names in its launch line. */
export const messageBytesMax = 4 * 1024 * 1024;
// Room for what gRPC and protobuf add, and for a plugin that breaks the limit and shall be told so.
const receiveBytesMax = 64 * 1024 * 1024;
// A plugin that waits for metadata before its hello breaks one rule and gets on with the others.
const helloPatienceMs = 600;

/** A host made only of the wire: it serves one plugin process, notes all and judges nothing. */
export class HostEnd {
  readonly token = randomBytes(32).toString("hex");
  /** Session streams in the order they were opened; a plugin has one. */
  readonly sessions: SessionEnd[] = [];
  /** What ReadOffsets answers: canonical partition text to offset text. */
  readonly offsets = new Map<string, string>();
  readonly tickets: Ticket[] = [];
  readonly #admissions = new Map<string, Admission>();
  readonly #server = new Server({ "grpc.max_receive_message_length": receiveBytesMax });
  readonly #folder: string;
  readonly #script: HostScript;
  readonly #changes: Changes;
  #gate: ConnectionGate | undefined;

  private constructor(folder: string, script: HostScript, changes: Changes) {
    this.#folder = folder;
    this.#script = script;
    this.#changes = changes;
  }

  /** `folder` has to exist and be short: socket paths end at 107 characters. */
  static async open(folder: string, script: HostScript, changes: Changes): Promise<HostEnd> {
    const host = new HostEnd(folder, script, changes);
    host.#serve();
    const inner = join(folder, "i");
    await new Promise<void>((resolve, reject) => {
      host.#server.bindAsync(`unix:${inner}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    host.#gate = await ConnectionGate.open(join(folder, "h"), inner);
    return host;
  }

  get launchLine(): string {
    return JSON.stringify({
      protocol: 1,
      address: `unix:${join(this.#folder, "h")}`,
      token: this.token,
      max_message_bytes: messageBytesMax,
      window_bytes: 4 * 1024 * 1024,
      ...this.#script.launch,
    });
  }

  /** A new ticket for StartTask. */
  ticket(admission: Admission): Ticket {
    const ticket: Ticket = {
      text: randomBytes(32).toString("hex"),
      stream: undefined,
      stage: undefined,
    };
    this.tickets.push(ticket);
    this.#admissions.set(ticket.text, admission);
    return ticket;
  }

  /** As a host that is gone: connections end without a word. It would take new ones. */
  cutConnections(): void {
    this.#gate?.cut();
  }

  answer(session: SessionEnd, call: CallMessage): void {
    const answer: MessageInitShape<typeof AnswerSchema> = { id: call.id };
    if (call.kind.case === "readOffsets") {
      const offsets = call.kind.value.partitions.map((partition) => {
        const offset = this.offsets.get(canonicalJson(partition));
        return offset === undefined ? {} : { offset };
      });
      answer.kind = { case: "readOffsets", value: { offsets } };
    } else answer.kind = { case: "refreshConfig", value: {} };
    session.send({ case: "answer", value: answer });
  }

  close(): void {
    this.#gate?.close();
    this.#server.forceShutdown();
  }

  #serve(): void {
    const asIs = (bytes: Buffer) => bytes;
    const method = (name: string) => ({
      path: `/bulkhead.plugin.v1.PluginHost/${name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    });
    const methods = { Session: method("Session") };
    const tasks = {
      SourceTask: method("SourceTask"),
      SinkTask: method("SinkTask"),
      Stage: method("Stage"),
    };
    this.#server.addService(
      { ...methods, ...tasks },
      {
        Session: (call: Call) => this.#onSession(call),
        SourceTask: (call: Call) => this.#onTask(call, new SourceEnd(call, this.#changes)),
        SinkTask: (call: Call) => this.#onTask(call, new SinkEnd(call, this.#changes)),
        Stage: (call: Call) => this.#onTask(call, new StageEnd(call, this.#changes)),
      },
    );
  }

  #onSession(call: Call): void {
    const session = new SessionEnd(call, this.#changes, PluginMessageSchema, HostMessageSchema);
    session.onPluginMessage = (message) => this.#onMessage(session, message);
    this.sessions.push(session);
    this.#changes.notify();
  }

  #onMessage(session: SessionEnd, { kind }: PluginMessage): void {
    if (kind.case === "call") {
      const call = kind.value;
      if (this.#script.onCall === undefined) this.answer(session, call);
      else this.#script.onCall(call, () => this.answer(session, call));
    }
    if (kind.case !== "hello") return;
    const onHello = this.#script.onHello ?? "welcome";
    if (onHello === "welcome") session.sendBytes(this.#welcome());
    if (onHello === "reject") {
      const text = "this host takes no plugin today";
      const value = { code: "conformance", text, protocolMin: 1, protocolMax: 1 };
      session.send({ case: "reject", value });
      session.end();
    }
  }

  #welcome(): Uint8Array {
    const value = {
      protocol: 1,
      capabilities: [...(this.#script.capabilities ?? [])],
      heartbeatIntervalMs: BigInt(this.#script.heartbeatMs ?? heartbeatMsDefault),
      logLevels: [...(this.#script.logLevels ?? [])],
      hostName: "bulkhead check",
      hostVersion: "1",
    };
    const welcome = toBinary(WelcomeSchema, create(WelcomeSchema, value));
    const tail = this.#script.welcomeTail ?? new Uint8Array();
    // Field 1 of HostMessage.
    return lengthField(1, Buffer.concat([welcome, tail]));
  }

  #onTask(call: Call, stream: TicketStream): void {
    const late = setTimeout(() => this.#admit(stream, undefined), helloPatienceMs);
    call.once("close", () => clearTimeout(late));
    stream.onHello = (text) => {
      clearTimeout(late);
      this.#admit(stream, text);
    };
  }

  /** Undefined: it has not said hello yet. */
  #admit(stream: TicketStream, text: string | undefined): void {
    const waiting = this.tickets.filter((one) => (one.stream ?? one.stage) === undefined);
    // A wrong ticket is one clause's business; with a single task there is no doubt which is meant.
    const ticket = waiting.find((one) => one.text === text) ?? waiting[0];
    if (stream.admitted !== undefined) return;
    if (ticket === undefined) {
      stream.refuse("unknown ticket");
      return;
    }
    const admission = this.#admissions.get(ticket.text) ?? "refused";
    stream.admitted = admission;
    if (stream instanceof StageEnd) ticket.stage = stream;
    else ticket.stream = stream;
    if (admission === "at-once") stream.accept();
    if (admission === "refused") stream.refuse("unknown ticket");
    this.#changes.notify();
  }
}
