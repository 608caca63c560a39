import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Failure,
  FailureClass,
  FailureCode,
  FailureSchema,
} from "./gen/bulkhead/plugin/v1/error_pb.ts";
import { AuthError, ConfigError, DataError, PluginError, RetriableError } from "./plugin-error.ts";

const causesMax = 20;
const stackCharsMax = 64 * 1024;
// One that is larger than a message would say nothing at all.
const textCharsMax = 16 * 1024;

/** Anything thrown, as the message that tells the host about it: text, stack and cause chain. */
export function toFailure(
  error: unknown,
  as: { code?: FailureCode; class?: FailureClass } = {},
): Failure {
  const [code, reaction] = kindOf(error);
  return create(FailureSchema, {
    code: as.code ?? code,
    failureClass: as.class ?? reaction,
    text: textOf(error),
    hint: error instanceof PluginError ? error.hint : "",
    exceptionClass: classOf(error),
    stack: stackOf(error),
    causes: causesOf(error),
  });
}

/** A fault that is not an exception of the user's code. */
export function failure(code: FailureCode, reaction: FailureClass, text: string): Failure {
  return create(FailureSchema, { code, failureClass: reaction, text });
}

function kindOf(error: unknown): [FailureCode, FailureClass] {
  if (error instanceof RetriableError) return [FailureCode.UNAVAILABLE, FailureClass.TRANSIENT];
  if (error instanceof ConfigError) return [FailureCode.INVALID_CONFIG, FailureClass.CONFIGURATION];
  if (error instanceof AuthError) return [FailureCode.AUTH, FailureClass.FATAL];
  if (error instanceof DataError) return [FailureCode.DATA, FailureClass.DATA];
  return [FailureCode.INTERNAL, FailureClass.FATAL];
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text;
}

function classOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return error.name === "Error" ? error.constructor.name : error.name;
}

/** As Java prints a chain, so that a status shows it whole. */
function stackOf(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < causesMax; depth += 1) {
    const stack = at.stack ?? `${at.name}: ${at.message}`;
    parts.push(depth === 0 ? stack : `Caused by: ${stack}`);
    at = at.cause;
  }
  if (parts.length === 0) return String(error);
  const text = parts.join("\n");
  return text.length > stackCharsMax ? `${text.slice(0, stackCharsMax)}…` : text;
}

function causesOf(error: unknown): NonNullable<MessageInitShape<typeof FailureSchema>["causes"]> {
  const causes = [];
  let at: unknown = error instanceof Error ? error.cause : undefined;
  while (at !== undefined && at !== null && causes.length < causesMax) {
    causes.push({ exceptionClass: classOf(at), text: textOf(at) });
    at = at instanceof Error ? at.cause : undefined;
  }
  return causes;
}
