/**
 * Dates as Java's GregorianCalendar counts them in UTC: Julian before 15 October 1582, and lenient, so
 * that February 30 is in March. Milliseconds since the epoch everywhere.
 */

export const dayMs = 86_400_000;

/** The first moment of the Gregorian calendar. */
const cutoverMs = Date.UTC(1582, 9, 15);

/** The day of the Julian 1 March of year 0: years from March have the leap day at their end. */
const julianMarchDay = -719_470;

/** Midnight of a day; months count from 1; all parts may be out of range. */
export function dayToMs(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const gregorian = date.getTime();
  return gregorian >= cutoverMs ? gregorian : julianToMs(year, month, day);
}

function julianToMs(year: number, month: number, day: number): number {
  const monthFromMarch = mod(month - 3, 12);
  const marchYear = year + Math.floor((month - 3) / 12);
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  return (julianMarchDay + Math.floor((1_461 * marchYear) / 4) + dayOfYear) * dayMs;
}

/** The parts of a moment. Years before 1 are counted down from 0. */
export function calendarOf(ms: number): { year: number; month: number; day: number } {
  if (ms < cutoverMs) return julianCalendarOf(ms);
  const date = new Date(ms);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

function julianCalendarOf(ms: number): { year: number; month: number; day: number } {
  const days = Math.floor(ms / dayMs) - julianMarchDay;
  const inFourYears = mod(days, 1_461);
  const yearInFour = Math.min(3, Math.floor(inFourYears / 365));
  const dayOfYear = inFourYears - 365 * yearInFour;
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = 4 * Math.floor(days / 1_461) + yearInFour + (month <= 2 ? 1 : 0);
  return { year, month, day };
}

/** `2023-11-14` */
export function isoDate(ms: number): string {
  const { year, month, day } = calendarOf(ms);
  const yearOfEra = year > 0 ? year : 1 - year;
  return `${pad(yearOfEra, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** `22:13:20.123Z` */
export function isoTime(ms: number): string {
  const inDay = mod(ms, dayMs);
  return `${clock(inDay)}.${pad(inDay % 1_000, 3)}Z`;
}

/** As java.util.Date prints itself: `Tue Nov 14 22:13:20 UTC 2023`. */
export function javaDate(ms: number): string {
  const { year, month, day } = calendarOf(ms);
  const weekday = weekdays[mod(Math.floor(ms / dayMs) + 4, 7)];
  const yearOfEra = year > 0 ? year : 1 - year;
  return `${weekday} ${months[month - 1]} ${pad(day, 2)} ${clock(mod(ms, dayMs))} UTC ${yearOfEra}`;
}

const weekdays = "Sun Mon Tue Wed Thu Fri Sat".split(" ");
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function clock(inDay: number): string {
  const seconds = Math.floor(inDay / 1_000);
  const minutes = Math.floor(seconds / 60);
  return `${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}:${pad(seconds % 60, 2)}`;
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
