/** Reads dates by SimpleDateFormat's rules: lenient, in UTC and English, blind to what follows the match. */
import { asciiDigits } from "../convert/header-scalar.ts";
import { type CalendarField, CalendarFields } from "./calendar-fields.ts";
import {
  dayNames,
  eraNames,
  halfNames,
  monthNames,
  type PatternLetter,
  type PatternPart,
} from "./date-pattern.ts";
import { readZone } from "./date-zone.ts";

/** Letters whose number ends where its letters end, if a number comes behind it without anything between. */
const numeric = "ydHkmsSDFwWKhYu";
const centuryYears = 80;

const plainFields: Readonly<Partial<Record<PatternLetter, CalendarField>>> = {
  d: "dayOfMonth",
  H: "hourOfDay",
  m: "minute",
  s: "second",
  S: "millisecond",
  D: "dayOfYear",
  F: "dayOfWeekInMonth",
  w: "weekOfYear",
  W: "weekOfMonth",
  K: "hour",
};

/** One pattern, ready for any number of texts. */
export class DateReader {
  readonly #parts: readonly PatternPart[];
  /** Two digits of a year are one of the hundred that begin here. */
  readonly #centuryStartMs: number;

  constructor(parts: readonly PatternPart[], nowMs = Date.now()) {
    this.#parts = parts;
    const start = new Date(nowMs);
    start.setUTCFullYear(start.getUTCFullYear() - centuryYears);
    this.#centuryStartMs = start.getTime();
  }

  /** Milliseconds since the epoch; undefined for a text that the pattern does not match. */
  read(text: string): number | undefined {
    const reading = new Reading(text, new Date(this.#centuryStartMs).getUTCFullYear());
    for (let index = 0; index < this.#parts.length; index += 1) {
      const part = this.#parts[index] as PatternPart;
      const done =
        part.at === "text"
          ? reading.literal(part.text)
          : reading.field(part.letter, part.count, obeys(this.#parts[index + 1]));
      if (!done) return undefined;
    }
    const ms = reading.fields.toMs();
    if (!reading.isAmbiguous || ms >= this.#centuryStartMs) return ms;
    reading.fields.set("year", reading.year + 100);
    return reading.fields.toMs();
  }
}

/** Whether the field before this part has to end where its letters end. */
function obeys(next: PatternPart | undefined): boolean {
  if (next?.at !== "field") return false;
  const { letter, count } = next;
  return letter === "M" || letter === "L" ? count <= 2 : numeric.includes(letter);
}

class Reading {
  readonly fields = new CalendarFields();
  /** The year has two digits, and those of the year in which the hundred begins. */
  isAmbiguous = false;
  year = 1970;
  readonly #text: string;
  readonly #centuryYear: number;
  #at = 0;

  constructor(text: string, centuryYear: number) {
    this.#text = text;
    this.#centuryYear = centuryYear;
  }

  literal(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  field(letter: PatternLetter, count: number, obeyCount: boolean): boolean {
    const start = this.#at;
    let at = start;
    while (this.#text[at] === " " || this.#text[at] === "\t") at += 1;
    if (at >= this.#text.length) return false;
    const end = obeyCount ? start + count : this.#text.length;
    switch (letter) {
      case "G":
        return this.#name("era", eraNames, start, false);
      case "a":
        return this.#name("amPm", halfNames, start, false);
      case "E":
        return this.#name("dayOfWeek", dayNames, start, true, 1);
      case "M":
      case "L":
        if (count > 2) return this.#name("month", monthNames, start, true);
        return this.#number(at, end, (value) => this.fields.set("month", value - 1));
      case "z":
      case "Z":
      case "X":
        return this.#zone(letter, count, at);
      case "y":
      case "Y":
        return this.#year(letter, count, at, end);
      default:
        return this.#number(at, end, (value) => this.#set(letter, value));
    }
  }

  #set(letter: PatternLetter, value: number): void {
    if (letter === "k") this.fields.set("hourOfDay", value === 24 ? 0 : value);
    else if (letter === "h") this.fields.set("hour", value === 12 ? 0 : value);
    else if (letter === "u")
      this.fields.set("dayOfWeek", value >= 1 && value <= 7 ? (value % 7) + 1 : value);
    else this.fields.set(plainFields[letter] as CalendarField, value);
  }

  #number(at: number, end: number, set: (value: number) => void): boolean {
    if (end > this.#text.length) return false;
    const match = /^-?\p{Nd}+/u.exec(this.#text.slice(at, end));
    if (match === null) return false;
    this.#at = at + match[0].length;
    set(Number(BigInt.asIntN(32, BigInt(asciiDigits(match[0])))));
    return true;
  }

  #year(letter: "y" | "Y", count: number, start: number, end: number): boolean {
    return this.#number(start, end, (value) => {
      const isShort = count <= 2 && this.#at - start === 2 && value >= 0;
      const year = isShort ? this.#inCentury(value) : value;
      if (letter === "Y") this.fields.set("weekYear", year);
      else {
        this.year = year;
        this.fields.set("year", year);
      }
    });
  }

  #inCentury(twoDigits: number): number {
    const first = this.#centuryYear % 100;
    this.isAmbiguous = twoDigits === first;
    const century = Math.floor(this.#centuryYear / 100) * 100;
    return century + twoDigits + (twoDigits < first ? 100 : 0);
  }

  /** In full or by three letters, in any case; blanks before a name are not passed over. */
  #name(
    field: CalendarField,
    names: readonly string[],
    start: number,
    hasShort: boolean,
    first = 0,
  ): boolean {
    const rest = this.#text.slice(start).toLowerCase();
    for (const isShort of hasShort ? [false, true] : [false]) {
      const index = names.findIndex((name) =>
        rest.startsWith((isShort ? name.slice(0, 3) : name).toLowerCase()),
      );
      if (index < 0) continue;
      this.#at = start + (isShort ? 3 : (names[index] as string).length);
      this.fields.set(field, index + first);
      return true;
    }
    return false;
  }

  #zone(letter: "z" | "Z" | "X", count: number, at: number): boolean {
    const zone = readZone(this.#text, at, letter === "X" ? count : undefined);
    if (zone === undefined) return false;
    this.#at = zone.end;
    this.fields.set("zoneOffsetMs", zone.offsetMs);
    return true;
  }
}
