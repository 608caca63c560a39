/** The one place where errors become HTTP answers, and the answers of the HTTP layer itself. */
import type { Readable } from "node:stream";
import { ConfigError, errorLine, RequestError } from "../base/error.ts";

/** What a handler gives back; no body = no entity. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  /** Instead of a body; whoever answers destroys it when nobody reads it any more. */
  readonly stream?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Connect's body for every error. */
export function errorAnswer(status: number, message: string): Answer {
  return { status, body: { error_code: status, message } };
}

const phrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  413: "Request Entity Too Large",
  415: "Unsupported Media Type",
};

/** An answer of the HTTP layer, in the words of Connect's. */
export function frameworkAnswer(status: number): Answer {
  return errorAnswer(status, `HTTP ${status} ${phrases[status] ?? "Error"}`);
}

/** Any error of a command: its class says the status. */
export function answerOf(error: unknown): Answer {
  if (error instanceof RequestError) return errorAnswer(error.status, error.message);
  if (error instanceof ConfigError) return errorAnswer(400, error.message);
  return errorAnswer(500, errorLine(error));
}

/**
 * An error inside validation reaches clients of the validate endpoint wrapped by Connect's thread
 * pool: always a 500 that begins with the name of the exception.
 */
export function validationAnswer(error: unknown): Answer {
  if (error instanceof RequestError)
    return errorAnswer(500, `${exceptionName(error)}${error.message}`);
  if (error instanceof ConfigError) {
    return errorAnswer(500, `org.apache.kafka.common.config.ConfigException: ${error.message}`);
  }
  return errorAnswer(500, errorLine(error));
}

function exceptionName(error: RequestError): string {
  const name = error.status === 400 ? "BadRequestException" : "ConnectRestException";
  return `org.apache.kafka.connect.runtime.rest.errors.${name}: `;
}
