import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConfigKey, ConfigKeys, ConfigType, ConfigValidator } from "./config.ts";
import type { ClassDefinition, ConnectorDefinition } from "./connector-definition.ts";
import * as pb from "./gen/bulkhead/plugin/v1/config_pb.ts";
import type { Plugin, PluginClass } from "./plugin.ts";

type Description = MessageInitShape<typeof pb.ClassDescriptionSchema>;

const kinds: Readonly<Record<PluginClass["kind"], pb.PluginKind>> = {
  source: pb.PluginKind.SOURCE,
  sink: pb.PluginKind.SINK,
  transformation: pb.PluginKind.TRANSFORMATION,
  predicate: pb.PluginKind.PREDICATE,
  converter: pb.PluginKind.CONVERTER,
  header_converter: pb.PluginKind.HEADER_CONVERTER,
};

/** A class as the wire describes it. */
export function describeClass(plugin: Plugin, { kind, definition }: PluginClass): Description {
  return {
    className: definition.class,
    kind: kinds[kind],
    version: definition.version ?? plugin.version,
    config: Object.entries(definition.config ?? {}).map(([name, key]) => describeKey(name, key)),
    documentationUrl: definition.documentationUrl ?? "",
    aliases: [...(definition.aliases ?? [])],
    taskClass: taskClassOf(definition),
    validates: definition.validate !== undefined,
  };
}

/** The name that task configs show. */
export function taskClassOf(
  definition: ClassDefinition<ConfigKeys> & Pick<ConnectorDefinition<ConfigKeys>, "taskClass">,
): string {
  if (definition.taskClass !== undefined) return definition.taskClass;
  return definition.class.endsWith("Connector")
    ? `${definition.class.slice(0, -"Connector".length)}Task`
    : definition.class;
}

function describeKey(name: string, key: ConfigKey): MessageInitShape<typeof pb.ConfigKeySchema> {
  return {
    name,
    type: types[key.type],
    required: key.required,
    ...(key.defaultText === null ? {} : { defaultValue: key.defaultText }),
    importance: pb.Importance[key.importance],
    documentation: key.doc,
    ...(key.group === null ? {} : { group: key.group }),
    order: key.order,
    width: pb.Width[key.width],
    displayName: key.displayName ?? name,
    dependents: [...key.dependents],
    ...(key.validator === undefined ? {} : { validator: { kind: validatorOf(key.validator) } }),
  };
}

const types: Readonly<Record<ConfigType, pb.ConfigType>> = pb.ConfigType;

function validatorOf(
  validator: ConfigValidator,
): NonNullable<MessageInitShape<typeof pb.ValidatorSchema>["kind"]> {
  switch (validator.at) {
    case "range": {
      const { min, max } = validator;
      const value = {
        ...(min === undefined ? {} : { min }),
        ...(max === undefined ? {} : { max }),
      };
      return { case: "range", value };
    }
    case "one-of":
      return {
        case: "oneOf",
        value: {
          values: [...validator.values],
          caseInsensitive: validator.caseInsensitive === true,
        },
      };
    case "non-empty":
      return { case: "nonEmpty", value: {} };
    case "pattern":
      return { case: "pattern", value: { regex: validator.regex } };
  }
}
