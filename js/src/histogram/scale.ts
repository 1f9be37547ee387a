import { DAY, type End, isDate, type Measure, tick } from "../data/measure";

interface Tick {
  place: number;
  label: string;
  /** The first to go where the axis is short. */
  crowded?: boolean;
}

/** Maps values to a place along the axis, 0 (left) … 1 (right), and back. */
export interface Scale {
  /** Left ends of the bins, as places; one more than bins. */
  readonly edges: readonly number[];
  readonly log: boolean;
  min: number;
  max: number;
  toPlace(value: number): number;
  /** Right end of a value's mark: a value that has a block of its own covers it. */
  toEnd(value: number): number;
  toValue(place: number): number;
  /** The bin of a value, or -1 for one outside the domain or NaN. */
  binOf(value: number): number;
  /** The round value that a drag to here comes to rest on. */
  snap(value: number, end: End): number;
  /** The smallest step of a key. */
  unit: number;
  ticks: readonly Tick[];
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

const BINS = 64;

export function linearScale(min: number, max: number, measure: Measure = "number"): Scale {
  const span = max - min || 1;
  const top = min + span;
  const unit = unitOf(span, measure);
  const toPlace = (value: number) => clamp((value - min) / span, 0, 1);
  return {
    log: false,
    min,
    max: top,
    unit,
    edges: Array.from({ length: BINS + 1 }, (_, i) => i / BINS),
    toPlace,
    toEnd: toPlace,
    toValue: (place) => min + clamp(place, 0, 1) * span,
    binOf: (value) =>
      value >= min && value <= top
        ? Math.min(BINS - 1, Math.floor(((value - min) / span) * BINS))
        : -1,
    snap: (value, end) => clamp(snapTo(value, unit, measure, end), min, top),
    ticks: roundValues(min, top, measure).map(({ value, step }) => ({
      place: toPlace(value),
      label: tick(measure, value, step),
    })),
  };
}

/** Few whole numbers or days: each is a block of its own. */
export function blockScale(min: number, max: number, unit: number, measure: Measure): Scale {
  const blocks = Math.round((max - min) / unit) + 1;
  const blockOf = (value: number) => Math.floor((value - min) / unit);
  const round = (value: number) => min + clamp(blockOf(value), 0, blocks - 1) * unit;
  return {
    log: false,
    min,
    max,
    unit,
    edges: Array.from({ length: blocks + 1 }, (_, i) => i / blocks),
    toPlace: (value) => clamp(blockOf(value) / blocks, 0, 1),
    toEnd: (value) => clamp((blockOf(value) + 1) / blocks, 0, 1),
    toValue: (place) => round(min + place * blocks * unit),
    binOf: (value) => (value >= min && value <= max ? blockOf(value) : -1),
    snap: round,
    ticks: roundValues(min, max, measure, unit).map(({ value, step }) => ({
      place: (blockOf(value) + 0.5) / blocks,
      label: tick(measure, value, step),
    })),
  };
}

/** Share of the axis that the bin of exactly 0 takes, and the gap after it. */
const ZERO = 0.05;
const GAP = 0.015;

interface LogOptions {
  /** The smallest positive value there is: "more than 0" loses none. */
  floor?: number;
  /** Whether exactly 0 has a block of its own at the left. */
  zero?: boolean;
  measure?: Measure;
}

/**
 * A log axis. Positive values below `min` belong to the first log bin, whose left end stands for
 * `floor`.
 */
export function logScale(
  min: number,
  max: number,
  { floor = min, zero = true, measure = "number" }: LogOptions = {},
): Scale {
  const low = Math.log10(min);
  const decades = Math.log10(max) - low;
  const bins = Math.max(32, Math.round(decades * 10));
  const start = zero ? ZERO + GAP : 0;
  const width = 1 - start;
  const first = zero ? 1 : 0;
  const toPlace = (value: number) =>
    value <= 0 ? 0 : start + width * clamp((Math.log10(value) - low) / decades, 0, 1);
  const ticks: Tick[] = zero ? [{ place: ZERO / 2, label: "0" }] : [];
  for (const value of roundPowers(min, max)) {
    const place = toPlace(value);
    ticks.push({ place, label: tick(measure, value, value), crowded: zero && place < 0.1 });
  }
  const logBins = Array.from({ length: bins + 1 }, (_, i) => start + (width * i) / bins);
  return {
    log: true,
    min: zero ? 0 : Math.min(min, floor),
    max,
    unit: measure === "number" ? 0 : 1,
    edges: zero ? [0, ...logBins] : logBins,
    toPlace,
    toEnd: (value) => (zero && value <= 0 ? ZERO : toPlace(value)),
    toValue: (place) => {
      if (place < start - GAP / 2) return 0;
      if (place <= start) return Math.min(min, floor);
      if (place >= 1) return max;
      return 10 ** (low + (place - start) * (decades / width));
    },
    binOf: (value) => {
      if (zero && value === 0) return 0;
      if (!(value > 0 && value <= max)) return -1;
      const bin = Math.floor(((Math.log10(value) - low) * bins) / decades);
      return first + clamp(bin, 0, bins - 1);
    },
    snap: (value) => {
      if (value <= min || value >= max) return Math.min(value, max);
      const round = Number(value.toPrecision(3));
      return measure === "number" ? round : Math.round(round);
    },
    ticks,
  };
}

/** End of a bin's bar: the bin of 0 keeps its distance from the log part. */
export function binEnd(scale: Scale, bin: number): number {
  return bin === 0 && scale.edges[1] === ZERO + GAP ? ZERO : scale.edges[bin + 1];
}

const TIMES = [1, 1000, 60_000, 3_600_000, DAY];

/** The smallest difference that a drag makes: fine enough to be smooth, and short to write. */
function unitOf(span: number, measure: Measure): number {
  if (measure === "day") return DAY;
  if (measure === "date") return TIMES.findLast((time) => span / time >= 200) ?? 1;
  const unit = 10 ** Math.floor(Math.log10(span / 500));
  return measure === "number" ? unit : Math.max(1, unit);
}

function snapTo(value: number, unit: number, measure: Measure, end: End): number {
  // A range of moments ends with the last millisecond of its last unit.
  if (measure === "date") return Math.floor(value / unit) * unit + (end === 1 ? unit - 1 : 0);
  const units = Math.round(value / unit);
  return unit < 1 ? Number((units * unit).toFixed(Math.ceil(-Math.log10(unit)))) : units * unit;
}

const TICKS = 5;
/** Dates are long to write. */
const DATE_TICKS = 4;
const MONTHS = [1, 3, 6, 12, 24, 60, 120, 240, 600, 1200];
const SHORT_STEPS = [
  ...[1, 2, 5, 10, 30].map((n) => n * 1000),
  ...[1, 2, 5, 10, 30].map((n) => n * 60_000),
  ...[1, 3, 6, 12].map((n) => n * 3_600_000),
  ...[1, 2, 4, 7, 14].map((n) => n * DAY),
];

interface RoundValue {
  value: number;
  step: number;
}

/** Up to six round values from `min` to `max`; for scores the quarters. */
function roundValues(min: number, max: number, measure: Measure, least = 0): RoundValue[] {
  if (isDate(measure)) return roundDates(min, max, measure === "day" ? DAY : 1000);
  if (min === 0 && max === 1 && least === 0) {
    return [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, step: 0.25 }));
  }
  const rough = (max - min) / TICKS || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((n) => n * power >= rough * (1 - 1e-9)) ?? 10;
  const whole = measure === "number" ? least : Math.max(1, least);
  return multiples(min, max, Math.max(factor * power, whole));
}

