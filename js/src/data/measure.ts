import type { ColumnInfo } from "../wire/protocol";
import * as format from "./format";

/**
 * What the numbers of a column stand for; dates are milliseconds since 1970, in UTC.
 *
 * A `date` has a time of day, so that a day as a high end is meant whole; a `day` has none.
 */
export type Measure = "number" | "whole" | "bytes" | "date" | "day";

/** The low or the high end of a range. */
export type End = 0 | 1;

export const DAY = 86_400_000;

export function measureOf({ name, type, facet }: ColumnInfo): Measure {
  if (facet === "date") return type === "Date" ? "day" : "date";
  if (!/^U?Int/.test(type)) return "number";
  return /(^|_)bytes$/.test(name) ? "bytes" : "whole";
}

export const isDate = (measure: Measure): boolean => measure === "date" || measure === "day";

/** Write a bound as a person would type it. */
export function write(measure: Measure, value: number, end: End): string {
  switch (measure) {
    case "number":
      return format.bound(value);
    case "whole":
      return format.count(Math.round(value));
    case "bytes":
      return shortBytes(value);
    case "day":
      return iso(value).slice(0, 10);
    case "date": {
      // A high end is the last millisecond of a day or minute that is meant whole.
      const whole = (unit: number) => (value + end) % unit === 0;
      return iso(value)
        .replace("T", " ")
        .slice(0, whole(DAY) ? 10 : whole(60_000) ? 16 : 19);
    }
  }
}

/** Read what a person typed as a bound; null when it is none. */
export function read(measure: Measure, text: string, end: End): number | null {
  const typed = text.trim();
  if (isDate(measure)) return readDate(typed, measure === "day", end);
  if (measure === "bytes") return readBytes(typed);
  const value = readNumber(typed);
  if (value === null || measure === "number") return value;
  return end === 0 ? Math.ceil(value) : Math.floor(value);
}

/** A label at the axis; `step` is the distance to the next one. */
export function tick(measure: Measure, value: number, step: number): string {
  if (measure === "bytes") return shortBytes(value);
  if (isDate(measure)) {
    if (step >= 365 * DAY) return iso(value).slice(0, 4);
    if (step >= 28 * DAY) return iso(value).slice(0, 7);
    if (step >= DAY) return iso(value).slice(0, 10);
    return iso(value)
      .slice(step >= 60_000 ? 5 : 11, step >= 60_000 ? 16 : 19)
      .replace("T", " ");
  }
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size < 1e-4) return value.toExponential(0).replace("e+", "e");
  if (size >= 1e5) return compact.format(value);
  const digits = Math.min(7, Math.max(0, 1 + Math.ceil(-Math.log10(step))));
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });

const iso = (time: number) => {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString();
};

const shortBytes = (value: number) => format.bytes(value).replace(".0 ", " ");

function readNumber(text: string): number | null {
  const plain = /^-?\d{1,3}(,\d{3})+(\.\d*)?$/.test(text) ? text.replaceAll(",", "") : text;
  const value = plain === "" ? Number.NaN : Number(plain);
  return Number.isFinite(value) ? value : null;
}

const POWERS: Record<string, number> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

function readBytes(text: string): number | null {
  const [, digits, unit] = /^([\d.,]+)\s*([kmgt]?)(?:b|bytes?)?$/i.exec(text) ?? [];
  const value = digits === undefined ? null : readNumber(digits);
  return value === null ? null : Math.round(value * 1000 ** POWERS[unit.toLowerCase()]);
}

/** A year, month or day stands for its first moment as a low end, and for its last as a high one. */
function readDate(text: string, day: boolean, end: End): number | null {
  const parts =
    /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?Z?)?)?)?$/.exec(
      text,
    );
  if (!parts) return null;
  const given = parts.slice(1).map((part) => (part === undefined ? null : Number(part)));
  const [year, month, date, hour, minute, second] = given;
  const at = (shift: readonly number[]) =>
    Date.UTC(
      year! + shift[0],
      (month ?? 1) - 1 + shift[1],
      (date ?? 1) + shift[2],
      hour ?? 0,
      (minute ?? 0) + shift[3],
      second ?? 0,
    );
  const low = at([0, 0, 0, 0]);
  const back = new Date(low);
  const valid =
    back.getUTCMonth() === (month ?? 1) - 1 &&
    back.getUTCDate() === (date ?? 1) &&
    back.getUTCHours() === (hour ?? 0) &&
    (minute ?? 0) < 60 &&
    (second ?? 0) < 60;
  if (!valid) return null;
  if (end === 0) return low;
  if (month === null) return at([1, 0, 0, 0]) - (day ? DAY : 1);
  if (date === null) return at([0, 1, 0, 0]) - (day ? DAY : 1);
  if (hour === null) return day ? low : at([0, 0, 1, 0]) - 1;
  return second === null ? at([0, 0, 0, 1]) - 1 : low + 999;
}
