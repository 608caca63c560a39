/**
 * The records of the offset topic: key `["<connector>",<source partition>]`, value the source offset.
 * Both stay texts: a plugin gets back exactly the text it gave.
 */
import { arrayElements, canonicalJson } from "./canonical-json.ts";
import { decodeText, encodeText, jsonText } from "./java-json.ts";

/** A key of the topic, taken apart. */
export interface OffsetKey {
  /** As it stands in the topic. */
  readonly text: string;
  readonly connector: string;
  /** Equal for partitions that are equal by value. */
  readonly partition: string;
}

/** @throws SyntaxError when the partition is not JSON. */
export function offsetKey(connector: string, partition: string): OffsetKey {
  return {
    text: `[${jsonText(connector)},${partition}]`,
    connector,
    partition: canonicalJson(partition),
  };
}

export function encodeOffset(
  keyText: string,
  offset: string | null,
): { key: Uint8Array; value: Uint8Array | null } {
  return { key: encodeText(keyText), value: offset === null ? null : encodeText(offset) };
}

/** Undefined for a key that some other program wrote. */
export function decodeOffsetKey(bytes: Uint8Array | null): OffsetKey | undefined {
  const text = bytes === null ? undefined : decodeText(bytes);
  if (text === undefined) return undefined;
  try {
    const [name, partition, ...rest] = arrayElements(text);
    if (name === undefined || partition === undefined || rest.length > 0) return undefined;
    const connector: unknown = JSON.parse(name);
    if (typeof connector !== "string") return undefined;
    return { text, connector, partition: canonicalJson(partition) };
  } catch {
    return undefined;
  }
}
