/**
 * JSON bytes as Connect's JsonConverter writes them (Jackson): the same text as JSON.stringify but for
 * upper-case escapes and characters outside the BMP, which it escapes. Keys are compared by their
 * bytes, so this has to agree.
 */
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

export function encodeText(text: string): Uint8Array {
  return utf8.encode(text);
}

/** Undefined for bytes that are no UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value)
    .replace(/\\(?:u([0-9a-f]{4})|.)/g, (whole, hex?: string) =>
      hex === undefined ? whole : `\\u${hex.toUpperCase()}`,
    )
    .replace(/[\ud800-\udfff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase()}`);
}

export function encodeJson(value: unknown): Uint8Array {
  return utf8.encode(jsonText(value));
}

/** The members of a JSON object; undefined for anything else. */
export function decodeObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const text = decodeText(bytes);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
