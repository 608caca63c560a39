/** Time zones in texts, as SimpleDateFormat reads them. */

/** Where a zone ends in its text, and what it adds to UTC. */
export interface ReadZone {
  readonly end: number;
  readonly offsetMs: number;
}

/**
 * The names that log files and mails have, in hours. Java knows hundreds, many of them several zones' at
 * once; a name that is not here makes a text one that does not match.
 */
const zoneHours: Readonly<Record<string, number>> = {
  UTC: 0,
  GMT: 0,
  WET: 0,
  WEST: 1,
  BST: 1,
  CET: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  IST: 5.5,
  JST: 9,
  KST: 9,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
  AKST: -9,
  AKDT: -8,
  HST: -10,
};

const longNames: Readonly<Record<string, string>> = {
  "Coordinated Universal Time": "UTC",
  "Greenwich Mean Time": "GMT",
  "Central European Standard Time": "CET",
  "Central European Summer Time": "CEST",
  "Eastern Standard Time": "EST",
  "Eastern Daylight Time": "EDT",
  "Central Standard Time": "CST",
  "Central Daylight Time": "CDT",
  "Mountain Standard Time": "MST",
  "Mountain Daylight Time": "MDT",
  "Pacific Standard Time": "PST",
  "Pacific Daylight Time": "PDT",
  "Japan Standard Time": "JST",
};

/** `isoCount` is the number of X letters of an ISO 8601 zone; undefined for z and Z, which are alike. */
export function readZone(
  text: string,
  at: number,
  isoCount: number | undefined,
): ReadZone | undefined {
  const sign = signAt(text, at);
  if (isoCount !== undefined) {
    if (text[at] === "Z") return { end: at + 1, offsetMs: 0 };
    return sign === 0 ? undefined : readOffset(text, at + 1, sign, isoCount, isoCount === 3);
  }
  if (sign !== 0) return readOffset(text, at + 1, sign, 0, false);
  if (text.slice(at, at + 3).toUpperCase() !== "GMT") return readName(text, at);
  const behind = signAt(text, at + 3);
  if (behind === 0) return { end: at + 3, offsetMs: 0 };
  return readOffset(text, at + 4, behind, 0, true);
}

function signAt(text: string, at: number): number {
  if (text[at] === "+") return 1;
  return text[at] === "-" ? -1 : 0;
}

/** `hhmm`, `hh:mm` or, with one X, `hh`; behind GMT the hour may have one digit. */
function readOffset(
  text: string,
  at: number,
  sign: number,
  count: number,
  colon: boolean,
): ReadZone | undefined {
  const minutes = count === 1 ? "" : colon ? ":(\\d\\d)" : "(\\d\\d)";
  const hours = count === 0 && colon ? "(\\d\\d?)" : "(\\d\\d)";
  const match = new RegExp(`^${hours}${minutes}`).exec(text.slice(at));
  if (match === null) return undefined;
  const [all, hour = "0", minute = "0"] = match;
  if (Number(hour) > 23 || Number(minute) > 59) return undefined;
  const offsetMs = sign * (Number(hour) * 60 + Number(minute)) * 60_000;
  return { end: at + all.length, offsetMs };
}

function readName(text: string, at: number): ReadZone | undefined {
  const rest = text.slice(at).toLowerCase();
  const found = [...Object.keys(longNames), ...Object.keys(zoneHours)]
    .filter((name) => rest.startsWith(name.toLowerCase()))
    .sort((a, b) => b.length - a.length)[0];
  if (found === undefined) return undefined;
  const hours = zoneHours[longNames[found] ?? found] ?? 0;
  return { end: at + found.length, offsetMs: hours * 3_600_000 };
}
