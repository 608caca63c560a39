/** Generated protobuf code whose description of its .proto file is an object literal, for the SDK's bundle. */

/**
 * Generated code carries its .proto file in protobuf's own encoding, and to read that protobuf-es first
 * has to build what describes descriptions: a third of the time in which a plugin starts. Here that is
 * done already.
 *
 * @param {string} text of the generated module
 * @param {Record<string, unknown>} module what it exports
 * @returns {string} a module with the same exports
 */
export function descriptorModule(text, module) {
  const [, name] = /export const (file_\w+) =[^"]*fileDesc\("/.exec(text) ?? [];
  if (name === undefined) throw new Error("generated code without fileDesc(…)");
  const { proto } = module[name];
  const defaults = new Map();
  const literal = literalOf(proto, defaults);
  const rest = text
    .replace(/(import \{[^}]*?)\bfileDesc, /, "$1")
    .replace(/fileDesc\("[^"]*"/, 'fileDesc(""');
  return `import { createFileRegistry } from "@bufbuild/protobuf";
const defaults = ${JSON.stringify(Object.fromEntries(defaults))};
const fileDesc = (_text, imports = []) =>
  createFileRegistry(${literal}, (name) => imports.find(({ proto }) => proto.name === name)).getFile(${JSON.stringify(proto.name)});
${rest}`;
}

/**
 * A descriptor as an expression. What a message does not say itself is on its prototype, and protobuf-es
 * looks where a value is.
 */
function literalOf(value, defaults) {
  if (Array.isArray(value)) return `[${value.map((one) => literalOf(one, defaults)).join(",")}]`;
  if (value === undefined) return "undefined";
  if (typeof value !== "object" || value === null) {
    if (["string", "number", "boolean"].includes(typeof value)) return JSON.stringify(value);
    throw new Error(`a descriptor has ${String(value)}, which nobody expected`);
  }
  const type = value.$typeName;
  if (typeof type !== "string") throw new Error("a descriptor has an object that is no message");
  defaults.set(type, { ...Object.getPrototypeOf(value) });
  const fields = Object.entries(value).map(
    ([key, field]) => `${JSON.stringify(key)}:${literalOf(field, defaults)}`,
  );
  return `{__proto__:defaults[${JSON.stringify(type)}],${fields.join(",")}}`;
}
