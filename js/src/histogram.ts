import { linearScale, logScale, type Scale } from "./scale";

export type Range = readonly [number, number];

export interface Extent {
  min: number;
  max: number;
  /** The smallest value above 0; infinite when there is none. */
  minPositive: number;
}

export function extentOf(values: Float32Array): Extent {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let minPositive = Number.POSITIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value < min) min = value;
    if (value > max) max = value;
    if (value > 0 && value < minPositive) minPositive = value;
  }
  return { min, max, minPositive };
}

const LOG_MIN = 1e-6;

/** A log axis needs values that are not negative, and one above 0. */
export function canBeLog({ min, max }: Extent): boolean {
  return min >= 0 && max > 0;
}

/** The axis for values of this extent: 0 … 1 where they fit, as scores do. */
export function scaleFor(extent: Extent, log: boolean): Scale {
  const unit = !(extent.min < 0) && !(extent.max > 1);
  if (log && canBeLog(extent)) {
    const max = unit ? 1 : extent.max;
    return logScale(LOG_MIN * max, max, Math.min(extent.minPositive, LOG_MIN * max));
  }
  return unit ? linearScale(0, 1) : linearScale(extent.min, extent.max);
}

/** Count the values of each bin, those that `mask` leaves out not counted. */
export function binCounts(values: Float32Array, scale: Scale, mask?: Uint8Array): Uint32Array {
  const counts = new Uint32Array(scale.edges.length - 1);
  for (let i = 0; i < values.length; i++) {
    if (mask && !mask[i]) continue;
    const bin = scale.binOf(values[i]);
    if (bin >= 0) counts[bin]++;
  }
  return counts;
}

/** How many values lie in the range, both ends included, compared as float32. */
export function countIn(values: Float32Array, [low, high]: Range): number {
  const from = Math.fround(low);
  const to = Math.fround(high);
  let count = 0;
  for (let i = 0; i < values.length; i++) count += +(values[i] >= from) & +(values[i] <= to);
  return count;
}

/** A range that leaves nothing out is no filter. */
export function rangeOrNull(range: Range, scale: Scale): Range | null {
  return range[0] <= scale.min && range[1] >= scale.max ? null : range;
}

/** Move one end; it stops at the other. */
export function moveEnd(range: Range, end: 0 | 1, value: number): Range {
  return end === 0 ? [Math.min(value, range[1]), range[1]] : [range[0], Math.max(value, range[0])];
}

/** Move both ends by a distance along the axis, keeping their distance there. */
export function moveBoth(range: Range, by: number, scale: Scale): Range {
  const low = scale.toPlace(range[0]);
  const high = scale.toPlace(range[1]);
  const step = Math.min(Math.max(by, -low), 1 - high);
  return [scale.toValue(low + step), scale.toValue(high + step)];
}

/** Where a thumb goes on a key, or null for keys that are not its own. */
export function keyStep(key: string, value: number, scale: Scale, fine: boolean): number | null {
  const place = scale.toPlace(value);
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
  let to = Math.min(1, Math.max(0, place + steps[key]));
  // A step out of the block of exactly 0 lands on the first value beyond it, however small.
  if (steps[key] > 0 && scale.toValue(to) === value) to = Math.max(to, scale.edges[1]);
  return scale.toValue(to);
}
