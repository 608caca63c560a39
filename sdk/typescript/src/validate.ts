import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConfigKeys, ConfigOf } from "./config.ts";
import { type ConfigTexts, parseKeys } from "./config-parse.ts";
import type { ClassDefinition } from "./connector-definition.ts";
import { toFailure } from "./failure.ts";
import { ValidateMode, type ValidateResultSchema } from "./gen/bulkhead/plugin/v1/config_pb.ts";

/** What the declared keys and the class's own `validate` say of a config. */
export async function validateConfig(
  definition: ClassDefinition<ConfigKeys>,
  asked: { config: ConfigTexts; mode: ValidateMode },
  signal: AbortSignal,
): Promise<MessageInitShape<typeof ValidateResultSchema>> {
  const keys = definition.config ?? {};
  const values = parseKeys(keys, asked.config).map((one) => ({
    name: one.name,
    parsed: one.value,
    ...(one.text === null ? {} : { value: one.text }),
    errors: [...one.errors],
    recommendedValues: [] as string[],
    visible: true,
  }));
  const of = (name: string) => {
    const found = values.find((one) => one.name === name);
    if (found === undefined) throw new Error(`key ${name} is not declared`);
    return found;
  };
  const groups = [...new Set(Object.values(keys).flatMap((key) => key.group ?? []))];
  try {
    await definition.validate?.({
      config: Object.fromEntries(values.map((one) => [one.name, one.parsed])) as Partial<
        ConfigOf<ConfigKeys>
      >,
      texts: asked.config,
      live: asked.mode === ValidateMode.LIVE,
      signal,
      error: (name, message) => of(name).errors.push(message),
      recommend: (name, recommended) => of(name).recommendedValues.push(...recommended),
      visible: (name, visible) => {
        of(name).visible = visible;
      },
    });
  } catch (error) {
    return { values: values.map(withoutParsed), groups, failure: toFailure(error) };
  }
  return { values: values.map(withoutParsed), groups };
}

function withoutParsed<T extends { parsed: unknown }>({ parsed: _, ...rest }: T) {
  return rest;
}
