/**
 * A moment from the fields that a text named, as java.util.GregorianCalendar works it out: lenient, in
 * UTC, with weeks that begin on Sunday (locale en-US). Of fields that contradict each other the one that
 * was set last decides.
 */
import { dayMs, dayToMs } from "../record/java-calendar.ts";

/** What a text can name. Months count from 0, days of the week from 1 = Sunday, eras 0 = BC. */
export type CalendarField =
  | "era"
  | "year"
  | "weekYear"
  | "month"
  | "dayOfMonth"
  | "dayOfYear"
  | "dayOfWeek"
  | "dayOfWeekInMonth"
  | "weekOfYear"
  | "weekOfMonth"
  | "amPm"
  | "hour"
  | "hourOfDay"
  | "minute"
  | "second"
  | "millisecond"
  | "zoneOffsetMs";

const unset = 0;

/** Keeps what was set, and in which order. */
export class CalendarFields {
  readonly #values = new Map<CalendarField, number>();
  readonly #stamps = new Map<CalendarField, number>();

  set(field: CalendarField, value: number): void {
    this.#values.set(field, value);
    this.#stamps.delete(field);
    this.#stamps.set(field, Math.max(0, ...this.#stamps.values()) + 1);
  }

  /** Milliseconds since the epoch. */
  toMs(): number {
    return this.#dayStartMs() + this.#timeMs() - this.#value("zoneOffsetMs", 0);
  }

  #stamp(field: CalendarField): number {
    return this.#stamps.get(field) ?? unset;
  }

  #value(field: CalendarField, absent: number): number {
    return this.#values.get(field) ?? absent;
  }

  /** Two fields that say something only together: as new as the newer one, if both are there. */
  #together(one: CalendarField, other: CalendarField): number {
    const [a, b] = [this.#stamp(one), this.#stamp(other)];
    return a === unset || b === unset ? unset : Math.max(a, b);
  }

  #timeMs(): number {
    const clock = this.#stamp("hourOfDay");
    const half = this.#together("hour", "amPm");
    const either = Math.max(clock, half) || Math.max(this.#stamp("hour"), this.#stamp("amPm"));
    const hour =
      either === unset || either === clock
        ? this.#value("hourOfDay", 0)
        : this.#value("hour", 0) + 12 * this.#value("amPm", 0);
    const minute = this.#value("minute", 0);
    const second = this.#value("second", 0);
    return ((hour * 60 + minute) * 60 + second) * 1_000 + this.#value("millisecond", 0);
  }

  #year(): number {
    const year = this.#value("year", 1970);
    return this.#value("era", 1) === 0 ? 1 - year : year;
  }

  #dayStartMs(): number {
    if (this.#stamp("weekYear") > this.#stamp("year")) return this.#weekDateMs();
    const dow = this.#stamp("dayOfWeek");
    const dom = this.#stamp("dayOfMonth");
    let weekOfMonth = this.#together("weekOfMonth", "dayOfWeek");
    let inMonth = this.#together("dayOfWeekInMonth", "dayOfWeek");
    const dayOfYear = this.#stamp("dayOfYear");
    let best = Math.max(
      dom,
      weekOfMonth,
      inMonth,
      dayOfYear,
      this.#together("weekOfYear", "dayOfWeek"),
    );
    let day = dom;
    if (best === unset) {
      weekOfMonth = this.#stamp("weekOfMonth");
      inMonth = Math.max(this.#stamp("dayOfWeekInMonth"), dow);
      best = Math.max(weekOfMonth, inMonth, this.#stamp("weekOfYear"));
      if (best === unset) {
        day = this.#stamp("month");
        best = day;
      }
    }
    if (best === day) return dayToMs(this.#year(), this.#month(), this.#value("dayOfMonth", 1));
    const weekOfYear = this.#stamp("weekOfYear");
    if (best === weekOfMonth && this.#stamp("weekOfMonth") >= weekOfYear) {
      return this.#weekOfMonthMs();
    }
    if (best === inMonth && this.#stamp("dayOfWeekInMonth") >= weekOfYear) {
      const isWeek =
        weekOfMonth === inMonth && this.#stamp("weekOfMonth") >= this.#stamp("dayOfWeekInMonth");
      return isWeek && weekOfMonth !== unset ? this.#weekOfMonthMs() : this.#dayOfWeekInMonthMs();
    }
    if (best === dayOfYear) return dayToMs(this.#year(), 1, this.#value("dayOfYear", 1));
    return this.#weekOfYearMs(this.#year());
  }

  /** Counted from 1. */
  #month(): number {
    return this.#value("month", 0) + 1;
  }

  #weekOfMonthMs(): number {
    const first = dayToMs(this.#year(), this.#month(), 1);
    const day = this.#value("dayOfWeek", 1) - 1;
    return sundayBefore(first) + (7 * (this.#value("weekOfMonth", 1) - 1) + day) * dayMs;
  }

  #dayOfWeekInMonthMs(): number {
    const wanted = this.#value("dayOfWeek", 1);
    const count = this.#value("dayOfWeekInMonth", 1);
    const first = dayToMs(this.#year(), this.#month(), 1);
    if (count >= 0) return onOrBefore(first + (7 * count - 1) * dayMs, wanted);
    const last = dayToMs(this.#year(), this.#month() + 1, 1) - dayMs;
    return onOrBefore(last + 7 * (count + 1) * dayMs, wanted);
  }

  #weekOfYearMs(year: number): number {
    const first = sundayBefore(dayToMs(year, 1, 1));
    const day = this.#value("dayOfWeek", 1) - 1;
    return first + (7 * (this.#value("weekOfYear", 1) - 1) + day) * dayMs;
  }

  /** A day of the week that is none counts on, or back, in weeks from Monday, which is 1 then. */
  #weekDateMs(): number {
    const start = this.#weekOfYearMs(this.#value("weekYear", 1970));
    const day = this.#value("dayOfWeek", 1);
    if (day >= 1 && day <= 7) return start;
    const weeks = Math.floor((day - 1) / 7);
    const iso = day - 7 * weeks;
    return start + (7 * weeks + (iso % 7) - (day - 1)) * dayMs;
  }
}

/** 1 = Sunday. */
export function dayOfWeekOf(ms: number): number {
  const days = Math.floor(ms / dayMs) + 4;
  return (((days % 7) + 7) % 7) + 1;
}

function onOrBefore(ms: number, wanted: number): number {
  const back = dayOfWeekOf(ms) - wanted;
  return ms - (((back % 7) + 7) % 7) * dayMs;
}

/** The Sunday of the week that the day is in. */
function sundayBefore(ms: number): number {
  return onOrBefore(ms, 1);
}
