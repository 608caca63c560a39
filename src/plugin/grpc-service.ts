/** Joins protobuf-es and grpc-js: the generated service as a grpc-js definition. */
import type { DescService } from "@bufbuild/protobuf";
import type { MethodDefinition, ServerDuplexStream, ServiceDefinition } from "@grpc/grpc-js";

/** One open call. Messages pass as bytes, so that batches meet our own decoder only. */
export type ByteStream = ServerDuplexStream<Buffer, Buffer>;

const asIs = (bytes: Buffer) => bytes;

/** Method names are the generated local ones (`sourceTask`). */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  for (const method of service.methods) {
    definition[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
  }
  return definition;
}
