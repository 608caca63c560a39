/** Bytes of protobuf messages that the generated code would not write: fields nobody knows yet. */

/** A length-delimited field. */
export function lengthField(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** A field as a newer peer might add. */
export function unknownField(): Buffer {
  return lengthField(1_999, Buffer.from("from a newer version"));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
