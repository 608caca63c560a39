import { TaskError } from "../base/error.ts";

/** The plugin broke the contract; `sentence` says which rule, about which field. */
export function protocolError(sentence: string, cause?: unknown): TaskError {
  return new TaskError("plugin.protocol_error", sentence, cause === undefined ? {} : { cause });
}
