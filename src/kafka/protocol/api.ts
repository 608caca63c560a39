/** One API of Kafka's protocol as this driver speaks it: a file of `protocol/` each. */
import type { WireReader } from "./wire-reader.ts";
import type { WireWriter } from "./wire-writer.ts";

export interface Api<Request, Response> {
  /** Its number on the wire. */
  readonly key: number;
  /** As Kafka spells it; for messages. */
  readonly name: string;
  /** What we can write and read; the highest of them that the broker knows is used. */
  readonly versions: { readonly min: number; readonly max: number };
  /**
   * From this version on the bytes are flexible (KIP-482): compact lengths and tagged fields. Left out:
   * none of ours is. The headers' own tags are the connection's business.
   */
  readonly flexibleFrom?: number;
  /**
   * Where its answers say for how long a broker wants to hear nothing more, from the version on in which
   * that is ours to keep (KIP-219; before it brokers answer later instead). `at`: byte of the body;
   * below 0 from its end.
   */
  readonly throttle?: { readonly from: number; readonly at: number };
  write(to: WireWriter, request: Request, version: number): void;
  /** Must not keep the reader; byte fields are views of the response, which belongs to the caller. */
  read(from: WireReader, version: number): Response;
}
