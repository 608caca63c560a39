/** The sets of characters that java.util.regex knows by name, as tests of a code point. */

/** Holds for the code points of a set. */
export type CharSet = (code: number) => boolean;

export function range(from: number, to: number): CharSet {
  return (code) => code >= from && code <= to;
}

export function not(set: CharSet): CharSet {
  return (code) => !set(code);
}

export function union(one: CharSet, other: CharSet): CharSet {
  return (code) => one(code) || other(code);
}

export function both(one: CharSet, other: CharSet): CharSet {
  return (code) => one(code) && other(code);
}

/** The code points of a JavaScript class: `\p{Lu}`. */
function unicode(source: string): CharSet {
  const pattern = new RegExp(`^[${source}]$`, "u");
  return (code) => pattern.test(String.fromCodePoint(code));
}

function ascii(source: string): CharSet {
  const pattern = new RegExp(`^[${source}]$`);
  return (code) => code < 0x80 && pattern.test(String.fromCharCode(code));
}

/** Makes a set when it is first asked for, since most never are. */
function lazily(make: () => CharSet): () => CharSet {
  let made: CharSet | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function table(sets: Readonly<Record<string, () => CharSet>>): ReadonlyMap<string, () => CharSet> {
  return new Map(Object.entries(sets).map(([name, make]) => [name, lazily(make)]));
}

const posix = table({
  ASCII: () => range(0, 0x7f),
  Alnum: () => ascii("A-Za-z0-9"),
  Alpha: () => ascii("A-Za-z"),
  Blank: () => ascii(" \\t"),
  Cntrl: () => ascii("\\0-\\x1f\\x7f"),
  Digit: () => range(0x30, 0x39),
  Graph: () => range(0x21, 0x7e),
  Lower: () => range(0x61, 0x7a),
  Print: () => range(0x20, 0x7e),
  Punct: () => ascii("!-/:-@\\[-`{-~"),
  Space: () => ascii("\\t-\\r "),
  Upper: () => range(0x41, 0x5a),
  XDigit: () => ascii("0-9A-Fa-f"),
});

/** What the POSIX names mean under `(?U)`, in capitals. */
const unicodePosix = table({
  ALNUM: () => unicode("\\p{Alphabetic}\\p{Nd}"),
  ALPHA: () => unicode("\\p{Alphabetic}"),
  BLANK: () => unicode("\\p{Zs}\\t"),
  CNTRL: () => unicode("\\p{Cc}"),
  DIGIT: () => unicode("\\p{Nd}"),
  GRAPH: () => unicode("^\\p{White_Space}\\p{Cc}\\p{Cs}\\p{Cn}"),
  LOWER: () => unicode("\\p{Lowercase}"),
  PRINT: () => both(unicode("^\\p{Cc}\\p{Cs}\\p{Cn}"), not(unicode("\\u2028\\u2029"))),
  PUNCT: () => unicode("\\p{P}"),
  SPACE: () => unicode("\\p{White_Space}"),
  UPPER: () => unicode("\\p{Uppercase}"),
  XDIGIT: () => unicode("\\p{Nd}\\p{Hex_Digit}"),
});

/** After `Is`, in capitals. */
const properties = table({
  ALPHABETIC: () => unicode("\\p{Alphabetic}"),
  ASSIGNED: () => unicode("^\\p{Cn}"),
  CONTROL: () => unicode("\\p{Cc}"),
  HEXDIGIT: () => unicode("\\p{Nd}\\p{Hex_Digit}"),
  HEX_DIGIT: () => unicode("\\p{Nd}\\p{Hex_Digit}"),
  IDEOGRAPHIC: () => unicode("\\p{Ideographic}"),
  JOINCONTROL: () => unicode("\\p{Join_Control}"),
  JOIN_CONTROL: () => unicode("\\p{Join_Control}"),
  LETTER: () => unicode("\\p{L}"),
  LOWERCASE: () => unicode("\\p{Lowercase}"),
  NONCHARACTERCODEPOINT: () => unicode("\\p{Noncharacter_Code_Point}"),
  NONCHARACTER_CODE_POINT: () => unicode("\\p{Noncharacter_Code_Point}"),
  PUNCTUATION: () => unicode("\\p{P}"),
  TITLECASE: () => unicode("\\p{Lt}"),
  UPPERCASE: () => unicode("\\p{Uppercase}"),
  WHITESPACE: () => unicode("\\p{White_Space}"),
  WHITE_SPACE: () => unicode("\\p{White_Space}"),
  WORD: () => unicode(unicodeWord),
});

const ignorable = "\\0-\\x08\\x0e-\\x1b\\x7f-\\x9f\\p{Cf}";

/** `\p{javaMethodName}`: what Java's Character.is… methods hold for. */
const methods = table({
  javaAlphabetic: () => unicode("\\p{Alphabetic}"),
  javaDefined: () => unicode("^\\p{Cn}"),
  javaDigit: () => unicode("\\p{Nd}"),
  javaISOControl: () => unicode("\\p{Cc}"),
  javaIdentifierIgnorable: () => unicode(ignorable),
  javaIdeographic: () => unicode("\\p{Ideographic}"),
  javaJavaIdentifierPart: () =>
    unicode(`\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}\\p{Nd}\\p{Mc}\\p{Mn}${ignorable}`),
  javaJavaIdentifierStart: () => unicode("\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}"),
  javaLetter: () => unicode("\\p{L}"),
  javaLetterOrDigit: () => unicode("\\p{L}\\p{Nd}"),
  javaLowerCase: () => unicode("\\p{Lowercase}"),
  javaMirrored: () => unicode("\\p{Bidi_Mirrored}"),
  javaSpaceChar: () => unicode("\\p{Z}"),
  javaTitleCase: () => unicode("\\p{Lt}"),
  javaUnicodeIdentifierPart: () => unicode(`\\p{ID_Continue}${ignorable}`),
  javaUnicodeIdentifierStart: () => unicode("\\p{ID_Start}"),
  javaUpperCase: () => unicode("\\p{Uppercase}"),
  javaWhitespace: () =>
    both(unicode("\\p{Z}\\t-\\r\\x1c-\\x1f"), not(unicode("\\xa0\\u2007\\u202f"))),
});

const unicodeWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const categories =
  "Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No Zs Zl Zp Cc Cf Co Cs Pd Ps Pe Pc Po Sm Sc Sk So Pi Pf L M N Z C P S";

const categorySets = table({
  ...Object.fromEntries(categories.split(" ").map((name) => [name, () => unicode(`\\p{${name}}`)])),
  LC: () => unicode("\\p{Lu}\\p{Ll}\\p{Lt}"),
  LD: () => unicode("\\p{L}\\p{Nd}"),
  L1: () => range(0, 0xff),
  all: () => () => true,
});

/** Sets whose members have cases: where case does not count they are one. */
const cased = new Set("Lower Upper javaLowerCase javaUpperCase javaTitleCase Lu Ll Lt".split(" "));

/** `\p{name}`; undefined = Java has no such name. */
export function namedSet(name: string, ignoreCase: boolean): CharSet | undefined {
  if (ignoreCase && cased.has(name)) {
    if (name.startsWith("java")) return unicode("\\p{Lowercase}\\p{Uppercase}\\p{Lt}");
    return name.length === 2 ? categorySets.get("LC")?.() : posix.get("Alpha")?.();
  }
  return (posix.get(name) ?? categorySets.get(name) ?? methods.get(name))?.();
}

/** `\p{name}` under `(?U)`, where the POSIX names mean more than ASCII. */
export function unicodePosixSet(name: string, ignoreCase: boolean): CharSet | undefined {
  const capitals = name.toUpperCase();
  if (ignoreCase && (capitals === "LOWER" || capitals === "UPPER")) return anyCase();
  return unicodePosix.get(capitals)?.();
}

/** `\p{IsName}` where the name is that of a property. */
export function propertySet(name: string, ignoreCase: boolean): CharSet | undefined {
  const capitals = name.toUpperCase();
  if (ignoreCase && /^(LOWER|UPPER|TITLE)CASE$/.test(capitals)) return anyCase();
  return properties.get(capitals)?.();
}

function anyCase(): CharSet {
  return unicode("\\p{Lowercase}\\p{Uppercase}\\p{Lt}");
}

/** `\p{IsLatin}`, `\p{script=Latn}`: Java looks at no case. */
export function scriptSet(name: string): CharSet | undefined {
  const spelt = name
    .toLowerCase()
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("_");
  try {
    return unicode(`\\p{Script=${spelt}}`);
  } catch {
    return undefined;
  }
}

/** The letters after a backslash that stand for a set; the capital of each is the opposite. */
export function escapedSet(letter: string, isUnicode: boolean): CharSet {
  const set = (isUnicode ? unicodeEscapes : asciiEscapes).get(letter.toLowerCase());
  if (set === undefined) throw new RangeError(`\\${letter} stands for no set`);
  return letter === letter.toLowerCase() ? set() : not(set());
}

const blanks = {
  h: () => unicode(" \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000"),
  v: () => unicode("\\n-\\r\\x85\\u2028\\u2029"),
};

const asciiEscapes = table({
  ...blanks,
  d: () => range(0x30, 0x39),
  s: () => ascii("\\t-\\r "),
  w: () => ascii("A-Za-z0-9_"),
});

const unicodeEscapes = table({
  ...blanks,
  d: () => unicode("\\p{Nd}"),
  s: () => unicode("\\p{White_Space}"),
  w: () => unicode(unicodeWord),
});

/** What `\b` takes for a part of a word: letters and digits of all scripts. */
export const isWordPart: CharSet = unicode("\\p{L}\\p{Nd}_");

/** The same under `(?U)`. */
export const isUnicodeWordPart: CharSet = unicode(unicodeWord);

/** Marks that belong to the character before them. */
export const isMark: CharSet = unicode("\\p{Mn}");

/** One character, where case may not count: by ASCII alone, or by all of Unicode. */
export function single(code: number, fold: "none" | "ascii" | "unicode"): CharSet {
  if (fold === "unicode") {
    const folded = foldUnicode(code);
    if (folded === upper(code)) return (other) => other === code;
    return (other) => other === code || foldUnicode(other) === folded;
  }
  const lower = foldAscii(code);
  if (fold === "none" || !isAsciiLetter(lower)) return (other) => other === code;
  return (other) => foldAscii(other) === lower;
}

/** A range, where case may not count. */
export function foldedRange(from: number, to: number, fold: "none" | "ascii" | "unicode"): CharSet {
  const plain = range(from, to);
  if (fold === "none") return plain;
  if (fold === "unicode") {
    return (code) => plain(code) || plain(upper(code)) || plain(foldUnicode(code));
  }
  return (code) =>
    plain(code) ||
    (isAsciiLetter(foldAscii(code)) && (plain(foldAscii(code)) || plain(foldAscii(code) - 0x20)));
}

function isAsciiLetter(lower: number): boolean {
  return lower >= 0x61 && lower <= 0x7a;
}

export function foldAscii(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

/** Java's toLowerCase(toUpperCase(c)) of one character. */
export function foldUnicode(code: number): number {
  return oneOf(String.fromCodePoint(upper(code)).toLowerCase(), upper(code));
}

function upper(code: number): number {
  return oneOf(String.fromCodePoint(code).toUpperCase(), code);
}

/** Java maps one character to one: where JavaScript makes two of it, it stays as it is. */
function oneOf(text: string, code: number): number {
  const first = text.codePointAt(0) ?? code;
  return text.length === String.fromCodePoint(first).length ? first : code;
}
