import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { Changes } from "./changes.ts";

/** One call as the gRPC server has it, with messages as bytes. */
export type Call = ServerDuplexStream<Buffer, Buffer>;

type Kinded = { kind: { case: string | undefined; value?: unknown } };

/** The names of a message's `kind`. */
export type CaseOf<M extends Kinded> = Exclude<M["kind"]["case"], undefined>;
/** What stands under one of them. */
export type ValueOf<M extends Kinded, C> =
  Extract<M["kind"], { case: C }> extends { value: infer V } ? V : never;
/** What can be sent under a message's `kind`. */
export type KindToSend<D extends DescMessage> =
  MessageInitShape<D> extends infer I
    ? I extends { kind?: infer K }
      ? Exclude<K, undefined | { case?: undefined }>
      : never
    : never;

/** The host's end of one stream: everything that came, in order, and a way to answer. */
export class StreamEnd<
  In extends DescMessage,
  Out extends DescMessage,
  M extends MessageShape<In> & Kinded = MessageShape<In> & Kinded,
> {
  /** In the order they came. I5: bounded by the credit and the length of a case. */
  readonly messages: M[] = [];
  /** When each came, beside `messages`. */
  readonly cameAtMs: number[] = [];
  /** How the plugin's side ended; undefined = it is open. */
  ended: "half-closed" | "broken" | undefined;
  endedAtMs = 0;
  protected readonly call: Call;
  protected readonly changes: Changes;
  readonly #out: Out;

  constructor(call: Call, changes: Changes, into: In, out: Out) {
    this.call = call;
    this.changes = changes;
    this.#out = out;
    call.on("data", (bytes: Buffer) => {
      this.#came(fromBinary(into, bytes) as M, bytes);
    });
    call.on("end", () => this.#end("half-closed"));
    call.on("cancelled", () => this.#end("broken"));
    call.on("error", () => this.#end("broken"));
  }

  send(kind: KindToSend<Out>): void {
    this.sendBytes(toBinary(this.#out as DescMessage, create(this.#out, { kind } as never)));
  }

  sendBytes(bytes: Uint8Array): void {
    if (!this.call.cancelled && !this.call.destroyed) this.call.write(Buffer.from(bytes));
  }

  /** Ends the host's side. */
  end(): void {
    this.call.end();
  }

  refuse(details: string): void {
    this.call.emit("error", { code: status.PERMISSION_DENIED, details });
  }

  /** All of one kind so far. */
  of<C extends CaseOf<M>>(name: C): ValueOf<M, C>[] {
    const found: ValueOf<M, C>[] = [];
    for (const { kind } of this.messages) {
      if (kind.case === name) found.push(kind.value as ValueOf<M, C>);
    }
    return found;
  }

  /** True once a message of that kind has come. */
  has(name: string): true | undefined {
    return this.messages.some(({ kind }) => kind.case === name) || undefined;
  }

  /** How many messages of that kind came. */
  count(name: string): number {
    return this.messages.filter(({ kind }) => kind.case === name).length;
  }

  /** The kinds that came, in order, for a person. */
  get story(): string {
    return this.messages.map(({ kind }) => kind.case ?? "unknown").join(", ") || "nothing";
  }

  /** The first of a kind; undefined when it does not come in time, or the stream ends without. */
  first<C extends CaseOf<M>>(name: C, withinMs: number): Promise<ValueOf<M, C> | undefined> {
    return this.until(() => this.of(name)[0], withinMs);
  }

  /** As `Changes.until`; gives up when the stream has ended. */
  until<T>(look: () => T | undefined, withinMs: number): Promise<T | undefined> {
    return this.changes.until(look, withinMs, () => this.ended !== undefined);
  }

  /** For what a kind of stream keeps account of. */
  protected onMessage(_message: M, _bytes: Buffer): void {}

  protected onHalfClose(): void {
    // The host has nothing to add once the plugin is done.
    this.call.end();
  }

  #came(message: M, bytes: Buffer): void {
    this.messages.push(message);
    this.cameAtMs.push(performance.now());
    this.onMessage(message, bytes);
    this.changes.notify();
  }

  #end(how: "half-closed" | "broken"): void {
    if (this.ended !== undefined) return;
    this.ended = how;
    this.endedAtMs = performance.now();
    if (how === "half-closed") this.onHalfClose();
    this.changes.notify();
  }
}
