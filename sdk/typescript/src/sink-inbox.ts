import { fromBinary } from "@bufbuild/protobuf";
import { Encoding } from "./gen/bulkhead/plugin/v1/record_pb.ts";
import {
  type Close,
  type ErrantReceipt,
  type Flush,
  HostSinkMessageSchema,
  type Open,
} from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import { InDefinitions, PutBatch } from "./put-batch.ts";
import { WireReader } from "./wire.ts";

/** What the user's thread does, in stream order. */
export type SinkWork =
  | { at: "put"; batch: PutBatch }
  | { at: "open"; open: Open }
  | { at: "close"; close: Close }
  | { at: "flush"; flush: Flush }
  | { at: "idle" };

/** What the reader gives on at once. */
export type SinkNotice =
  | { at: "work"; work: SinkWork }
  | { at: "receipt"; receipt: ErrantReceipt }
  | { at: "stop" };

const putTag = (8 << 3) | 2;
const encodings = {
  [Encoding.BYTES]: "bytes",
  [Encoding.TEXT]: "text",
  [Encoding.JSON]: "json",
} as const;

/** Reads the host's messages of a sink stream; applies definitions as they come. */
export class SinkInbox {
  #definitions = new InDefinitions();

  /** Undefined = nothing to do. @throws RangeError where the message breaks the contract */
  read(bytes: Buffer): SinkNotice | undefined {
    if (bytes[0] === putTag) {
      const reader = new WireReader(bytes, 1);
      const put = new WireReader(bytes, reader.at, reader.block());
      put.at = reader.at;
      return { at: "work", work: { at: "put", batch: new PutBatch(this.#definitions, put) } };
    }
    const { kind } = fromBinary(HostSinkMessageSchema, bytes);
    switch (kind.case) {
      case "topic":
        this.#definitions.topics[kind.value.id] = kind.value.topic;
        return undefined;
      case "name":
        this.#definitions.names[kind.value.id] = kind.value.name;
        return undefined;
      case "form": {
        const encoding = encodings[kind.value.encoding as keyof typeof encodings];
        if (encoding === undefined) throw new RangeError("a form with an unknown encoding");
        this.#definitions.defineForm(kind.value.id, encoding, kind.value.schema);
        return undefined;
      }
      case "forget":
        this.#definitions = new InDefinitions();
        return undefined;
      case "open":
        return { at: "work", work: { at: "open", open: kind.value } };
      case "close":
        return { at: "work", work: { at: "close", close: kind.value } };
      case "flush":
        return { at: "work", work: { at: "flush", flush: kind.value } };
      case "errantReceipt":
        return { at: "receipt", receipt: kind.value };
      case "stop":
        return { at: "stop" };
      default:
        // Rewound needs no work: the epoch has dropped what was on its way.
        return undefined;
    }
  }
}
