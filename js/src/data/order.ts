import { NULL_RANK } from "../wire/protocol";

/** Members of each band in display order, as offsets into one array (compressed rows). */
export interface Bands {
  /** `members[start[b]] … members[start[b + 1] - 1]` are the rows of band `b`; band 0 is empty. */
  start: Uint32Array;
  members: Uint32Array;
}

/** Rows of every band, sorted by place, then row. */
export function bandsOf(band: Uint32Array, place: Uint32Array): Bands {
  let count = 0;
  for (let row = 0; row < band.length; row++) count = Math.max(count, band[row]);
  const start = new Uint32Array(count + 2);
  for (let row = 0; row < band.length; row++) if (band[row]) start[band[row] + 1]++;
  for (let b = 1; b < start.length; b++) start[b] += start[b - 1];
  const members = new Uint32Array(start[count + 1]);
  const next = start.slice();
  for (let row = 0; row < band.length; row++) if (band[row]) members[next[band[row]]++] = row;
  for (let b = 1; b <= count; b++) {
    if (start[b + 1] - start[b] < 2) continue;
    const rows = members.subarray(start[b], start[b + 1]);
    rows.sort((a, z) => place[a] - place[z] || a - z);
  }
  return { start, members };
}

/** Dense ranks of the scores, ascending; NaN ranks last as null. */
export function denseRank(scores: Float32Array): Uint32Array {
  const n = scores.length;
  const keys = sortableBits(scores);
  // Two rounds of a radix sort, 16 bits each, order the rows by key.
  let rows = new Uint32Array(n);
  for (let row = 0; row < n; row++) rows[row] = row;
  for (const shift of [0, 16]) {
    const next = new Uint32Array(0x10001);
    for (let i = 0; i < n; i++) next[((keys[i] >>> shift) & 0xffff) + 1]++;
    for (let digit = 1; digit < next.length; digit++) next[digit] += next[digit - 1];
    const sorted = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      sorted[next[(keys[row] >>> shift) & 0xffff]++] = row;
    }
    rows = sorted;
  }
  const rank = new Uint32Array(n);
  let distinct = -1;
  let previous = -1;
  for (let i = 0; i < n; i++) {
    const key = keys[rows[i]];
    if (key !== previous) distinct++;
    previous = key;
    rank[rows[i]] = key === NULL_RANK ? NULL_RANK : distinct;
  }
  return rank;
}

/** Unsigned integers in the order of the floats; all NaN become the last. */
function sortableBits(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(new Float32Array(values).buffer);
  for (let i = 0; i < bits.length; i++) {
    if (Number.isNaN(values[i])) bits[i] = NULL_RANK;
    // -0 equals 0. Otherwise negative numbers sort backwards by their bits.
    else if (values[i] === 0) bits[i] = 0x80000000;
    else bits[i] = bits[i] >>> 31 ? ~bits[i] : bits[i] | 0x80000000;
  }
  return bits;
}

/**
 * The visible rows in display order.
 *
 * A unit is a single image or, when grouped, the visible members of a band. Its key is its rank,
 * a band's the lowest of its members' when ascending and the highest when descending; null ranks
 * count only where there is no other, and come last in both directions. Ties: lowest row number.
 */
export function displayOrder(
  rank: Uint32Array,
  band: Uint32Array,
  place: Uint32Array,
  mask: Uint8Array,
  descending: boolean,
  grouped: boolean,
  bands: Bands = bandsOf(band, place),
): Uint32Array {
  const n = rank.length;
  const bandCount = bands.start.length - 1;
  const unitOfBand = new Int32Array(grouped ? bandCount : 0).fill(-1);
  // Going through the rows upwards makes the units' own order the order of ties.
  const units = new Uint32Array(n);
  const keys = new Uint32Array(n);
  let unitCount = 0;
  let visible = 0;
  let highest = -1;
  for (let row = 0; row < n; row++) {
    if (!mask[row]) continue;
    visible++;
    const key = rank[row];
    if (key !== NULL_RANK && key > highest) highest = key;
    if (grouped && band[row]) {
      const unit = unitOfBand[band[row]];
      if (unit >= 0) {
        const old = keys[unit];
        const better = descending
          ? key !== NULL_RANK && (old === NULL_RANK || key > old)
          : key < old;
        if (better) keys[unit] = key;
        continue;
      }
      unitOfBand[band[row]] = unitCount;
    }
    units[unitCount] = row;
    keys[unitCount++] = key;
  }

  // Ranks are dense, so one counting sort places every unit.
  const next = new Uint32Array(highest + 3);
  for (let unit = 0; unit < unitCount; unit++) {
    const key = keys[unit];
    const bucket = key === NULL_RANK ? highest + 1 : descending ? highest - key : key;
    keys[unit] = bucket;
    next[bucket + 1]++;
  }
  for (let bucket = 1; bucket < next.length; bucket++) next[bucket] += next[bucket - 1];
  const sorted = new Uint32Array(unitCount);
  for (let unit = 0; unit < unitCount; unit++) sorted[next[keys[unit]]++] = units[unit];
  if (!grouped) return sorted;

  const order = new Uint32Array(visible);
  let position = 0;
  for (let i = 0; i < unitCount; i++) {
    const row = sorted[i];
    const b = band[row];
    if (!b) {
      order[position++] = row;
      continue;
    }
    for (let m = bands.start[b]; m < bands.start[b + 1]; m++) {
      if (mask[bands.members[m]]) order[position++] = bands.members[m];
    }
  }
  return order;
}

/**
 * Put rows that the filter hides, such as keepers, beside the visible members of their bands.
 *
 * Such a row is a context tile: it is the one kind of row in the result that `mask` does not show.
 */
export function withHidden(
  order: Uint32Array,
  band: Uint32Array,
  mask: Uint8Array,
  hidden: Uint8Array,
  bands: Bands,
): Uint32Array {
  let more = 0;
  for (const row of hidden) more += row;
  if (more === 0) return order;
  const items = new Uint32Array(order.length + more);
  let to = 0;
  for (let position = 0; position < order.length; ) {
    const b = band[order[position]];
    if (b === 0) {
      items[to++] = order[position++];
      continue;
    }
    for (let m = bands.start[b]; m < bands.start[b + 1]; m++) {
      const row = bands.members[m];
      if (mask[row]) position++;
      if (mask[row] || hidden[row]) items[to++] = row;
    }
  }
  return items.subarray(0, to);
}

/**
 * What was shown, all of it and in its order, and rows that are visible now: each at the end of its
 * band, else at the end.
 */
export function withNewcomers(
  items: Uint32Array,
  visible: Uint8Array,
  band: Uint32Array,
): Uint32Array {
  const old = new Uint8Array(visible.length);
  for (const row of items) old[row] = 1;
  const newcomers = new Map<number, number[]>();
  let count = 0;
  for (let row = 0; row < visible.length; row++) {
    if (!visible[row] || old[row]) continue;
    count++;
    newcomers.set(band[row], [...(newcomers.get(band[row]) ?? []), row]);
  }
  if (count === 0) return items;
  const rows: number[] = [];
  items.forEach((row, position) => {
    rows.push(row);
    const b = band[row];
    if (b === 0 || band[items[position + 1]] === b) return;
    rows.push(...(newcomers.get(b) ?? []));
    newcomers.delete(b);
  });
  for (const left of newcomers.values()) rows.push(...left);
  return Uint32Array.from(rows);
}
