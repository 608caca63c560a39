import { fromBinary } from "@bufbuild/protobuf";
import { Encoding } from "./gen/bulkhead/plugin/v1/record_pb.ts";
import { HostStageMessageSchema, type StageOperation } from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import { InDefinitions, PutBatch } from "./put-batch.ts";
import { WireReader } from "./wire.ts";

/** Records for a stage, and what it shall do with them. */
export interface StageBatch {
  readonly seq: number;
  readonly operation: StageOperation;
  readonly rows: PutBatch;
}

const batchTag = (5 << 3) | 2;
const encodings = {
  [Encoding.BYTES]: "bytes",
  [Encoding.TEXT]: "text",
  [Encoding.JSON]: "json",
} as const;

/** Reads the host's messages of a stage's stream; applies definitions as they come. */
export class StageInbox {
  #definitions = new InDefinitions();

  /** Undefined = nothing to do. @throws where the message breaks the contract */
  read(bytes: Buffer): StageBatch | undefined {
    if (bytes[0] === batchTag) {
      const reader = new WireReader(bytes, 1);
      const batch = new WireReader(bytes, reader.at, reader.block());
      batch.at = reader.at;
      // A StageBatch has the fields of a Put: a number, another number, columns.
      const rows = new PutBatch(this.#definitions, batch, false);
      return { seq: rows.putSeq, operation: rows.epoch as StageOperation, rows };
    }
    const { kind } = fromBinary(HostStageMessageSchema, bytes);
    switch (kind.case) {
      case "topic":
        this.#definitions.topics[kind.value.id] = kind.value.topic;
        return undefined;
      case "name":
        this.#definitions.names[kind.value.id] = kind.value.name;
        return undefined;
      case "form": {
        const encoding = encodings[kind.value.encoding as keyof typeof encodings];
        if (encoding === undefined) throw new RangeError(`form ${kind.value.id} has no encoding`);
        this.#definitions.defineForm(kind.value.id, encoding, kind.value.schema);
        return undefined;
      }
      case "forget":
        this.#definitions = new InDefinitions();
        return undefined;
      default:
        return undefined;
    }
  }
}
