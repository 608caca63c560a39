/** A catalogue with the two file connectors, without a folder or a process behind it. */
import type { ConfigKey, ConfigType } from "../../src/config/config-def.ts";
import { meetsWish } from "../../src/config/version-range.ts";
import type { PluginCatalog, PluginClass, PluginManifest } from "../../src/plugin/plugin.ts";

const folder: PluginManifest = {
  name: "file",
  version: "0.1.0",
  directory: "/plugins/file",
  command: ["./file"],
  classes: [],
};

const fileKey = key("file", "STRING", { documentation: "The file to read or write." });

/** `FileStreamSource` and `FileStreamSink` with the keys that Connect's have. */
export const fileClasses: readonly PluginClass[] = [
  fileClass("sink", [fileKey]),
  fileClass("source", [
    fileKey,
    key("topic", "STRING", {
      documentation: "The topic to write to.",
      required: true,
      validator: { at: "non-empty" },
    }),
    key("batch.size", "INT", {
      documentation: "How many lines one poll returns at most.",
      defaultValue: "2000",
      importance: "LOW",
    }),
  ]),
];

export const fileCatalog: PluginCatalog = {
  classes: fileClasses,
  unusable: [],
  find: (name, kinds, wish = { at: "any" }) =>
    fileCatalog.versions(name, kinds).find(({ version }) => meetsWish(version, wish)),
  versions: (name, kinds) =>
    fileClasses.filter(
      (each) =>
        (each.className === name || each.aliases.includes(name)) &&
        (kinds === undefined || kinds.includes(each.kind)),
    ),
  look: async () => {},
};

function fileClass(kind: "source" | "sink", config: readonly ConfigKey[]): PluginClass {
  const simple = kind === "source" ? "FileStreamSource" : "FileStreamSink";
  return {
    className: `org.apache.kafka.connect.file.${simple}Connector`,
    kind,
    version: "0.1.0",
    config,
    taskClass: `org.apache.kafka.connect.file.${simple}Task`,
    aliases: [simple, `${simple}Connector`],
    documentationUrl: "",
    validates: false,
    plugin: folder,
  };
}

function key(name: string, type: ConfigType, rest: Partial<ConfigKey>): ConfigKey {
  return {
    name,
    type,
    required: false,
    defaultValue: null,
    importance: "HIGH",
    documentation: "",
    group: null,
    order: -1,
    width: "NONE",
    displayName: name,
    dependents: [],
    validator: null,
    ...rest,
  };
}
