/** The converters this version has. Which keys they take is in src/config/converter-keys.ts. */
import { ConfigError } from "../base/error.ts";
import { byteArrayConverter } from "./byte-array-converter.ts";
import type { Converter, ConverterFactory, ConverterUse } from "./converter.ts";
import { jsonConverter } from "./json-converter.ts";
import { numberConverters } from "./number-converters.ts";
import { simpleHeaderConverter } from "./simple-header-converter.ts";
import { stringConverter } from "./string-converter.ts";

const factories: readonly ConverterFactory[] = [
  byteArrayConverter,
  jsonConverter,
  ...numberConverters,
  simpleHeaderConverter,
  stringConverter,
];

/** By class name or alias. */
export function findConverter(name: string): ConverterFactory | undefined {
  return factories.find((each) => each.className === name || each.aliases.includes(name));
}

/**
 * A converter for one place of one task: it keeps what it has learnt and may reuse its output, so a
 * key and a value never share one.
 *
 * @param config the converter's settings without the prefix of its place (`schemas.enable`).
 * @throws ConfigError for an unknown class, a class that does not fit the place, or wrong settings.
 */
export function createConverter(
  name: string,
  config: Readonly<Record<string, string>>,
  use: ConverterUse,
): Converter {
  const factory = findConverter(name);
  if (factory === undefined) {
    throw new ConfigError("config.invalid", `there is no converter ${name}`, {
      hint: `use one of ${factories.map((each) => each.className).join(", ")}`,
    });
  }
  if (factory === simpleHeaderConverter && use !== "header") {
    throw new ConfigError("config.invalid", `${factory.className} converts headers only`);
  }
  return factory.create(config, use);
}