function multiples(min: number, max: number, step: number): RoundValue[] {
  const values: RoundValue[] = [];
  for (let n = Math.ceil(min / step - 1e-9); n * step <= max + step * 1e-9; n++) {
    values.push({ value: n * step, step });
  }
  return values;
}

function roundDates(min: number, max: number, least: number): RoundValue[] {
  const rough = Math.max((max - min) / DATE_TICKS, least);
  const short = SHORT_STEPS.find((step) => step >= rough);
  if (short !== undefined) return multiples(min, max, short);
  const months = MONTHS.find((n) => n * 30 * DAY >= rough) ?? 2400;
  const values: RoundValue[] = [];
  const from = new Date(min);
  const first = from.getUTCFullYear() * 12 + from.getUTCMonth();
  for (let month = Math.ceil(first / months) * months; ; month += months) {
    const value = Date.UTC(Math.floor(month / 12), month % 12);
    if (!(value <= max)) return values;
    if (value >= min) values.push({ value, step: months * 30.5 * DAY });
  }
}

/** Powers of ten from `min` to `max`, and what lies between them where they are few. */
function roundPowers(min: number, max: number): number[] {
  const decades = Math.log10(max / min);
  const factors = decades <= 1.5 ? [1, 2, 5] : decades <= 3 ? [1, 3] : [1];
  const values = [];
  const from = Math.floor(Math.log10(min) - 1e-9);
  const skip = Math.max(1, Math.ceil(decades / 8));
  for (let power = from; power <= Math.log10(max) + 1e-9; power += skip) {
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (value >= min * (1 - 1e-9) && value <= max * (1 + 1e-9)) values.push(value);
    }
  }
  return values;
}
