const whole = new Intl.NumberFormat("en-US");

/** 1204 → "1,204". */
export const count = (n: number): string => whole.format(n);

/** "80", or "80, 47 hidden" where the filter hides some of them. */
export const withHidden = (all: number, hidden: number): string =>
  hidden > 0 ? `${count(all)}, ${count(hidden)} hidden` : count(all);

/** "1 image", "1,204 images". */
export const images = (n: number): string => `${count(n)} ${n === 1 ? "image" : "images"}`;

/** "1 group", "87 groups". */
export const groups = (n: number): string => `${count(n)} ${n === 1 ? "group" : "groups"}`;

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** 0 → "0 bytes", 12_300_000 → "12.3 MB". */
export function bytes(n: number): string {
  let unit = 0;
  let size = n;
  while (size >= 999.95 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return unit === 0 ? `${count(size)} ${UNITS[0]}` : `${size.toFixed(1)} ${UNITS[unit]}`;
}

/** 7_340_000 → "7.3 MB", 791_600 → "792 kB": as much as a glance takes in. */
export function roundBytes(n: number): string {
  const [size, unit] = bytes(n).split(" ");
  const value = Number(size.replaceAll(",", ""));
  return `${value < 10 ? value : Math.round(value)} ${unit}`;
}

/** "cannot read it" → "Cannot read it"; what starts with a path or a number stays. */
export const sentence = (text: string): string =>
  /^[a-z]+[ \u2019]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;

/** "side by side" → "Side by side". */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** "It failed. Try again." → ["It failed.", "Try again."]. */
export function firstSentence(text: string): [first: string, rest: string] {
  const end = text.search(/[.)] [A-Z]/) + 1;
  return end === 0 ? [text, ""] : [text.slice(0, end), text.slice(end + 1)];
}

/** Details of a caption that are this short stay whole. */
const DETAILS = 20;

/** "cropped copy of a.jpg: 80 % of it": what may be cut when space is short, and what may not. */
export function splitCaption(text: string): [head: string, tail: string] {
  const at = text.lastIndexOf(": ");
  return at < 0 || text.length - at > DETAILS ? [text, ""] : [text.slice(0, at), text.slice(at)];
}

/** A score as people compare it: 0, 0.00003, 0.0042, 0.042, 0.87; "" for none. */
export function score(value: number): string {
  if (Number.isNaN(value)) return "";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-6) return value.toExponential(0);
  if (size < 1e-3) return oneDigit(value);
  if (size < 0.01) return value.toFixed(4);
  if (size < 0.1) return value.toFixed(3);
  if (size >= 0.995 && size < 1) return value.toFixed(4);
  if (size === 1) return String(value);
  return size < 100 ? value.toFixed(2) : count(Math.round(value));
}

function oneDigit(value: number): string {
  const rounded = Number(value.toPrecision(1));
  return rounded.toFixed(-Math.floor(Math.log10(Math.abs(rounded))));
}

/** A bound of a range: float32, as which it is compared, holds no more than seven digits. */
export function bound(value: number): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(7));
  const size = Math.abs(rounded);
  return size < 1e-4 ? rounded.toExponential().replace("e+", "e") : String(rounded);
}

/** Split a file name so that its end, which often tells files apart, stays when space is short. */
export function splitName(name: string): [head: string, tail: string] {
  return name.length <= 10 ? [name, ""] : [name.slice(0, -8), name.slice(-8)];
}
