import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { HostError } from "../base/error.ts";
import { preScan } from "./pre-scan.ts";
import { protocolError } from "./protocol-error.ts";

/** A checked message. Everything but batches of records is read here. */
export function decodeMessage<S extends DescMessage>(
  schema: S,
  message: Uint8Array,
): MessageShape<S> {
  try {
    preScan(schema, message);
    return fromBinary(schema, message, { readUnknownFields: false });
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw protocolError(`a ${schema.name} cannot be decoded`, cause);
  }
}
