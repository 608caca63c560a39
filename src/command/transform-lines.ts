/**
 * `bulkhead transform --json-lines`: a request a line on stdin, an answer a line on stdout, in order. The
 * notation of records is in `record/tagged-json.ts`; test/goldens has requests with their answers.
 */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { HostError } from "../base/error.ts";
import type { SubmittedConfig } from "../config/parse.ts";
import type { Converter, ConverterUse } from "../convert/converter.ts";
import { createConverter } from "../convert/converters.ts";
import { writeJsonString } from "../record/canonical-json.ts";
import { parseExactJson } from "../record/exact-json.ts";
import { javaClassOfError } from "../record/java-error.ts";
import { readData, readRecord, writeData, writeRecord } from "../record/tagged-json.ts";
import type { JsonObject, JsonValue } from "../record/value.ts";
import { createSteps } from "../transform/chain.ts";
import { applyStep } from "../transform/step.ts";

/** A request that makes no sense; the reason is for whoever wrote it. */
class BadRequest extends Error {}

/** Answers until the input ends or the signal fires. */
export async function answerLines(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (signal.aborted) return;
    if (line.trim() === "") continue;
    if (!output.write(`${answer(line)}\n`)) await once(output, "drain", { signal }).catch(() => {});
  }
}

function answer(line: string): string {
  try {
    return answerTo(asked(() => objectOf(parseExactJson(line), "the request")));
  } catch (error) {
    if (error instanceof BadRequest) return refusal("BadRequest", error.message);
    if (error instanceof HostError) return refusal(javaClassOfError(error), error.message);
    return refusal("java.lang.RuntimeException", String(error));
  }
}

function refusal(javaClass: string, message: string): string {
  return `{"error":{"class":${writeJsonString(javaClass)},"message":${writeJsonString(message)}}}`;
}

function answerTo(request: JsonObject): string {
  const operation = request.get("op") ?? null;
  switch (operation) {
    case "transform":
      return transform(request);
    case "from-connect": {
      const data = asked(() => readData(request.get("data") ?? null));
      const bytes = converterOf(request).fromConnect(data);
      return bytes === null ? '{"hex":null}' : `{"hex":"${Buffer.from(bytes).toString("hex")}"}`;
    }
    case "to-connect": {
      const bytes = bytesOf(request.get("hex"));
      const converter = converterOf(request);
      const data =
        bytes === null
          ? converter.toConnect(Buffer.alloc(0), -1, -1)
          : converter.toConnect(bytes, 0, bytes.length);
      return `{"data":${writeData(data)}}`;
    }
    default:
      throw new BadRequest(`op is ${String(operation)}: use transform, from-connect or to-connect`);
  }
}

function transform(request: JsonObject): string {
  const config = configOf(request.get("transforms"), "transforms");
  const record = asked(() => readRecord(request.get("record") ?? null));
  const steps = createSteps(config);
  for (const step of steps) if (!applyStep(step, record)) return '{"record":null}';
  return `{"record":${writeRecord(record)}}`;
}

function converterOf(request: JsonObject): Converter {
  const { class: className, ...settings } = configOf(request.get("converter"), "converter");
  if (typeof className !== "string") throw new BadRequest("converter has no class");
  const isHeader = request.has("header");
  if (!isHeader && typeof request.get("isKey") !== "boolean") {
    throw new BadRequest("isKey must be true or false, or header the name of a header");
  }
  const use: ConverterUse = isHeader ? "header" : request.get("isKey") === true ? "key" : "value";
  const given = Object.entries(settings).filter(([, value]) => value !== null);
  return createConverter(className, Object.fromEntries(given) as Record<string, string>, use);
}

function configOf(json: JsonValue | undefined, what: string): SubmittedConfig {
  const entries = [...objectOf(json, what)];
  for (const [key, value] of entries) {
    if (value !== null && typeof value !== "string") {
      throw new BadRequest(`${key} in ${what} is not a text`);
    }
  }
  return Object.fromEntries(entries) as SubmittedConfig;
}

function bytesOf(json: JsonValue | undefined): Buffer | null {
  if (json === null) return null;
  if (typeof json === "string" && /^([0-9a-f]{2})*$/i.test(json)) return Buffer.from(json, "hex");
  throw new BadRequest("hex must be pairs of hexadecimal digits, or null");
}

function objectOf(json: JsonValue | undefined, what: string): JsonObject {
  if (json instanceof Map) return json;
  throw new BadRequest(`${what} is not an object`);
}

/** What goes wrong while a request is read is the fault of who wrote it. */
function asked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof BadRequest) throw error;
    throw new BadRequest(error instanceof Error ? error.message : String(error));
  }
}
