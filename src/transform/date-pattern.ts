/** Patterns of java.text.SimpleDateFormat, in UTC and English. */
import { calendarOf, dayMs, dayToMs } from "../record/java-calendar.ts";
import { javaError } from "../record/java-error.ts";
import { dayOfWeekOf } from "./calendar-fields.ts";

/** A letter of the pattern, or a text that stands for itself. */
export type PatternPart =
  | { readonly at: "text"; readonly text: string }
  | { readonly at: "field"; readonly letter: PatternLetter; readonly count: number };

const letters = "GyMdkHmsSEDFwWahKzZYuXL";

/** What each letter stands for is in SimpleDateFormat's documentation. */
export type PatternLetter =
  | ("G" | "y" | "M" | "d" | "k" | "H" | "m" | "s" | "S" | "E" | "D" | "F")
  | ("w" | "W" | "a" | "h" | "K" | "z" | "Z" | "Y" | "u" | "X" | "L");

export const monthNames =
  "January February March April May June July August September October November December".split(
    " ",
  );
export const dayNames = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
export const eraNames = ["BC", "AD"];
export const halfNames = ["AM", "PM"];

/** Takes a pattern apart. @throws RecordError, an IllegalArgumentException of Java's, for a bad one */
export function patternParts(pattern: string): readonly PatternPart[] {
  const parts: PatternPart[] = [];
  let text = "";
  const flush = () => {
    if (text !== "") parts.push({ at: "text", text });
    text = "";
  };
  for (let at = 0; at < pattern.length; at += 1) {
    const sign = pattern[at] as string;
    if (sign === "'") {
      const { quoted, end } = readQuoted(pattern, at);
      text += quoted;
      at = end;
    } else if (!/[A-Za-z]/.test(sign)) {
      text += sign;
    } else {
      flush();
      let end = at;
      while (pattern[end + 1] === sign) end += 1;
      parts.push(fieldOf(sign, end - at + 1));
      at = end;
    }
  }
  flush();
  return parts;
}

/** `''` is a quote; inside quotes as well. `end` is where the closing one stands. */
function readQuoted(pattern: string, start: number): { quoted: string; end: number } {
  if (pattern[start + 1] === "'") return { quoted: "'", end: start + 1 };
  let quoted = "";
  for (let at = start + 1; at < pattern.length; at += 1) {
    if (pattern[at] !== "'") quoted += pattern[at];
    else if (pattern[at + 1] !== "'") return { quoted, end: at };
    else {
      quoted += "'";
      at += 1;
    }
  }
  throw javaError("IllegalArgumentException", "Unterminated quote");
}

function fieldOf(sign: string, count: number): PatternPart {
  if (!letters.includes(sign)) {
    throw javaError("IllegalArgumentException", `Illegal pattern character '${sign}'`);
  }
  if (sign === "X" && count > 3) {
    throw javaError("IllegalArgumentException", `invalid ISO 8601 format: length=${count}`);
  }
  return { at: "field", letter: sign as PatternLetter, count };
}

/** A moment by a pattern. */
export function formatDate(parts: readonly PatternPart[], ms: number): string {
  let text = "";
  for (const part of parts) {
    text += part.at === "text" ? part.text : fieldText(part.letter, part.count, ms);
  }
  return text;
}

function fieldText(letter: PatternLetter, count: number, ms: number): string {
  const { year, month, day } = calendarOf(ms);
  const inDay = ((ms % dayMs) + dayMs) % dayMs;
  const hour = Math.floor(inDay / 3_600_000);
  switch (letter) {
    case "G":
      return eraNames[year > 0 ? 1 : 0] as string;
    case "y":
      return yearText(year > 0 ? year : 1 - year, count);
    case "Y":
      return yearText(weekOf(ms, year).year, count);
    case "M":
    case "L":
      return count < 3 ? padded(month, count) : named(monthNames, month - 1, count);
    case "d":
      return padded(day, count);
    case "k":
      return padded(hour === 0 ? 24 : hour, count);
    case "H":
      return padded(hour, count);
    case "K":
      return padded(hour % 12, count);
    case "h":
      return padded(hour % 12 === 0 ? 12 : hour % 12, count);
    case "m":
      return padded(Math.floor(inDay / 60_000) % 60, count);
    case "s":
      return padded(Math.floor(inDay / 1_000) % 60, count);
    case "S":
      return padded(inDay % 1_000, count);
    case "a":
      return halfNames[hour < 12 ? 0 : 1] as string;
    case "z":
      return count < 4 ? "UTC" : "Coordinated Universal Time";
    case "Z":
      return "+0000";
    case "X":
      return "Z";
    default:
      return dayText(letter, count, ms, { year, month, day });
  }
}

function dayText(
  letter: "E" | "D" | "F" | "w" | "W" | "u",
  count: number,
  ms: number,
  { year, month, day }: { year: number; month: number; day: number },
): string {
  const dayOfWeek = dayOfWeekOf(ms);
  switch (letter) {
    case "E":
      return named(dayNames, dayOfWeek - 1, count);
    case "u":
      return padded(dayOfWeek === 1 ? 7 : dayOfWeek - 1, count);
    case "D":
      return padded((dayToMs(year, month, day) - dayToMs(year, 1, 1)) / dayMs + 1, count);
    case "F":
      return padded(Math.floor((day - 1) / 7) + 1, count);
    case "w":
      return padded(weekOf(ms, year).week, count);
    case "W": {
      const first = dayOfWeekOf(dayToMs(year, month, 1));
      return padded(Math.floor((day - 1 + first - 1) / 7) + 1, count);
    }
  }
}

/** Weeks begin on Sunday, and the one with 1 January is the year's first. */
function weekOf(ms: number, year: number): { year: number; week: number } {
  const start = (of: number) => {
    const first = dayToMs(of, 1, 1);
    return first - (dayOfWeekOf(first) - 1) * dayMs;
  };
  const ofYear = ms >= start(year + 1) ? year + 1 : year;
  return { year: ofYear, week: Math.floor((ms - start(ofYear)) / (7 * dayMs)) + 1 };
}

function yearText(year: number, count: number): string {
  // A week year may be 0 or less; the remainder keeps the sign.
  return padded(count === 2 ? year % 100 : year, count);
}

function named(names: readonly string[], index: number, count: number): string {
  const name = names[index] ?? "";
  return count < 4 ? name.slice(0, 3) : name;
}

function padded(value: number, width: number): string {
  const digits = String(Math.abs(value)).padStart(width, "0");
  return value < 0 ? `-${digits}` : digits;
}
