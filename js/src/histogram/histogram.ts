import type { Turned } from "../data/masks";
import { DAY, type End, type Measure } from "../data/measure";
import type { Range } from "../data/range";
import type { Numbers } from "../wire/protocol";
import { blockScale, linearScale, logScale, type Scale } from "./scale";

interface Extent {
  min: number;
  max: number;
  /** The smallest value above 0; infinite when there is none. */
  minPositive: number;
}

/** The extent of the finite values. */
export function extentOf(values: Numbers): Extent {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let minPositive = Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    // NaN and the infinities: what is no number is not 0 away from itself.
    if (value - value !== 0) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    if (value > 0 && value < minPositive) minPositive = value;
  }
  return { min, max, minPositive };
}

export const isEmpty = ({ min, max }: Extent): boolean => min > max;

const LOG_MIN = 1e-6;
/** Scores begin at 0.0002, see FLOOR in frame/scale.py: below lies nothing but exactly 0. */
const SCORE_MIN = 1e-4;

/** A log axis needs values that are not negative, and one above 0. */
export function canBeLog({ min, max }: Extent): boolean {
  return min >= 0 && max > 0;
}

/** The axis for values of this extent: 0 … 1 where they fit, as scores do. */
export function scaleFor(extent: Extent, log: boolean, measure: Measure = "number"): Scale {
  const { min, max } = extent;
  const unit = measure === "number" && !(min < 0) && !(max > 1);
  if (log && canBeLog(extent)) {
    const top = unit ? 1 : max;
    const floor = Math.min(extent.minPositive, top);
    const low = unit ? lowestPower(floor) : Math.min(Math.max(floor, LOG_MIN * top), top / 2);
    return logScale(low, top, {
      floor: Math.min(floor, low),
      zero: unit || min === 0,
      measure,
    });
  }
  if (unit) return linearScale(0, 1);
  const step = measure === "day" ? DAY : measure === "whole" ? 1 : null;
  if (step !== null && (max - min) / step < 64) return blockScale(min, max, step, measure);
  return linearScale(min, max, measure);
}

/** Where the axis of scores begins: as low as there are values. */
const lowestPower = (floor: number) =>
  Math.max(LOG_MIN, Math.min(SCORE_MIN, 10 ** Math.floor(Math.log10(floor))));

/** The bin of no value. */
const NO_BIN = 255;

/** The bin of each value: looking it up beats finding it each time that a filter moves. */
export function binsOf(values: Numbers, scale: Scale): Uint8Array {
  const bins = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const bin = scale.binOf(values[i]);
    bins[i] = bin < 0 ? NO_BIN : bin;
  }
  return bins;
}

/** Count the values of each bin, those that `mask` leaves out not counted. */
export function binCounts(bins: Uint8Array, scale: Scale, mask?: Uint8Array): Uint32Array {
  const counts = new Uint32Array(NO_BIN + 1);
  if (mask) for (let i = 0; i < bins.length; i++) counts[bins[i]] += mask[i];
  else for (let i = 0; i < bins.length; i++) counts[bins[i]]++;
  return counts.subarray(0, scale.edges.length - 1);
}

/** The same of another mask, of which it is known where it differs. */
export function binCountsAgain(
  before: Uint32Array,
  bins: Uint8Array,
  { on, off }: Turned,
): Uint32Array {
  const counts = before.slice();
  // A value without a bin counts nowhere: it lies beyond the counts.
  for (const rows of on) for (let i = 0; i < rows.length; i++) counts[bins[rows[i]]]++;
  for (const rows of off) for (let i = 0; i < rows.length; i++) counts[bins[rows[i]]]--;
  return counts;
}

/** Whether nearly all values lie in the first few bins, so that a log axis shows more. */
export function isSkewed(counts: Uint32Array): boolean {
  let total = 0;
  let first = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    total += counts[bin];
    if (bin < counts.length / 16) first += counts[bin];
  }
  return counts.length >= 32 && first > 0.8 * total;
}

/** A range that leaves nothing out is no filter. */
export function rangeOrNull(range: Range, scale: Scale): Range | null {
  return range[0] <= scale.min && range[1] >= scale.max ? null : range;
}

/** Move one end; it stops at the other. */
export function moveEnd(range: Range, end: End, value: number): Range {
  return end === 0 ? [Math.min(value, range[1]), range[1]] : [range[0], Math.max(value, range[0])];
}

/** Move both ends by a distance along the axis, keeping their distance there. */
export function moveBoth(range: Range, by: number, scale: Scale): Range {
  const low = scale.toPlace(range[0]);
  const high = scale.toEnd(range[1]);
  const step = Math.min(Math.max(by, -low), 1 - high);
  // A block ends where the next one begins.
  const inside = scale.toEnd(range[1]) - scale.toPlace(range[1]) > 0 ? 1e-9 : 0;
  return [
    scale.snap(scale.toValue(low + step + inside), 0),
    scale.snap(scale.toValue(high + step - inside), 1),
  ];
}

/** Where a thumb goes on a key, or null for keys that are not its own. */
export function keyStep(
  key: string,
  value: number,
  scale: Scale,
  fine: boolean,
  end: End = 0,
): number | null {
  const small = fine ? 0.001 : 0.01;
  const steps: Record<string, number> = {
    ArrowRight: small,
    ArrowUp: small,
    ArrowLeft: -small,
    ArrowDown: -small,
    PageUp: 0.1,
    PageDown: -0.1,
  };
  if (key === "Home") return scale.min;
  if (key === "End") return scale.max;
  if (!(key in steps)) return null;
  const step = steps[key];
  let to = Math.min(1, Math.max(0, scale.toPlace(value) + step));
  // A step out of the block of exactly 0 lands on the first value beyond it, however small.
  if (step > 0 && scale.toValue(to) === value) to = Math.max(to, scale.edges[1]);
  const next = scale.snap(scale.toValue(to), end);
  if (next !== value || scale.unit === 0) return next;
  return scale.snap(value + Math.sign(step) * scale.unit, end);
}
