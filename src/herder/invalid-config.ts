import { ConfigError } from "../base/error.ts";
import type { ConfigInfos } from "../config/validation.ts";

/** Connect's answer to a config that fails its validation; undefined when it passed. */
export function invalidConfig(infos: ConfigInfos): ConfigError | undefined {
  if (infos.error_count === 0) return undefined;
  const problems = infos.configs.flatMap(({ value }) =>
    (value?.errors ?? []).map((message) => ({ key: value?.name ?? "", message })),
  );
  const text = [
    `Connector configuration is invalid and contains the following ${infos.error_count} error(s):`,
    ...problems.map(({ message }) => message),
    "You can also find the above list of errors at the endpoint " +
      "`/connector-plugins/{connectorType}/config/validate`",
  ].join("\n");
  return new ConfigError("config.invalid", text, { problems });
}
