/** The character sets of `converter.encoding` other than UTF-8, as Java reads and writes them. */
import { Buffer } from "node:buffer";
import { TextDecoder } from "node:util";

/** Java's replacements: U+FFFD when reading, `?` when writing. */
export interface Charset {
  decode(bytes: Uint8Array): string;
  encode(text: string): Uint8Array;
}

const utf8Names = /^utf-?8$/i;
const latin1Names = /^(iso[-_]?8859[-_]1|latin-?1|l1)$/i;
const asciiNames = /^(us-?ascii|ascii|iso646-us)$/i;
/** Of those that TextDecoder knows: none has more than two bytes for a character. */
const tableNames =
  /^(windows-(125[0-8]|874)|iso-8859-([2-8]|1[0356])|koi8-[ru]|ibm866|shift_jis|euc-kr|big5|gbk)$/;

/** Whether the name means UTF-8, which needs no charset. */
export function isUtf8Name(name: string): boolean {
  return utf8Names.test(name);
}

/** By a Java name; undefined where this host cannot do it. */
export function findCharset(name: string): Charset | undefined {
  if (latin1Names.test(name)) return singleByte(0xff);
  if (asciiNames.test(name)) return singleByte(0x7f);
  const utf16 = /^(utf-?16|utf-?16be|utf-?16le)$/i.exec(name)?.[1];
  if (utf16 !== undefined) return utf16Charset(utf16.toLowerCase().replace("-", ""));
  const decoder = textDecoder(name);
  if (decoder === undefined || !tableNames.test(decoder.encoding)) return undefined;
  if (decoder.encoding === "windows-1252") return tableCharset(decodeWindows1252);
  return tableCharset((bytes) => decoder.decode(bytes));
}

function textDecoder(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}

function singleByte(max: number): Charset {
  return {
    decode: (bytes) => {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
      return max === 0xff ? text : text.replace(/[\u0080-\u00ff]/g, "\ufffd");
    },
    encode: (text) =>
      Uint8Array.from(text, (sign) => {
        const point = sign.codePointAt(0) as number;
        return point > max ? 0x3f : point;
      }),
  };
}

function utf16Charset(name: string): Charset {
  const little = new TextDecoder("utf-16le", { ignoreBOM: true });
  const big = new TextDecoder("utf-16be", { ignoreBOM: true });
  const encode = (text: string) =>
    Buffer.from(text.replace(/\p{Surrogate}/gu, "\ufffd"), "utf16le");
  if (name === "utf16le") return { decode: (bytes) => little.decode(bytes), encode };
  if (name === "utf16be") {
    return { decode: (bytes) => big.decode(bytes), encode: (text) => encode(text).swap16() };
  }
  return {
    decode: (bytes) => {
      const isLittle = bytes[0] === 0xff && bytes[1] === 0xfe;
      const text = (isLittle ? little : big).decode(bytes);
      return text.startsWith("\ufeff") ? text.slice(1) : text;
    },
    encode: (text) => (text === "" ? Buffer.alloc(0) : encode(`\ufeff${text}`).swap16()),
  };
}

/** From 0x80; Node 20 takes windows-1252 for latin1 and so leaves these 32 as control characters. */
const windows1252 = "€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ";

function decodeWindows1252(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return text.replace(/[\u0080-\u009f]/g, (unit) => windows1252[unit.charCodeAt(0) - 0x80] ?? unit);
}

/** Writes by looking up what the decoder makes of every one and two bytes. */
function tableCharset(decode: Charset["decode"]): Charset {
  let table: ReadonlyMap<string, readonly number[]> | undefined;
  return {
    decode,
    encode: (text) => {
      table ??= reverseTable(decode);
      const bytes: number[] = [];
      for (const sign of text) bytes.push(...(table.get(sign) ?? [0x3f]));
      return Uint8Array.from(bytes);
    },
  };
}

function reverseTable(decode: Charset["decode"]): ReadonlyMap<string, readonly number[]> {
  const table = new Map<string, readonly number[]>();
  const add = (bytes: readonly number[]) => {
    const text = decode(Uint8Array.from(bytes));
    const isOne = [...text].length === 1 && text !== "\ufffd";
    if (isOne && !table.has(text)) table.set(text, bytes);
    return isOne;
  };
  for (let lead = 0; lead < 0x100; lead += 1) {
    if (add([lead])) continue;
    for (let trail = 0x30; trail < 0x100; trail += 1) add([lead, trail]);
  }
  return table;
}
