import { ConfigError, type ConfigProblem, RequestError } from "../base/error.ts";

/** All that was found wrong with a connector's config. Throws on what is not the config's fault. */
export function problemsOf(error: unknown): readonly ConfigProblem[] {
  if (error instanceof ConfigError) return error.problems;
  if (error instanceof RequestError && error.status === 400) {
    return [{ key: "connector.class", message: error.message }];
  }
  throw error;
}
