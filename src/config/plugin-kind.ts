/** The kinds of plugin in the order in which Connect lists them. */
export const pluginKindOrder = [
  "sink",
  "source",
  "transformation",
  "predicate",
  "converter",
  "header_converter",
] as const;
