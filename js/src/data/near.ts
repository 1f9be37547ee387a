/** Steps of the boundary up to each bound: finer near 0, and all short to read. */
const STEPS: readonly [step: number, upTo: number][] = [
  [0.0001, 0.001],
  [0.0005, 0.01],
  [0.001, 0.1],
  [0.005, 1],
];

/** Where the slider of the near boundary can stand, from 0 to `max`. */
export function nearStops(max: number): number[] {
  const stops = [0];
  let from = 0;
  for (const [step, upTo] of STEPS) {
    const count = Math.round((upTo - from) / step);
    for (let i = 1; i <= count; i++) {
      const stop = Number((from + i * step).toFixed(4));
      if (stop >= max) return [...stops, max];
      stops.push(stop);
    }
    from = upTo;
  }
  return stops;
}

/** The stop that is nearest to a value. */
export function stopOf(stops: readonly number[], value: number): number {
  let nearest = 0;
  for (let i = 1; i < stops.length; i++) {
    if (Math.abs(stops[i] - value) < Math.abs(stops[nearest] - value)) nearest = i;
  }
  return nearest;
}
