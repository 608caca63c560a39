/** Errors of the record path by the names that Java gives them: dead letters and traces show those. */
import { HostError, RecordError } from "../base/error.ts";
import type { ErrorCode } from "../base/error-code.ts";

const packages = {
  DataException: "org.apache.kafka.connect.errors",
  SchemaBuilderException: "org.apache.kafka.connect.errors",
  ConnectException: "org.apache.kafka.connect.errors",
  ConfigException: "org.apache.kafka.common.config",
  SerializationException: "org.apache.kafka.common.errors",
  IllegalArgumentException: "java.lang",
  IllegalStateException: "java.lang",
  NullPointerException: "java.lang",
  ClassCastException: "java.lang",
  ArithmeticException: "java.lang",
  NumberFormatException: "java.lang",
  IndexOutOfBoundsException: "java.lang",
} as const;

/** An exception of Java's by its short name. */
export type JavaErrorName = keyof typeof packages;

const byCode: Partial<Record<ErrorCode, JavaErrorName>> = {
  "convert.data_invalid": "DataException",
  "convert.schema_invalid": "SchemaBuilderException",
  "config.invalid": "ConfigException",
};

/** What a transform or converter refuses with another exception than DataException. */
export function javaError(name: JavaErrorName, message: string, cause?: unknown): RecordError {
  const javaClass = `${packages[name]}.${name}`;
  return new RecordError("transform.failed", message, {
    javaClass,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The full name of the exception that Connect would have thrown. */
export function javaClassOfError(error: unknown): string {
  if (error instanceof HostError) {
    if (error.javaClass !== undefined) return error.javaClass;
    const name = byCode[error.code];
    if (name !== undefined) return `${packages[name]}.${name}`;
  }
  return `${packages.ConnectException}.ConnectException`;
}
