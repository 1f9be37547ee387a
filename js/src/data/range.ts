export type Range = readonly [number, number];

/** How many values lie in the range, both ends included, compared as float32. */
export function countIn(values: Float32Array, [low, high]: Range): number {
  const from = Math.fround(low);
  const to = Math.fround(high);
  let count = 0;
  for (let i = 0; i < values.length; i++) count += +(values[i] >= from) & +(values[i] <= to);
  return count;
}
