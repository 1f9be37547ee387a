export interface Tick {
  place: number;
  label: string;
  /** The first to go where the axis is short. */
  crowded?: boolean;
}

/** Maps values to a place along the axis, 0 (left) … 1 (right), and back. */
export interface Scale {
  /** Left ends of the bins, as places; one more than bins. */
  readonly edges: readonly number[];
  toPlace(value: number): number;
  toValue(place: number): number;
  /** The bin of a value, or -1 for one outside the domain or NaN. */
  binOf(value: number): number;
  /** First and last value of a bin. */
  binRange(bin: number): readonly [number, number];
  ticks: readonly Tick[];
  min: number;
  max: number;
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

const BINS = 64;

export function linearScale(min: number, max: number, bins = BINS): Scale {
  const span = max - min || 1;
  const toPlace = (value: number) => clamp((value - min) / span, 0, 1);
  const toValue = (place: number) => min + clamp(place, 0, 1) * span;
  return {
    min,
    max: min + span,
    edges: Array.from({ length: bins + 1 }, (_, i) => i / bins),
    toPlace,
    toValue,
    binOf: (value) =>
      value >= min && value <= min + span
        ? Math.min(bins - 1, Math.floor(((value - min) / span) * bins))
        : -1,
    binRange: (bin) => [toValue(bin / bins), toValue((bin + 1) / bins)],
    ticks: [0, 0.25, 0.5, 0.75, 1].map((place) => ({ place, label: label(toValue(place)) })),
  };
}

/** Share of the axis that the bin of exactly 0 takes, and the gap after it. */
const ZERO = 0.05;
const GAP = 0.015;
const LOG_START = ZERO + GAP;

/**
 * A log axis with a bin of its own for exactly 0.
 *
 * Positive values below `min` belong to the first log bin. The left end of the log part stands for
 * `floor`, the smallest positive value there is, so that "more than 0" loses none of them.
 */
export function logScale(min: number, max: number, floor = min, binsPerDecade = 10): Scale {
  const low = Math.log10(min);
  const decades = Math.log10(max) - low;
  const bins = Math.max(1, Math.round(decades * binsPerDecade));
  const width = 1 - LOG_START;
  const toPlace = (value: number) =>
    value <= 0 ? 0 : LOG_START + width * clamp((Math.log10(value) - low) / decades, 0, 1);
  const toValue = (place: number) => {
    if (place < LOG_START - GAP / 2) return 0;
    if (place <= LOG_START) return Math.min(min, floor);
    return 10 ** (low + (clamp(place, LOG_START, 1) - LOG_START) * (decades / width));
  };
  const edges = [0, ...Array.from({ length: bins + 1 }, (_, i) => LOG_START + (width * i) / bins)];
  const edgeValue = (bin: number) => 10 ** (low + ((bin - 1) * decades) / bins);
  const firstTick = Math.ceil(low - 1e-9);
  const ticks: Tick[] = [{ place: ZERO / 2, label: "0" }];
  for (let power = firstTick; power <= Math.floor(Math.log10(max) + 1e-9); power++) {
    const place = toPlace(10 ** power);
    ticks.push({ place, label: label(10 ** power), crowded: place < 0.1 });
  }
  return {
    min: 0,
    max,
    edges,
    toPlace,
    toValue,
    binOf: (value) => {
      if (value === 0) return 0;
      if (!(value > 0 && value <= max)) return -1;
      return 1 + clamp(Math.floor(((Math.log10(value) - low) * bins) / decades), 0, bins - 1);
    },
    binRange: (bin) =>
      bin === 0 ? [0, 0] : [bin === 1 ? Math.min(min, floor) : edgeValue(bin), edgeValue(bin + 1)],
    ticks,
  };
}

/** Right end of a value's mark: the bin of 0 is a block, so a range up to 0 covers the block. */
export function placeOfHigh(scale: Scale, value: number): number {
  return value <= 0 && scale.edges[1] === LOG_START ? ZERO : scale.toPlace(value);
}

/** End of a bin's bar: the bin of 0 keeps its distance from the log part. */
export function binEnd(scale: Scale, bin: number): number {
  return bin === 0 && scale.edges[1] === LOG_START ? ZERO : scale.edges[bin + 1];
}

export function isLog(scale: Scale): boolean {
  return scale.edges[1] === LOG_START;
}

function label(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e5) return value.toExponential(0).replace("e+", "e");
  return String(Number(value.toPrecision(3)));
}
