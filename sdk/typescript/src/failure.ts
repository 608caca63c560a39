import { inspect } from "node:util";
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
    hint: error instanceof PluginError ? String(error.hint) : "",
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

/** User code may throw anything, also what cannot be looked at: telling of it never throws itself. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}

function textOf(error: unknown): string {
  return cut(
    attempt(() => wholeTextOf(error), "what was thrown cannot be shown"),
    textCharsMax,
  );
}

function wholeTextOf(error: unknown): string {
  if (!(error instanceof Error)) return shown(error);
  const { message } = error;
  if (typeof message === "string") return message || classOf(error);
  return shown(message);
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : inspect(value, { customInspect: false });
}

function classOf(error: unknown): string {
  return attempt(() => {
    if (!(error instanceof Error)) return typeof error;
    const { name } = error;
    return typeof name === "string" && name !== "Error" ? name : error.constructor.name;
  }, "Error");
}

/** As Java prints a chain, so that a status shows it whole. */
function stackOf(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < causesMax; depth += 1) {
    const one = at;
    const stack = attempt(() => ownStackOf(one), `${classOf(one)}: ${textOf(one)}`);
    parts.push(depth === 0 ? stack : `Caused by: ${stack}`);
    at = attempt(() => one.cause, undefined);
  }
  return cut(parts.length === 0 ? textOf(error) : parts.join("\n"), stackCharsMax);
}

/** V8 writes the message above the frames, however long it is. */
function ownStackOf(error: Error): string {
  const { stack } = error;
  const message = attempt<unknown>(() => error.message, undefined);
  if (typeof stack !== "string") return `${classOf(error)}: ${textOf(error)}`;
  if (typeof message !== "string" || message.length <= textCharsMax) return stack;
  return stack.replace(message, () => textOf(error));
}

function causesOf(error: unknown): NonNullable<MessageInitShape<typeof FailureSchema>["causes"]> {
  const causes = [];
  let at = causeOf(error);
  while (at !== undefined && at !== null && causes.length < causesMax) {
    causes.push({ exceptionClass: classOf(at), text: textOf(at) });
    at = causeOf(at);
  }
  return causes;
}

function causeOf(error: unknown): unknown {
  return attempt(() => (error instanceof Error ? error.cause : undefined), undefined);
}
